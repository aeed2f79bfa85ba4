"""What a run of crash points did: paths and hits, what was never reached, what was wrong."""

from collections import Counter, defaultdict

from tests.faults.crash import paths, points
from tests.faults.crash.campaign import Campaign
from tests.faults.crash.lane import Death
from tests.faults.row import Row, percentiles


def row(campaign: Campaign, seconds: float) -> Row:
    """The run as a row of results."""
    died = [death for death in campaign.deaths if death.died]
    calls = [call for death in campaign.deaths for call in death.history.calls]
    outcomes = Counter(call.outcome for call in calls)
    hits: dict[str, dict[str, int]] = defaultdict(dict)
    for (path, call, side), count in sorted(campaign.hits().items()):
        hits[path][f"{side} {call}"] = count
    return Row(
        scenario="crash-points",
        seed=campaign.seed,
        made=_by_path(campaign.deaths),
        observed=_by_path(died),
        accepted=outcomes["accepted"],
        refused=outcomes["refused"],
        unknown=outcomes["unknown"],
        violations=violations(campaign),
        recovery_ms=percentiles(death.recovery for death in died),
        seconds=round(seconds),
        hits=hits,
    )


def violations(campaign: Campaign) -> list[str]:
    """What was wrong, with the death before it."""
    return [
        f"{death.service} {death.plan}: {violation}"
        for death in campaign.deaths
        for violation in death.violations
    ]


def unreached(campaign: Campaign) -> list[str]:
    """Calls and paths on which nothing ever died, and places that had too few deaths."""
    hits = campaign.hits()
    calls = points.names() - {call for _, call, _ in hits}
    ways = paths.REQUIRED - {path for path, _, _ in hits}
    few = [place for place in campaign.services if hits[place] < campaign.times]
    return [*sorted(calls), *sorted(ways), *sorted(f"{p[0]}: {p[2]} {p[1]}" for p in few)]


def table(campaign: Campaign) -> str:
    """Paths and hits, a line a path."""
    places, deaths = Counter[str](), Counter[str]()
    for place, count in campaign.hits().items():
        places[place[0]] += 1
        deaths[place[0]] += count
    lines = [
        f"{path:<12}{places[path]:>4} places{deaths[path]:>6} deaths" for path in sorted(places)
    ]
    return "\n".join([*lines, f"{'all':<12}{places.total():>4} places{deaths.total():>6} deaths"])


def _by_path(deaths: list[Death]) -> dict[str, int]:
    return dict(sorted(Counter(death.plan.path for death in deaths).items()))
