"""What a run of crash points did: paths and hits, what was never reached, what was wrong."""

from collections import Counter, defaultdict

from tests.faults.crash import paths, points
from tests.faults.crash.campaign import Campaign
from tests.faults.crash.lane import Incident
from tests.faults.row import Row, percentiles


def row(scenario: str, campaign: Campaign, seconds: float) -> Row:
    """The run as a row of results."""
    happened = [incident for incident in campaign.incidents if incident.happened]
    calls = [call for incident in campaign.incidents for call in incident.history.calls]
    outcomes = Counter(call.outcome for call in calls)
    hits: dict[str, dict[str, int]] = defaultdict(dict)
    for (path, call, side), count in sorted(campaign.hits().items()):
        hits[path][f"{side} {call}"] = count
    return Row(
        scenario=scenario,
        seed=campaign.seed,
        made=_by_path(campaign.incidents),
        observed=_by_path(happened),
        accepted=outcomes["accepted"],
        refused=outcomes["refused"],
        unknown=outcomes["unknown"],
        violations=campaign.violations(),
        recovery_ms=percentiles(incident.recovery for incident in happened),
        seconds=round(seconds),
        hits=hits,
    )


def _by_path(incidents: list[Incident]) -> dict[str, int]:
    return dict(sorted(Counter(incident.plan.path for incident in incidents).items()))


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
