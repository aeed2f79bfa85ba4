"""A wire that can be cut: between a client and a server, as a bad network would be."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self


class Proxy:
    """Passes bytes on until it is told to swallow answers, or everything."""

    def __init__(self, port: int, listens: int = 0) -> None:
        self._target, self._listens = port, listens
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self.swallows_answers = False
        self.is_frozen = False
        self.latency = 0.0
        """Seconds by which every piece of bytes comes later; `jitter` seconds more at random."""
        self.jitter = 0.0
        self.resets_after: int | None = None
        """Bytes of an answer after which the connection is reset; the next one lives."""
        self.resets = self.slowed = self.swallowed = self.cuts = 0
        self.held = 0
        self._late: set[asyncio.Task[None]] = set()
        self._released = asyncio.Event()

    @property
    def port(self) -> int:
        """Where clients connect."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._listens)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        if self._pipes:
            await asyncio.wait(self._pipes)
        await asyncio.sleep(0)  # an aborted connection is closed by the next turn of the loop

    def thaw(self) -> None:
        """Half-open connections end; new ones live."""
        self.is_frozen = False
        self.cut()

    def cut(self) -> None:
        """Break every connection there is; the pipes, two a connection, are counted in `cuts`."""
        for pipe in self._pipes:
            self.cuts += pipe.cancel()

    @asynccontextmanager
    async def silence(self) -> AsyncIterator[None]:
        """Requests arrive and no answer comes back: the connection breaks instead."""
        self.swallows_answers = True
        try:
            yield
        finally:
            self.swallows_answers = False

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """What comes by the connections of now is late; new ones are quick. Counted in `held`."""
        self.held, self._late = 0, set(self._pipes)
        self._released.clear()
        try:
            yield
        finally:
            self._late = set()
            self._released.set()

    async def _connect(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        try:
            server, requests = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            answers.transport.abort()
            return
        for pipe in (self._pipe(client, requests), self._pipe(server, answers, is_answer=True)):
            task = asyncio.create_task(pipe)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pipe(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        try:
            while data := await source.read(65536):
                if self.is_frozen:
                    self.swallowed += 1
                    await asyncio.Event().wait()
                if self.latency:
                    self.slowed += 1
                    await asyncio.sleep(self.latency + random.random() * self.jitter)
                if asyncio.current_task() in self._late:
                    self.held += 1
                    await self._released.wait()
                if is_answer and self.swallows_answers:
                    break
                if is_answer and self.resets_after is not None:
                    sink.write(data[: self.resets_after])
                    self.resets, self.resets_after = self.resets + 1, None
                    break
                sink.write(data)
                await sink.drain()
        except OSError:
            pass  # the other end is gone
        finally:
            sink.transport.abort()
