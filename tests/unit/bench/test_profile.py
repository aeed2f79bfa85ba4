"""Whose a stack is that py-spy wrote down, and how much time it stands for."""

from collections import Counter

import pytest

from bench.profile import OUTSIDE, PARTS, REST, SYSTEM, Looked, counted, part
from tools.paths import ROOT

MAIN = "<module> (/srv/bench/telar.py:120);run (/srv/shared/chassis/service.py:150)"
LOOP = "run (/py/asyncio/runners.py:190);run_until_complete (/py/asyncio/base_events.py:640)"
THREAD = "_bootstrap (/py/threading.py:1002);_worker (/py/concurrent/futures/thread.py:83)"


@pytest.mark.parametrize(
    ("inside", "whose"),
    [
        ("step (/srv/shared/chassis/draft.py:60)", "core: deciding"),
        ("load (/srv/shared/chassis/mongo/transaction.py:9)", "core: storing"),
        ("book (/srv/bench/telar.py:64)", "rules"),
        (
            "write (/srv/shared/chassis/mongo/store.py:9);send (/l/pymongo/pool.py:4)",
            "MongoDB driver",
        ),
        (
            "policy (/srv/shared/chassis/strict.py:9);loads (/py/json/__init__.py:3)",
            "core: the edge",
        ),
        ("serve (/l/uvicorn/server.py:70);app (/l/starlette/routing.py:7)", "web framework"),
        ("send (/l/aiokafka/client.py:9);call_soon (/py/asyncio/base_events.py:7)", "Kafka client"),
        ("_run_once (/py/asyncio/base_events.py:1898);_run (/py/asyncio/events.py:84)", REST),
    ],
)
def test_a_stack_is_theirs_whose_code_is_nearest_to_its_end(inside: str, whose: str) -> None:
    assert part(f"{MAIN};{LOOP};{inside}") == whose


def test_what_started_the_process_does_not_count() -> None:
    assert part(f"{MAIN};{LOOP}") == REST


def test_a_thread_counts_like_the_loop() -> None:
    assert part(f"{THREAD};find (/l/pymongo/collection.py:1)") == "MongoDB driver"
    assert part(THREAD) == REST


def test_every_part_of_ours_is_there() -> None:
    mine = [file for files in PARTS.values() for file in files if file[1:6] in ("share", "bench")]
    assert [file for file in mine if not (ROOT / file[1:]).exists()] == []


def test_a_look_stands_for_its_time_and_what_is_left_is_a_part_of_its_own() -> None:
    looked = Looked(Counter({"rules": 30, "models": 10}), user=0.7, system=0.2)
    told = looked.of_one(100)
    assert told["parts"] == {"rules": 3000, "models": 1000, SYSTEM: 2000, OUTSIDE: 3000}
    assert told["all"] == sum(told["parts"].values()) == 9000


def test_looks_stand_for_no_more_than_the_time_that_was_used() -> None:
    waited = Looked(Counter({"rules": 75, "models": 25}), user=0.4, system=0.1)
    told = waited.of_one(100)
    assert told["parts"] == {"rules": 3000, "models": 1000, SYSTEM: 1000}
    assert told["all"] == 5000


def test_a_py_spy_that_fell_behind_or_saw_nothing_leaves_no_figure() -> None:
    stacks = f"{MAIN};{LOOP};book (/srv/bench/telar.py:64) 3\n{THREAD} 2\n"
    assert counted(stacks, "") == {"rules": 3, REST: 2}
    with pytest.raises(RuntimeError, match=r"5 looks: 1\.20s behind"):
        counted(stacks, "1.20s behind in sampling, results may be inaccurate.")
    with pytest.raises(RuntimeError, match="0 looks: not permitted"):
        counted("", "not permitted")
