"""The rows that runs leave, and the page that is made of them."""

import json
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deploy.local.processes import DiedEarly
from tests.faults import __main__ as command
from tests.faults import report, runner
from tests.faults.crash.run import judged
from tests.faults.judges import judges
from tests.faults.sim import __main__ as simulation
from tests.faults.sim.report import Outcome, Total

LOST = "I1 o7 has no effect in gateway"


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


def row(scenario: str = "kills", **other: Any) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "title": "what it does",
        "seed": 7,
        "sizes": {"rounds": 9},
        "faults": {"kill": {"made": 300, "observed": 300}},
        "commands": {"accepted": 1000, "repeats": 20},
        "recovery_s": {"n": 0},
        "violations": [],
        "commit": "abc1234",
        "changed": False,
        "at": "2026-11-27",
        **other,
    }


def outcome(seed: int, *wrong: tuple[str, str]) -> Outcome:
    struck, effects = Counter({"bus outage": 1}), Counter({"BusError": 500, "crash": 1})
    made = Counter({"bus outage": 1, "crash": 1})
    return Outcome(seed, list(wrong), made, struck, effects, 8, 12, 3, 2.0, "digest")


def line(page: str, scenario: str = "kills") -> list[str]:
    [found] = [one for one in page.splitlines() if f"(`{scenario}`, 20" in one]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_a_full_run_with_violations_is_recorded_and_shown(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*_: Any, **__: Any) -> dict[str, Any]:
        return row(violations=[LOST], folder=str(results))

    monkeypatch.setattr(command, "run", run)
    assert not command._one("kills", Namespace(full=True, seed=None))
    [found] = json.loads((results / "kills.json").read_text())
    assert found["violations"] == [LOST]
    assert "folder" not in found
    page = report.page(report.rows(), [])
    assert line(page)[-2:] == ["1", "violated"]
    assert f": {LOST}\n" in page.partition("## Violations")[2]


def test_a_scenario_that_did_not_even_begin_is_recorded_and_shown(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*_: Any, **__: Any) -> dict[str, Any]:
        raise DiedEarly("grants was not ready in 90 s")

    monkeypatch.setattr(command, "run", run)
    assert not command._one("kills", Namespace(full=True, seed=None))
    [found] = json.loads((results / "kills.json").read_text())
    assert "grants was not ready" in found["violations"][0]
    assert line(report.page(report.rows(), []))[-2:] == ["1", "violated"]


def test_a_campaign_with_violations_is_recorded_and_one_that_is_not_whole_is_not(
    results: Path,
) -> None:
    campaign = row("crash-points", violations=[LOST], seconds=1)
    assert not judged(campaign, ["stop: before commit"], keep=True)
    assert not (results / "crash-points.json").exists()
    assert not judged(campaign, [], keep=True)
    assert line(report.page(report.rows(), []), "crash-points")[-1] == "violated"


def test_places_that_were_met_too_seldom_are_counted(results: Path) -> None:
    seldom = {"notes": {"seldom": ["drain: before commit (1)"]}, "sizes": {"times": 3}}
    campaign = row("crash-points", seconds=1, **seldom)
    assert not judged(campaign, [], seldom["notes"]["seldom"], keep=True)
    assert judged(campaign, [], keep=False)
    page = report.page(report.rows(), [])
    assert "1 places met fewer than 3 times" in line(page, "crash-points")[0]


def simulate(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setattr(sys, "argv", ["sim", *arguments])
    with pytest.raises(SystemExit) as ended:
        simulation.main()
    return ended.value.code


def test_seeds_that_break_an_invariant_are_recorded(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = [outcome(0), outcome(1, ("effect", "o3"))]

    def parts(*_: Any) -> list[list[Outcome]]:
        return [outcomes]

    monkeypatch.setattr(simulation, "_parts", parts)
    assert simulate(monkeypatch, "--seeds", "0:2", "--record") == 1
    [found] = json.loads((results / "simulation.json").read_text())
    assert len(found["violations"]) == 1


def test_a_broken_product_leaves_no_row(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert simulate(monkeypatch, "--patch", "reset-to-latest", "--record") == 2
    assert list(results.iterdir()) == []


def test_the_trials_of_the_simulation_are_its_seeds_and_effects_are_no_faults() -> None:
    total = Total()
    total.add([outcome(seed) for seed in range(1000)])
    found = total.row(range(1000), 1.0)
    assert found["faults"]["bus outage"] == {"made": 1000, "observed": 1000}
    assert found["faults"]["crash"] == {"made": 1000, "observed": 0}
    assert found["consequences"] == {"BusError": 500_000}
    page = report.page([{**row(), **found}], [])
    cells = line(page, "simulation")
    assert (cells[1], cells[3], cells[4], cells[-1]) == ("1,000", "3,000", "0", "0.3 % of seeds")
    assert "| BusError | 500000 |" in page.partition("led to")[2]


@pytest.mark.parametrize("name", report.CAMPAIGNS)
def test_a_campaign_whose_whole_was_not_run_is_named(name: str) -> None:
    others = [row(one) for one in (*report.CAMPAIGNS, *runner.SCENARIOS) if one != name]
    page = report.page(others, [{**row("honesty"), "patches": []}])
    does, _ = report.CAMPAIGNS[name]
    assert f"- {does}: **the whole was not run**;" in page
    assert f"(`{name}`): the whole was not run" in page.partition("## Not run in full")[2]
    assert page.count("whole was not run") == 2


def test_nothing_is_missing_where_everything_has_a_row() -> None:
    every = [row(one) for one in (*report.CAMPAIGNS, *runner.SCENARIOS)]
    assert "not run" not in report.page(every, [{**row("honesty"), "patches": []}]).lower()


def test_each_run_has_a_row_with_its_own_bound_and_its_commit() -> None:
    lost = row(violations=[LOST], changed=True)
    old = {name: value for name, value in row(commit="0ld").items() if name != "changed"}
    few = row(faults={"kill": {"made": 3, "observed": 3}}, idle=True)
    lines = [one for one in report.page([lost, row(), old, few], []).splitlines() if "| " in one]
    ends = [one.rpartition(" | ")[2] for one in lines if "(`kills`" in one]
    assert ends == ["violated |", "1 % |", "1 % |", "none |"]
    page = "\n".join(lines)
    for commit in ("abc1234+†,", "abc1234†,", "0ld?†,"):
        assert f"2026-11-27, {commit} seed 7" in page
    assert page.count("what it does, idle (") == 1


def test_a_run_that_an_older_checker_judged_is_marked(results: Path) -> None:
    runner.record(row())
    assert "†" not in line(report.page(report.rows(), []))[0]
    path = results / "kills.json"
    path.write_text(path.read_text().replace(judges("kills"), "another"))
    assert "†, seed 7" in line(report.page(report.rows(), []))[0]


def test_what_judges_a_kind_of_run_is_found() -> None:
    kinds = ("kills", "simulation", "honesty", "crash-points", "driver-errors")
    assert len({judges(kind) for kind in kinds}) == len(kinds)
    assert judges("kills") == judges("poison")


def test_the_page_says_what_a_client_was_never_told_and_who_looks_at_what() -> None:
    told = row(commands={"accepted": 9, "unknown": 4, "repeats": 0})
    page = report.page([told, row("poison")], [])
    assert (line(page)[4], line(page, "poison")[4]) == ("4", "-")
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 13):
        assert f"| I{number} |" in page
    small = page.partition("`make faults`, a part")[2]
    daily = {name for name, one in runner.SCENARIOS.items() if one.daily}
    assert {name for name in runner.SCENARIOS if f"`{name}`" in small.split("## ")[0]} == daily


def test_rounds_in_which_nothing_is_broken_are_no_faults() -> None:
    rounds = row("approvals", sizes={"rounds": 1000})
    page = report.page([rounds], [])
    cells = line(page, "approvals")
    assert cells[0].startswith("what it does, 1,000 rounds (")
    assert (cells[1], cells[-1]) == ("-", "-")
    assert "| approvals: " not in page


def test_results_are_no_change_of_the_tree_that_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def git(*words: str) -> str:
        asked.append(words)
        return " M shared/a.py"

    monkeypatch.setattr(runner, "git", git)
    runner.record(row())
    assert report.kept("kills")[0]["changed"] is True
    assert {f":!{path}" for path in runner.WRITTEN} <= set(asked[-1])


def test_the_page_is_what_the_rows_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", Path(report.__file__).parent / "results")
    assert report.TARGET.read_text() == report.page(report.rows(), report.kept("honesty"))
