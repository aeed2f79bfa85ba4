"""From the raw numbers to the figures of the promise: medians, ratios, and whether they hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

Results = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, against what, what came out, what was promised."""

    measure: str
    against: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    target: str
    holds: bool

    @property
    def verdict(self) -> str:
        """In one word; none where nothing was promised."""
        if not self.target:
            return ""
        return "yes" if self.holds else "**no**"


def rows(results: Results) -> list[Row]:
    """Every line for which there are numbers."""
    found: list[Row] = []
    for name, make in _MAKERS.items():
        if name in results["measures"]:
            found += make(results["measures"][name])
    return found


def floors(results: Results) -> list[tuple[str, Row]]:
    """The lines of what does less than Telar must, each with who did it."""
    places = (
        ("consume", _consume, "by hand", "by hand, 500 a batch"),
        ("keys", _keys, "by hand", "by hand, 500 a batch"),
        ("effect", _effect, "beside", "the pipe beside the load"),
    )
    measures = results["measures"]
    return [
        (who, row)
        for name, make, part, who in places
        if name in measures
        for row in make(measures[name], part)
        if row.target
    ]


def middle(runs: Sequence[dict[str, float]], name: str) -> float:
    """The median of one number over the rounds."""
    return median(one[name] for one in runs)


def at_least(what: tuple[str, str, str], ours: float, theirs: float, target: float) -> Row:
    """More is better: `ours` over `theirs`."""
    ratio = ours / theirs if theirs else 0.0
    return Row(what[0], what[1], ours, theirs, what[2], ratio, f"≥ {target:g} x", ratio >= target)


def at_most(what: tuple[str, str, str], ours: float, theirs: float, target: float) -> Row:
    """Less is better: `ours` over `theirs`."""
    ratio = ours / theirs if theirs else 0.0
    return Row(what[0], what[1], ours, theirs, what[2], ratio, f"≤ {target:g} x", ratio <= target)


_CONSUME = {
    "by hand": 0.85,
    "FastStream": 60,
    "FastStream, 8 workers": 20,
    "FastStream, 4 workers": None,
    "FastStream, batches": None,
    "aiokafka, one by one": 50,
}
"""How many times the events a second of each peer are promised; of some nothing is."""


def _consume(measure: Results, side: str = "telar") -> list[Row]:
    sides = measure["sides"]
    ours = middle(sides[side], "rate")
    what = "consume, apply once, publish"
    return [
        _row((what, name, "events/s"), ours, middle(sides[name], "rate"), target)
        for name, target in _CONSUME.items()
        if name != side and name in sides
    ]


def _row(what: tuple[str, str, str], ours: float, theirs: float, target: float | None) -> Row:
    """More is better, if something was promised."""
    if target is None:
        return replace(at_least(what, ours, theirs, 0), target="")
    return at_least(what, ours, theirs, target)


def _http(measure: Results) -> list[Row]:
    ours, peer = measure["sides"]["telar"], measure["sides"]["FastAPI + Motor"]
    name, at = "FastAPI + Motor", f"HTTP commands, {measure['connections']} connections"
    rates, p99s, idle = (
        (middle(ours, field), middle(peer, field)) for field in ("rate", "p99", "idle_p50")
    )
    return [
        at_least((at, name, "commands/s"), *rates, 3),
        at_most((at + ": p99", name, "ms"), *p99s, 0.7),
        at_most(("one HTTP command, idle: p50", name, "ms"), *idle, 1.3),
    ]


def _effect(measure: Results, part: str = "effect") -> list[Row]:
    rounds = measure["rounds"]
    what, against = "commit to effect, half load", "the pipe alone"
    return [
        at_most(
            (f"{what}: {label}", against, "ms"),
            middle(rounds, f"{part}_{label}"),
            middle(rounds, f"pipe_{label}"),
            target,
        )
        for label, target in (("p50", 2), ("p99", 3))
    ]


def _keys(measure: Results, side: str = "telar") -> list[Row]:
    """A line for each store but the smallest, against that one."""
    stores = measure["sides"][side]
    smallest = min(stores["few"], key=int)
    base = middle(stores["few"][smallest], "rate")
    return [
        at_least(
            (f"{int(count):,} keys stored, {which} used", f"{int(smallest):,} keys", "events/s"),
            middle(rounds, "rate"),
            base,
            0.9,
        )
        for name, which in (("few", f"{int(smallest):,} of them"), ("all", "all"))
        for count, rounds in stores[name].items()
        if count != smallest
    ]


def _backlog(measure: Results) -> list[Row]:
    sides = measure["sides"]
    what = f"publish a backlog of {measure['backlog']:,}"
    ours, alone = (middle(sides[name], "rate") for name in ("telar", "aiokafka alone"))
    return [at_least((what, "aiokafka alone", "events/s"), ours, alone, 0.6)]


def _proxy(measure: Results) -> list[Row]:
    through, direct = (middle(measure["sides"][name], "p50") for name in ("gateway", "direct"))
    holds = through - direct <= 2
    what, against = "a call through the gateway: p50", "the service directly"
    return [Row(what, against, through, direct, "ms", through / direct, "+ 2 ms", holds)]


def _memory(measure: Results) -> list[Row]:
    caught, steady = measure["catch_up"], measure["steady"]
    what = f"memory, catching up on {caught['events']:,} events"
    slope = max(steady["source_percent_an_hour"], steady["sink_percent_an_hour"])
    length = f"memory, {steady['seconds']:g} s of steady load"
    return [
        at_most((what, "at rest", "MiB"), caught["peak"], caught["at_rest"], 1.2),
        Row(length, "an hour on", slope, 0, "%/h", 0, "< 1 %/h", slope < 1),
    ]


def _replicas(measure: Results) -> list[Row]:
    one, two = measure["replicas"]["1"], measure["replicas"]["2"]
    lost = sum(run["lost"] + run["accounts_wrong"] for run in two)
    rates = middle(two, "rate"), middle(one, "rate")
    conflicts = middle(two, "conflicts")
    target = f"no loss ({lost:g}); {conflicts:g} conflicts"
    ratio = rates[0] / rates[1]
    return [Row("two replicas, two cores", "one", *rates, "events/s", ratio, target, lost == 0)]


_MAKERS: dict[str, Callable[[Results], list[Row]]] = {
    "consume": _consume,
    "http": _http,
    "effect": _effect,
    "keys": _keys,
    "backlog": _backlog,
    "proxy": _proxy,
    "memory": _memory,
    "replicas": _replicas,
}
