"""What the pages say follows from the figures, and says what they hold for."""

from copy import deepcopy

import orjson
import pytest

from bench import capacity, report
from bench.capacity import Assumed, measured, need
from bench.figures import Results, floors, rows
from bench.measures import sweep
from bench.sides import BY_HAND, FASTAPI


@pytest.fixture
def results() -> Results:
    return orjson.loads(report.RESULTS.read_bytes())


def test_what_nothing_is_promised_of_has_no_verdict(results: Results) -> None:
    sides = results["measures"]["consume"]["sides"]
    sides["FastStream, batches"] = sides["by hand"]
    mine = [row for row in rows(results) if row.against == "FastStream, batches"]
    assert [(row.target, row.verdict) for row in mine] == [("", "")]
    assert "FastStream, batches" not in {row.against for _, row in floors(results)}


def test_the_page_names_commit_and_time_of_every_measure(results: Results) -> None:
    said = report._ran(results)
    for name, one in results["measures"].items():
        assert f"| {name} | {one['commit']} | {one['at'][:16]} | {one['plan']} |" in said


def test_the_page_says_what_by_hand_reaches_with_larger_batches(results: Results) -> None:
    swept = results["measures"]["sweep"]
    swept["rates"]["by hand, batch"] = {"500": 7_000.0, "2000": 11_000.0}
    said = " ".join(report._floors(results).split())
    assert "It holds at 500 a batch only" in said
    assert "2000 reached the most, 11,000 events/s, where 500 reached 7,000" in said


def test_the_page_says_how_far_the_rounds_of_stored_keys_lie_apart(results: Results) -> None:
    rounds = [{"rate": rate} for rate in (3_162.0, 4_164.0, 2_160.0)]
    for side in results["measures"]["keys"]["sides"].values():
        side["all"]["1000000"] = rounds
    said = report._stored(results)
    assert "| Stored | Used | telar | by hand |" in said
    assert "| 1,000,000 | all | 2,160 to 4,164 | 2,160 to 4,164 |" in said
    assert "| 1,000 | 1,000 | " in said


def test_the_page_marks_what_is_compared_and_what_was_best(results: Results) -> None:
    swept = results["measures"]["sweep"]
    swept["compared"] = {"peer": ["8"]}
    swept["rates"] = {"peer": {"4": 214.0, "8": 181.0}}
    said = report._swept(results)
    assert "| peer | 4 | 214 | best |" in said
    assert "| peer | 8 | 181 | compared |" in said
    assert "where another is marked, an earlier sweep found it the best" in " ".join(said.split())


def test_what_is_compared_is_among_what_was_tried() -> None:
    assert sweep.COMPARED["by hand, batch"] == [BY_HAND.environment["BENCH_BATCH"]] == ["500"]
    assert set(sweep.COMPARED["FastStream, workers"]) <= set(sweep.WORKERS)
    pool = (FASTAPI.environment["BENCH_LOOP"], FASTAPI.environment["BENCH_POOL"])
    assert pool in sweep.POOLS
    assert sweep.COMPARED["FastAPI + Motor"] == [f"{pool[0]}, pool {pool[1]}"]


def test_every_call_passes_the_gateway_and_costs_there(results: Results) -> None:
    without = deepcopy(results)
    for one in without["measures"]["proxy"]["sides"]["gateway"]:
        one.pop("processor_us", None)
    told = measured(without)
    assert told.gateway_us is None
    none, some = (need(10_000_000, told, Assumed(gateway_us=us)).cores for us in (0, 1_000))
    calls = 10_000_000 * 0.05 * 3 / 3600 * 21
    assert some - none == pytest.approx(calls * 1_000 / 1e6 / 0.5, abs=1)
    assert "800 µs, assumed" in capacity.table(without, Assumed())


def test_a_gateway_that_was_measured_is_not_assumed(results: Results) -> None:
    for one in results["measures"]["proxy"]["sides"]["gateway"]:
        one["processor_us"] = 432.0
    assert measured(results).gateway_us == 432.0
    assert "432 µs, measured" in capacity.table(results, Assumed())


def test_the_page_shares_out_processor_time_by_whose_code_ran(results: Results) -> None:
    parts = {"rules": 3.0, "web framework": 500.0}
    of = {
        "an event": {"all": 3, "parts": {"rules": 3.0}},
        "a command": {"all": 503, "parts": parts},
    }
    results["measures"]["profile"] = {"of": of}
    said = report._profiled(results)
    assert "| Whose | an event | a command |" in said
    assert said.index("| web framework | 0.00 | 500 |") < said.index("| rules | 3.00 | 3.00 |")
    del results["measures"]["profile"]
    assert report._profiled(results) == ""
