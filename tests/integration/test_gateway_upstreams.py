"""Connections that a replica resets, on real sockets and the loop that services run on."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
import uvloop

from services.gateway.upstreams import Call, Pool
from shared.chassis.errors import Problem

AT_ONCE, TIMES = 64, 20


@contextmanager
def resetting() -> Iterator[str]:
    """The address of a server that resets every connection as soon as it is made."""
    at_once = struct.pack("ii", 1, 0)  # linger for no second

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            connection.close()

    with socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE) as server:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10.0)


@pytest.mark.parametrize("safe", [True, False])
def test_a_connection_that_is_reset_as_it_is_made_ends_in_a_coded_answer(safe: bool):
    async def ask(address: str) -> Counter[tuple[int, str]]:
        pool, answers = Pool("grants", [address]), Counter[tuple[int, str]]()

        async def once() -> None:
            with pytest.raises(Problem) as refused:
                await pool.ask(Call("POST", "/awards", [], b"{}", safe=safe), 5.0)
            answers[refused.value.status, refused.value.code] += 1

        for _ in range(TIMES):
            await asyncio.gather(*[once() for _ in range(AT_ONCE)])
        await pool.close()
        return answers

    with resetting() as address, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers = runner.run(ask(address))
    assert answers.total() == AT_ONCE * TIMES
    assert set(answers) <= {(503, "outcome-unknown"), (503, "upstream-unavailable")}
