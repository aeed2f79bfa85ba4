"""A load client that costs little: HTTP/1.1 by hand, so that two cores measure the service."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Took:
    """How long each request took, in seconds, and what came back."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    span: float = 0.0

    def add(self, seconds: float, status: int) -> None:
        """One more."""
        self.seconds.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def at(self, share: float) -> float:
        """The time within which that share of the requests was answered, in milliseconds."""
        ordered = sorted(self.seconds)
        return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 2)

    @property
    def failed(self) -> int:
        """How many answers were not 2xx."""
        return sum(count for status, count in self.statuses.items() if status // 100 != 2)

    def end(self, began: float) -> None:
        """All were asked. Raises `RuntimeError` if one in a hundred failed: that is no measure."""
        self.span = time.perf_counter() - began
        if self.failed * 100 > len(self.seconds):
            raise RuntimeError(f"answers by status: {self.statuses}")

    def summary(self) -> dict[str, float]:
        """Throughput and percentiles; `failed` is all that was not 2xx."""
        rate = round(len(self.seconds) / self.span, 1) if self.span else 0.0
        return {"rate": rate, "p50": self.at(0.5), "p99": self.at(0.99), "failed": self.failed}


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def raw(self, host: str) -> bytes:
        """As it goes over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + self.body


class Connection:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        name = writer.get_extra_info("peername")
        self._host = f"{name[0]}:{name[1]}"

    async def ask(self, request: Request) -> int:
        """Send it and read the whole answer; its status."""
        self._writer.write(request.raw(self._host))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, _, rest = head.partition(b"content-length: ")
        if rest:
            await self._reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        return int(head[9:12])

    async def close(self) -> None:
        """Let it go."""
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[Connection]:
    """A connection to a service on this machine."""
    parts = urlsplit(url)
    made = Connection(*await asyncio.open_connection(parts.hostname, parts.port))
    try:
        yield made
    finally:
        await made.close()


async def drive(url: str, requests: Iterable[Request], connections: int) -> Took:
    """Send all of them over so many connections, each as fast as it is answered."""
    took, waiting = Took(), iter(requests)

    async def work() -> None:
        async with connection(url) as mine:
            for request in waiting:
                began = time.perf_counter()
                status = await mine.ask(request)
                took.add(time.perf_counter() - began, status)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    took.end(began)
    return took


async def steadily(url: str, requests: Iterable[Request], rate: float, most: int = 64) -> Took:
    """Send them at so many a second, however long each takes; no more than `most` at once."""
    took, began = Took(), time.perf_counter()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    made = [connection(url) for _ in range(most)]
    for one in made:
        free.put_nowait(await one.__aenter__())

    async def send(request: Request, due: float) -> None:
        mine = await free.get()
        status = await mine.ask(request)
        took.add(time.perf_counter() - due, status)
        free.put_nowait(mine)

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = began + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            group.create_task(send(request, due))
    took.end(began)
    for one in made:
        await one.__aexit__(None, None, None)
    return took
