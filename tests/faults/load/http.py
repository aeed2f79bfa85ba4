"""HTTP/1.1 on bare sockets: what became of a request is known exactly, and it costs little."""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any


class NotSent(Exception):
    """Nobody took the request: it has no effect."""


class Lost(Exception):
    """The request may have arrived, and no answer came: its effect is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The body as read."""
        return json.loads(self.body) if self.body else None

    @property
    def code(self) -> str:
        """The stable code of a problem; empty when there is none."""
        if self.status < 400:
            return ""
        try:
            return str(self.data.get("code", self.status))
        except ValueError:
            return f"no problem document: {self.body[:60]!r}"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def encode(self, host: str) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.method != "GET":
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """Connections that are kept and used again, by address."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Pair]] = defaultdict(list)

    async def ask(self, url: str, request: Request, within: float) -> Answer:
        """The answer; `NotSent` or `Lost` when there is none."""
        host = url.removeprefix("http://")
        pair = await self._connected(host)
        try:
            async with asyncio.timeout(within):
                answer = await _exchange(pair, request.encode(host))
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            raise Lost(type(error).__name__) from None
        except BaseException:
            pair[1].transport.abort()
            raise
        if answer.headers.get("connection") == "close":
            pair[1].transport.abort()
        else:
            self._idle[host].append(pair)
        return answer

    async def _connected(self, host: str) -> Pair:
        while self._idle[host]:
            reader, writer = self._idle[host].pop()
            if not (reader.at_eof() or writer.transport.is_closing()):
                return reader, writer
            writer.transport.abort()
        name, _, port = host.partition(":")
        try:
            async with asyncio.timeout(3.0):
                return await asyncio.open_connection(name, int(port))
        except (OSError, TimeoutError) as error:
            raise NotSent(type(error).__name__) from None

    async def close(self) -> None:
        """Let go of every connection."""
        for pairs in self._idle.values():
            for _, writer in pairs:
                writer.transport.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # an aborted connection is closed by the next turn of the loop


async def _exchange(pair: Pair, sent: bytes) -> Answer:
    reader, writer = pair
    try:
        writer.write(sent)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        rows = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in rows}
        body = await _body(reader, headers)
    except BaseException:
        writer.transport.abort()
        raise
    return Answer(int(head[0].split(" ")[1]), headers, body)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    body = bytearray()
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return bytes(body)
