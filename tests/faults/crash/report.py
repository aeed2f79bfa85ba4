"""What a run of crash points did: paths and hits, what was never reached, what was wrong."""

from collections import Counter, defaultdict
from typing import Any

from tests.faults.crash import paths, points
from tests.faults.crash.campaign import Campaign
from tests.faults.trial import recovery


def row(scenario: str, title: str, campaign: Campaign, seconds: float) -> dict[str, Any]:
    """The run as a row of `tests/faults/results`."""
    made, seen = _by_path(campaign, made=True), _by_path(campaign, made=False)
    times = [incident.recovery for incident in campaign.incidents if incident.happened]
    return {
        "scenario": scenario,
        "title": title,
        "seed": campaign.seed,
        "sizes": {"times": campaign.times, "places": len(campaign.hits())},
        "faults": {one: {"made": made[one], "observed": seen[one]} for one in sorted(made)},
        "commands": _commands(campaign),
        "snapshots": 0,
        "notes": {"hits": _hits(campaign), "seldom": _seldom(campaign)},
        "recovery_s": recovery(times),
        "violations": campaign.violations(),
        "seconds": round(seconds),
        "full": True,
    }


def _by_path(campaign: Campaign, *, made: bool) -> Counter[str]:
    """Made is what was armed in the situation in which it then happened, or in none."""
    hits = campaign.hits()
    return Counter(
        incident.plan.path
        for incident in campaign.incidents
        if incident.happened or (made and incident.plan.call and not hits[incident.plan.place])
    )


def _commands(campaign: Campaign) -> dict[str, int]:
    calls = [call for incident in campaign.incidents for call in incident.history.calls]
    ended = Counter(call.outcome for call in calls)
    return {
        **{name: ended[name] for name in ("accepted", "refused", "unknown")},
        "repeats": sum(call.tries - 1 for call in calls),
    }


def _hits(campaign: Campaign) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for (path, call, side), count in sorted(campaign.hits().items()):
        found[path][f"{side} {call}"] = count
    return found


def _seldom(campaign: Campaign) -> list[str]:
    """Places that a process was seen at, and that had fewer harms than was asked for.

    Some are met by chance alone: where a conflict or a new member of a group comes just then.
    """
    hits = campaign.hits()
    few = [place for place in campaign.services if hits[place] < campaign.times]
    return sorted(f"{path}: {side} {call} ({hits[path, call, side]})" for path, call, side in few)


def unreached(campaign: Campaign) -> list[str]:
    """Calls and paths on which nothing ever died."""
    hits = campaign.hits()
    calls = points.names() - {call for _, call, _ in hits}
    ways = paths.REQUIRED - {path for path, _, _ in hits}
    return [*sorted(calls), *sorted(ways)]


def table(campaign: Campaign) -> str:
    """Paths and hits, a line a path, and how often a place was waited for in vain."""
    places, deaths = Counter[str](), Counter[str]()
    vain = Counter(one.plan.path for one in campaign.incidents if not one.happened)
    for place, count in campaign.hits().items():
        places[place[0]] += 1
        deaths[place[0]] += count
    lines = [
        f"{path:<12}{places[path]:>4} places{deaths[path]:>6} deaths{vain[path]:>6} in vain"
        for path in sorted(places | vain)
    ]
    sums = f"{places.total():>4} places{deaths.total():>6} deaths{vain.total():>6} in vain"
    return "\n".join([*lines, f"{'all':<12}{sums}"])
