"""Which ports are free."""

import random
import socket
from collections.abc import Iterable

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
    """That many free ports, anywhere."""
    found: list[int] = []
    for port in random.sample(_RANDOM, k=len(_RANDOM)):
        if is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise NoPorts(f"fewer than {count} ports are free on this machine")


def block(first: int, count: int, step: int = 20, tries: int = 50) -> range:
    """The first block of `count` ports, all free, at `first` or a few steps above."""
    for base in range(first, first + step * tries, step):
        ports = range(base, base + count)
        if all_free(ports):
            return ports
    raise NoPorts(f"no {count} ports in a row are free from {first} up")


def all_free(ports: Iterable[int]) -> bool:
    """Whether servers could listen on all of them."""
    return all(map(is_free, ports))
