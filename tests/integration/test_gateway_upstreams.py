"""Connections that a replica resets, on real sockets and the loop that services run on."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
import uvloop

from services.gateway.upstreams import Call, Pool
from shared.chassis.errors import Problem

AT_ONCE, TIMES = 64, 20


@contextmanager
def resetting() -> Iterator[str]:
    """The address of a server that resets every connection as soon as it is made."""
    at_once = struct.pack("ii", 1, 0)  # it lingers for no second

    def serve() -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = server.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                connection.close()

    with socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE) as server:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10.0)


async def ask(pool: Pool, *, safe: bool) -> str:
    with pytest.raises(Problem) as refused:
        await pool.ask(Call("POST", "/awards", [], b"{}", safe=safe), 5.0)
    return refused.value.code


@pytest.mark.parametrize("safe", [True, False])
def test_a_connection_that_is_reset_as_it_is_made_ends_in_a_coded_answer(safe: bool):
    async def run(address: str) -> Counter[str]:
        pool, answers = Pool("grants", [address]), Counter[str]()
        for _ in range(TIMES):
            answers.update(await asyncio.gather(*[ask(pool, safe=safe) for _ in range(AT_ONCE)]))
        await pool.close()
        return answers

    with resetting() as address, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers = runner.run(run(address))
    assert answers.total() == AT_ONCE * TIMES
    assert set(answers) <= {"outcome-unknown", "upstream-unavailable"}
