"""python -m tests.faults.report: docs/reliability.md from the results of the full runs."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.faults import scenarios
from tests.faults.judges import judges
from tests.faults.runner import RESULTS, ROOT, SCENARIOS

TARGET = ROOT / "docs" / "reliability.md"

Row = dict[str, Any]

CAMPAIGNS = {
    "simulation": (
        "the simulation runs the real core on virtual time, a history of faults a seed",
        "python -m tests.faults.sim --seeds 0:10000 --record",
    ),
    "crash-points": (
        "the crash points kill a process before and after every call to MongoDB and Kafka",
        "python -m tests.faults.crash --record",
    ),
    "driver-errors": (
        "the driver errors make every such call err, never answer, or succeed and then err",
        "python -m tests.faults.driver --record",
    ),
}
"""What each does, and its command."""

ROUNDS = {"approvals"}
"""Runs in which nothing is broken: their `sizes` say how many rounds there were."""

SHOWN = 10
"""So many violations of a row are told, the others counted."""

HEAD = """\
# Reliability: what was broken on purpose, and what came of it

Written by `python -m tests.faults.report` from the rows in `tests/faults/results/`; do not edit.

Telar promises that every accepted command has its effect exactly once in every service, in order
per key, whatever dies. That is tried in four ways:

"""

PROCESSES = """\
- all other runs (*real*) break real processes: services, Apache Kafka and MongoDB, under load from
  clients that keep a history; where a run says *idle*, no command was under way when it broke
  something.

After healing, a checker that imports nothing of Telar compares what clients were told, every record
in Kafka and every database; of real processes the metrics too. Not all four look at everything:

"""

INVARIANTS = (
    (
        "I1",
        "an accepted command has one commit in its service, its effect once in every subscriber",
        "all",
    ),
    ("I2", "a refused one has none; an unknown one turns out to be one of the two", "all"),
    (
        "I3",
        "in every snapshot no money below zero; each promise is held or in line; no place too many",
        "real; simulation: capacity, at the end",
    ),
    ("I4", "one certificate a woman and course, one enrolment a woman and call", "real"),
    (
        "I5",
        "the numbers of every stream are 1..n, chained by hash, in outbox, topic and each reader",
        "all",
    ),
    ("I6", "one key has one answer: the same status, the same bytes", "all"),
    (
        "I7",
        "no offset, stored or told to Kafka, was ever past what was applied",
        "real: at the kills of `kills`, else against the end; simulation: stored ones, at times",
    ),
    (
        "I8",
        "nothing waits in an outbox; parked and set aside is what was poisoned, and nothing else",
        "all",
    ),
    ("I13", "the platform recovers by itself, within the time that the scenario allows", "all"),
)
"""What must hold, and who looks whether it does."""

REST = """\
*Unknown* is what a client had not been told at the end. On real processes all of it is asked for
once more under the same key after healing, so that nothing is left unknown: what is would be a
violation. Crash points and driver errors ask again for every other one at once, and for the rest
when all else is done; the simulation, beyond eight tries, for one in four: what stays unknown there
took effect whole, everywhere, or nowhere.

Every full run that went to its end has a row, with violations or without; a scenario that ran
several times has several, each with its own bound. A campaign that did not reach every call and
every path has none; a place is a call on a path, before or after it, and where one was met less
often than was asked for, by chance alone, its row counts that. Each row names its commit: *+* is a
working tree with changes, *?* a run that did not note whether there were any, *†* a run whose
checker, load or scenario were others than `tests/faults/` has now.

*Faults seen*: a fault counts only if it was seen to happen (the process ended by signal 9, the port
was closed, another primary was elected), and once, whatever it led to. *Asked again*: commands sent
again under their key. *Recovery*: from the fault until the victim took a command again, or, where a
server was the victim, until a new command had its effect in another service; in the simulation the
virtual seconds from healing to rest.

*Bound*: no violation in n faults means, with 95 % confidence, fewer than 3/n of such faults cause
one, if each is a trial of its own. The faults of one run are not quite that: they meet the same
processes, data and load, one after another. It says how much was tried rather than how rare a loss
is. In the simulation n is the seeds. Three or fewer tell nothing (*none*), a run with a violation
has no bound (*violated*), nor has one that breaks nothing (*-*).

Run one with `python -m tests.faults SCENARIO --full`, all with `make faults FULL=1`; without
`--full` in its small size. `--seed` repeats the choices of a run, not its timing.
"""


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(rows(), kept("honesty")))


def rows() -> list[Row]:
    """The rows of all runs but those of honesty."""
    return [row for name in (*CAMPAIGNS, *SCENARIOS) for row in kept(name)]


def kept(name: str) -> list[Row]:
    """The rows of one scenario or campaign; none if its whole never ran."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else []


def page(rows: Sequence[Row], honesty: Sequence[Row]) -> str:
    """The whole page."""
    assert scenarios.__doc__
    there = {row["scenario"] for row in rows}
    parts = [
        HEAD + _campaigns(there) + PROCESSES + _invariants() + REST + _daily(),
        _missing(there, honesty),
        _table(rows),
        _violations(rows),
        _honesty(honesty),
        _faults(rows),
        _consequences(rows),
    ]
    return "\n".join(part for part in parts if part)


def _campaigns(there: set[str]) -> str:
    lines = [
        f"- {does}{'' if name in there else ': **the whole was not run**'};\n"
        for name, (does, _) in CAMPAIGNS.items()
    ]
    return "".join(lines)


def _invariants() -> str:
    rows = [("", "Must hold", "Who looks"), ("---", "---", "---"), *INVARIANTS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


def _daily() -> str:
    """Which small sizes everybody runs."""
    daily = [f"`{name}`" for name, one in SCENARIOS.items() if one.daily]
    return (
        f"`make faults`, a part of `make test`, has {len(daily)} of {len(SCENARIOS)} scenarios in"
        f" their small size:\n{', '.join(daily)}.\n"
    )


def _missing(there: set[str], honesty: Sequence[Row]) -> str:
    """What has no row, with the command that would make one."""
    wanted = [(name, *one) for name, one in CAMPAIGNS.items()]
    wanted += [
        (name, one.title, f"python -m tests.faults {name} --full")
        for name, one in SCENARIOS.items()
    ]
    if not honesty:
        wanted.append(("honesty", HONEST, "python -m tests.faults.honesty --record"))
    lines = [
        f"- {what} (`{name}`): the whole was not run (`{command}`)\n"
        for name, what, command in wanted
        if name not in there
    ]
    return "## Not run in full yet\n\n" + "".join(lines) if lines else ""


COLUMNS = (
    *("Run", "Faults seen", "Accepted", "Asked again", "Unknown", "Recovery p50 / p95"),
    *("Violations", "Bound"),
)


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "## Runs",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    return "\n".join([*lines, *map(_line, rows)]) + "\n"


def _line(row: Row) -> str:
    seen = _seen(row)
    recovery = row["recovery_s"]
    times = f"{recovery['p50']:.1f} s / {recovery['p95']:.1f} s" if recovery["n"] else "-"
    commands = row["commands"]
    cells = (
        _run(row),
        f"{seen:,}" if seen else "-",
        f"{commands['accepted']:,}",
        f"{commands['repeats']:,}",
        f"{commands['unknown']:,}" if "unknown" in commands else "-",
        times,
        str(len(row["violations"])),
        _bound(row, seen),
    )
    return "| " + " | ".join(cells) + " |"


def _run(row: Row) -> str:
    title = row["title"]
    if row["scenario"] in ROUNDS:
        title += f", {row['sizes']['rounds']:,} rounds"
    if row.get("idle"):
        title += ", idle"
    if seldom := row.get("notes", {}).get("seldom"):
        times = row["sizes"]["times"]
        how = "not met again" if times == 1 else f"met fewer than {times} times"
        title += f", {len(seldom)} places {how}"
    return f"{title} ({_which(row)}, seed {row['seed']})"


def _which(row: Row) -> str:
    """Scenario, day and commit."""
    commit = row["commit"] or "no commit"
    mark = "?" if "changed" not in row else "+" if row["changed"] else ""
    mark += "" if row.get("judges") == judges(row["scenario"]) else "†"
    return f"`{row['scenario']}`, {row['at']}, {commit}{mark}"


def _seen(row: Row) -> int:
    return sum(one["observed"] for one in _broken(row).values())


def _broken(row: Row) -> dict[str, dict[str, int]]:
    """What the run broke: rounds of a rivalry are none of it."""
    return {} if row["scenario"] in ROUNDS else row["faults"]


def _bound(row: Row, seen: int) -> str:
    """The share of trials below which violations are; trials are the faults, or what row says."""
    if row["violations"]:
        return "violated"
    what, count = next(iter(row.get("trials", {"": seen}).items()))
    if not count:
        return "-"
    if count <= 3:
        return "none"
    return f"{300 / count:.2g} %" + (f" of {what}" if what else "")


def _violations(rows: Sequence[Row]) -> str:
    lines: list[str] = []
    for row in rows:
        told = row["violations"]
        lines += [f"- {_which(row)}: {' '.join(one.split())}\n" for one in told[:SHOWN]]
        if len(told) > SHOWN:
            lines.append(f"- {_which(row)}: {len(told) - SHOWN} more\n")
    return "## Violations\n\n" + "".join(lines) if lines else ""


HONEST = "known ways to break the product, each of which the checker must find"
HONESTY = """\
## Is the checker honest?

Each patch breaks the product in one known way, in memory. The simulation is run on it, seed after
seed, until the invariant breaks that must break; the same seed without the patch must break none
(`python -m tests.faults.honesty`).

| Patch | Must break | Found | Without the patch |
|---|---|---|---|
"""


def _honesty(runs: Sequence[Row]) -> str:
    if not runs:
        return ""
    lines = [
        f"| {one['patch']} | {one['invariant']} | {one['found']} | {one['without']} |\n"
        for one in runs[-1]["patches"]
    ]
    return HONESTY + "".join(lines) + f"\nThe last run: {_which(runs[-1])}.\n"


def _faults(rows: Sequence[Row]) -> str:
    made, seen = Counter[str](), Counter[str]()
    for row in rows:
        for name, one in _broken(row).items():
            made[f"{row['scenario']}: {name}"] += one["made"]
            seen[f"{row['scenario']}: {name}"] += one["observed"]
    lines = ["## Faults, each by itself", "", "| Fault | Made | Seen to happen |", "|---|---|---|"]
    lines += [f"| {name} | {made[name]} | {seen[name]} |" for name in sorted(made)]
    return "\n".join(lines) + "\n"


CONSEQUENCES = """\
## What the simulated faults led to

Single effects, counted where they happened: one outage fails every call that meets it. They are no
faults of their own, and in no bound.

| Effect | Seen |
|---|---|
"""


def _consequences(rows: Sequence[Row]) -> str:
    seen = Counter[str]()
    for row in rows:
        seen.update(row.get("consequences", {}))
    return CONSEQUENCES + "".join(f"| {n} | {seen[n]} |\n" for n in sorted(seen)) if seen else ""


if __name__ == "__main__":
    main()
