"""Which ports are free."""

import fcntl
import os
import random
import socket
from collections.abc import Iterable
from functools import cache

from platformdirs import user_cache_path

# Below the range from which the kernel takes ports for outgoing connections: a server that is
# stopped and started again finds its port still free.
_RANDOM = range(15000, 30000)


class NoPorts(Exception):
    """The machine has no ports left for this."""


def is_free(port: int) -> bool:
    """Whether a server could listen here now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def some(count: int) -> list[int]:
    """That many free ports, anywhere; given to nobody else who asks here while this process lives.

    Between the look and the moment when a server listens lie seconds, and tests that run beside
    each other ask at the same time.
    """
    found: list[int] = []
    for port in random.sample(_RANDOM, k=len(_RANDOM)):
        if _claim(port) and is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise NoPorts(f"fewer than {count} ports are free on this machine")


def _claim(port: int) -> bool:
    """Make this port ours: a byte of a file that the kernel lets go of with the process."""
    file, ours = _claims()
    if port in ours:
        return False
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    ours.add(port)
    return True


def _unclaim(port: int) -> None:
    file, ours = _claims()
    fcntl.lockf(file, fcntl.LOCK_UN, 1, port)
    ours.discard(port)


@cache
def _claims() -> tuple[int, set[int]]:
    """The file, open as long as this process lives, and what is ours: it locks nobody at home."""
    path = user_cache_path("telar", ensure_exists=True) / "ports"
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600), set()


def block(first: int, count: int, step: int = 20, tries: int = 50) -> range:
    """The first block of `count` ports, all free, at `first` or a few steps above; ours, as above.

    One that is ours already is given again: it is this process's stack that starts anew.
    """
    for base in range(first, first + step * tries, step):
        ports = range(base, base + count)
        known = _claims()[1] & set(ports)
        claimed = [port for port in ports if port not in known and _claim(port)]
        if len(known) + len(claimed) == count and all_free(ports):
            return ports
        for port in claimed:
            _unclaim(port)
    raise NoPorts(f"no {count} ports in a row are free from {first} up")


def all_free(ports: Iterable[int]) -> bool:
    """Whether servers could listen on all of them."""
    return all(map(is_free, ports))
