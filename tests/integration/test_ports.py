"""Ports that were given out are given to nobody else before their server listens."""

import subprocess
import sys

import pytest

from deploy.local import ports

_SCARCE, _FIRST = range(14000, 14012), 14100
_ANOTHER = f"""
from deploy.local import ports
ports._RANDOM = {_SCARCE!r}
print(*{{what}})
"""


@pytest.fixture(autouse=True)
def _few_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_RANDOM", _SCARCE)


def test_no_port_is_given_out_twice() -> None:
    """Neither to this process again nor to another, as long as this one lives."""
    mine = set(ports.some(4)) | set(ports.some(4))
    assert len(mine) == 8
    theirs = set(map(int, _ask(4).split()))
    assert len(theirs) == 4
    assert not mine & theirs
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _ask(5)
    assert "NoPorts: fewer than 5 ports are free on this machine" in refused.value.stderr


def test_no_block_is_given_out_twice() -> None:
    """A second stack takes the next block, also before the first one listens; mine stays mine."""
    mine = ports.block(_FIRST, 5)
    assert mine == ports.block(_FIRST, 5)
    theirs = int(_ask(5, f"ports.block({_FIRST}, int(input()))[:1]"))
    assert theirs == mine.start + 20


def _ask(count: int, what: str = "ports.some(int(input()))") -> str:
    """What another process gets; it ends with its claims."""
    command = [sys.executable, "-c", _ANOTHER.format(what=what)]
    found = subprocess.run(command, input=str(count), capture_output=True, text=True, check=True)
    return found.stdout
