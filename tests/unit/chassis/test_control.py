"""Rubbish on the topic on which services speak to each other is passed over."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.chassis.control import CONTROL, outgoing, read
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus
from shared.chassis.ports import Outgoing, Record
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import running
from tests.unit.chassis.test_core import Ticking

AT = "2026-03-02T12:00:00"
ASK: dict[str, Any] = {
    "kind": "ask",
    "topic": "telar.reader",
    "key": "ana",
    "first": 1,
    "last": 2,
    "known": 2,
}
HEADS: dict[str, Any] = {"kind": "heads", "topic": "telar.shelf", "heads": []}


def record(message: dict[str, Any]) -> Record:
    return Record(CONTROL, 0, 0, b"key", json.dumps(message).encode())


@pytest.mark.parametrize("message", [ASK, HEADS])
def test_an_instant_without_a_zone_is_rubbish(message: dict[str, Any]) -> None:
    said = read(record({**message, "at": AT + "Z"}))
    assert said is not None
    assert outgoing(said).topic == CONTROL
    assert read(record({**message, "at": AT})) is None


async def test_no_message_makes_a_consumer_begin_anew(tmp_path: Path) -> None:
    bus = MemoryBus()
    async with running(mini.READER, tmp_path, Ticking(), bus) as reader:
        members = bus.faults.calls["consumer"]
        for rubbish in ({**ASK, "at": AT}, {**HEADS, "at": AT}, {"kind": "ask"}):
            await CoreSuite.send(bus, Outgoing(CONTROL, b"key", json.dumps(rubbish).encode()))
        await CoreSuite.send(bus, *map(encode, chain("ana", 1)))
        await CoreSuite.card(reader, "ana", [1])
        assert bus.faults.calls["consumer"] == members
