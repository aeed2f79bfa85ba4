"""A consumer that has not read everything yet lacks nothing: it is waited for, or named once."""

import json
from typing import Any

import pytest

from cli.operator.verify import verify
from tests.unit.cli.operator_api import Script, page, stream


@pytest.fixture
def script(script: Script) -> Script:
    script.says("GET trade/streams", page(late("enrollment")))
    return script


def late(*topics: str) -> dict[str, Any]:
    """Trade has applied only the first event of these."""
    return stream("trade", **{topic: [1, f"{topic}-1"] for topic in topics})


def looks(script: Script, *counts: int, end: int = 9, grows: int = 0) -> None:
    """How far trade is behind in enrollment, look after look; the first look is for its topics."""
    rows = [
        [
            {"topic": "telar.enrollment", "partition": 0, "behind": 0, "end": 4},
            {"topic": "telar.enrollment", "partition": 1, "behind": behind, "end": end},
            {"topic": "telar.training", "partition": 0, "behind": 0, "end": 3},
        ]
        for behind, end in ((one, end + number * grows) for number, one in enumerate(counts))
    ]
    script.says("GET trade/lag", rows[0], *rows)


def findings(script: Script, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, ...]]:
    verify(script.session(), settle=0.0)
    found = json.loads(capsys.readouterr().out)["findings"]
    return [(one["code"], one["service"], one["topic"], one["mend"]) for one in found]


LAGGING = ("lagging", "trade", "enrollment", "docs/runbooks/lag.md")
LACKS = (
    "behind",
    "trade",
    "enrollment",
    'telar resend --topic enrollment --key=ana --from 2 --reason "trade lacks it"',
)


def test_whoever_catches_up_is_waited_for(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    walks = [page(late("enrollment"))] * 3
    script.says("GET trade/streams", *walks, page(stream("trade")))
    looks(script, 8, 5, 5, 2, 0)
    assert findings(script, capsys) == []
    assert len(script.bodies("GET trade/lag")) == 6


def test_whoever_reads_nothing_is_named_once(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    looks(script, 8)
    script.says("GET trade/streams", page())
    assert [one for one in findings(script, capsys) if one[2] == "enrollment"] == [LAGGING]


def test_what_is_lacking_is_named_beside_a_topic_that_is_not_read(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    looks(script, 8)
    script.says("GET trade/streams", page(late("enrollment", "training")))
    assert [one[:3] for one in findings(script, capsys)] == [
        ("behind", "trade", "training"),
        LAGGING[:3],
    ]


def test_what_is_lacking_is_named_once_all_was_read_that_stood_there(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    """Traffic goes on: there is always something that was not read yet."""
    looks(script, 3, 3, 3, 3, grows=2)
    assert findings(script, capsys) == [LACKS]


def test_a_topic_that_was_made_anew_is_not_waited_for(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    looks(script, 3, 0, grows=-7)
    assert findings(script, capsys) == [LACKS]
