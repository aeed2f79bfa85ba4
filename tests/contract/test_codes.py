"""Every code that can reach her has a text in es-MX, and no text is left over."""

import json
import re
from pathlib import Path

import pytest

from tests.contract.codes import CODE, mentioned, produced
from tools.paths import ROOT, SERVICES

CHASSIS = ROOT / "shared" / "chassis"
OWNERS = sorted(path.parent.name for path in SERVICES.glob("*/codes.json"))


def sources(service: str) -> list[Path]:
    events = ROOT / "shared" / "events" / f"{service}.py"
    found = sorted((SERVICES / service).rglob("*.py"))
    return [*found, events] if events.exists() else found


def texts(folder: Path) -> dict[str, str]:
    path = folder / "codes.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


COMMON = texts(CHASSIS)
SHOWN = {**{name: SERVICES / name for name in OWNERS}, "chassis": CHASSIS}


@pytest.mark.parametrize(
    "service", sorted({path.parent.name for path in SERVICES.glob("*/app.py")})
)
def test_every_code_of_a_service_has_a_text(service: str) -> None:
    known = texts(SERVICES / service).keys() | COMMON.keys()
    missing = {
        code: place for code, place in produced(sources(service)).items() if code not in known
    }
    assert missing == {}


def test_every_code_of_the_chassis_has_a_text() -> None:
    found = produced(sorted(CHASSIS.rglob("*.py")))
    internal = {code for code, place in found.items() if place.split(":")[0] in NOT_FOR_HER}
    assert found.keys() - internal - COMMON.keys() == set()


NOT_FOR_HER = {"envelope.py", "parking.py", "consumer.py", "repair.py", "streams.py"}
"""Codes of records that were set aside or wait: an operator reads them, nobody is refused."""


@pytest.mark.parametrize("service", OWNERS)
def test_no_text_of_a_service_is_dead(service: str) -> None:
    assert texts(SERVICES / service).keys() - mentioned(sources(service)) == set()


def test_no_text_of_the_chassis_is_dead() -> None:
    users = [*CHASSIS.rglob("*.py"), *(SERVICES / "gateway").rglob("*.py")]
    assert COMMON.keys() - mentioned(users) == set()


@pytest.mark.parametrize("service", OWNERS)
def test_no_text_is_written_twice(service: str) -> None:
    assert texts(SERVICES / service).keys() & COMMON.keys() == set()


@pytest.mark.parametrize("name", SHOWN)
def test_a_text_is_a_sentence_for_her(name: str) -> None:
    for code, text in texts(SHOWN[name]).items():
        assert CODE.match(code), code
        assert re.match(r"^[¡¿A-ZÁÉÍÓÚÑ«].*[.!?»]$", text), f"{code}: {text}"
        assert "\n" not in text
        assert len(text) < 300, f"{code} is too long for a telephone"


def test_codes_are_found_wherever_they_stand(tmp_path: Path) -> None:
    source = tmp_path / "rules.py"
    source.write_text(
        "raise Refused('a-one')\n"
        "raise Unknown('a-two' if new else 'a-three')\n"
        "Declined(reason_codes=('a-four', 'a-five'))\n"
        "query.get(X, id, unknown='a-six')\n"
        "DropReason = Literal['a-seven']\n"
        "HOLDS = {Event: 'a-eight'}\n"
        "handlers.on(E, may_refuse={'a-nine'})\n"
        "class Drop:\n    reason_code: Literal['a-ten'] = 'a-eleven'\n"
        "TOO_LATE = 'a-twelve'\n"
        "raise Forbidden(TOO_LATE)\n"
        "log.info('not-a-code', code=row['neither'], reason=get('nor'))\n"
    )
    numbers = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    assert set(produced([source])) == {f"a-{number}" for number in (*numbers, "eleven", "twelve")}
