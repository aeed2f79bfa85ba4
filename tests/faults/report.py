"""python -m tests.faults.report: docs/reliability.md from the results of the full runs."""

import json
from collections import Counter
from typing import Any

from tests.faults import scenarios
from tests.faults.runner import RESULTS, ROOT, SCENARIOS

TARGET = ROOT / "docs" / "reliability.md"

HEAD = """\
# Reliability: what was broken on purpose, and what came of it

Written by `python -m tests.faults.report` from the rows in `tests/faults/results/`; do not edit.

Telar promises that every accepted command has its effect exactly once in every service, in order
per key, whatever dies. The simulation runs the real core on virtual time; the crash points and
driver errors strike at every call to a server; all other runs break real processes: services,
Apache Kafka and MongoDB, under load from clients that keep a history. After healing, whatever a
client could not be told is asked for once more under the same key. Then a checker that imports
nothing of Telar compares the history, every record in Kafka, every database, and the metrics:

| | Must hold |
|---|---|
| I1 | an accepted command has one commit in its service, and its effect once in every subscriber |
| I2 | a refused one has none; an unknown one turns out to be one of the two, never a part |
| I3 | in every snapshot no money below zero; each promise in its bucket; nothing over capacity |
| I4 | one certificate a woman and course, one enrolment a woman and call |
| I5 | the numbers of every stream are 1..n, chained by hash, in outbox, topic and each reader |
| I6 | one key has one answer: the same status, the same bytes |
| I7 | no offset, stored or told to Kafka, was ever past what was applied |
| I8 | nothing waits in an outbox; parked and set aside is what was poisoned, and nothing else |
| I13 | the platform recovers by itself, within the time that the scenario allows |

A fault counts only if it was seen to happen (the process ended by signal 9, the port was closed,
another primary was elected). *Bound*: no violation in n faults means, with 95 % confidence, fewer
than 3/n of such faults cause one; three or fewer tell nothing. *Recovery*: from the fault until
the victim took a command again, or, where a server was the victim, until a new command had its
effect in another service.

Run one with `python -m tests.faults SCENARIO --full`, all with `make faults FULL=1`, small sizes
with `make faults` (a part of `make test`). `--seed` repeats the choices of a run, not its timing.
"""


def main() -> None:
    """Write the page."""
    assert scenarios.__doc__
    TARGET.write_text(page(_rows(), _kept("honesty")))


def _rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in ("simulation", "crash-points", "driver-errors", *SCENARIOS):
        found += _kept(name)
    return found


def _kept(name: str) -> list[dict[str, Any]]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else []


def page(rows: list[dict[str, Any]], honesty: list[dict[str, Any]]) -> str:
    """The whole page."""
    parts = [HEAD, _table(rows), _honesty(honesty), _faults(rows)]
    missing = [one for name, one in SCENARIOS.items() if name not in {r["scenario"] for r in rows}]
    if missing:
        lines = [f"- {one.title} (`{one.name}`)" for one in missing]
        parts.append("## Not run in full yet\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "## Runs",
        "",
        "| Run | Faults seen | Accepted | Asked again | Recovery p50 / p95 | Violations | Bound |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, rows)]) + "\n"


def _line(row: dict[str, Any]) -> str:
    seen = sum(one["observed"] for one in row["faults"].values())
    bound = f"{300 / seen:.2g} %" if seen > 3 and not row["violations"] else "none"
    recovery = row["recovery_s"]
    times = f"{recovery['p50']:.1f} s / {recovery['p95']:.1f} s" if recovery["n"] else "-"
    commands = row["commands"]
    wrong = len(row["violations"])
    cells = (
        f"{row['title']} (`{row['scenario']}`, {row['at']}, seed {row['seed']})",
        f"{seen:,}",
        f"{commands['accepted']:,}",
        f"{commands['repeats']:,}",
        times,
        str(wrong),
        bound,
    )
    return "| " + " | ".join(cells) + " |"


HONESTY = """\
## Is the checker honest?

Each patch breaks the product in one known way, in memory. The simulation is run on it, seed after
seed, until the invariant breaks that must break; the same seed without the patch must break none
(`python -m tests.faults.honesty`).

| Patch | Must break | Found | Without the patch |
|---|---|---|---|
"""


def _honesty(runs: list[dict[str, Any]]) -> str:
    lines = [
        f"| {one['patch']} | {one['invariant']} | {one['found']} | {one['without']} |\n"
        for one in (runs[-1]["patches"] if runs else [])
    ]
    return HONESTY + "".join(lines)


def _faults(rows: list[dict[str, Any]]) -> str:
    made, seen = Counter[str](), Counter[str]()
    for row in rows:
        for name, one in row["faults"].items():
            made[f"{row['scenario']}: {name}"] += one["made"]
            seen[f"{row['scenario']}: {name}"] += one["observed"]
    lines = ["## Faults, each by itself", "", "| Fault | Made | Seen to happen |", "|---|---|---|"]
    lines += [f"| {name} | {made[name]} | {seen[name]} |" for name in sorted(made)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
