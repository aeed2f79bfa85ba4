"""Unit and contract tests cannot reach a network, and still have an event loop."""

import asyncio
import socket

import pytest
from pytest_socket import SocketBlockedError

BLOCKED = (SocketBlockedError, UserWarning)  # it warns first, and warnings are errors here


def test_a_socket_is_refused() -> None:
    with pytest.raises(BLOCKED, match="A test tried to use"):
        socket.create_connection(("127.0.0.1", 9))


async def test_an_event_loop_runs_without_one() -> None:
    assert await asyncio.sleep(0, "awake") == "awake"


async def test_a_connection_of_the_event_loop_is_refused_too() -> None:
    with pytest.raises(BLOCKED, match="A test tried to use"):
        await asyncio.open_connection("127.0.0.1", 9)
