"""The programme that the women of one run go through: published from the input files."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from cli.demo.client import Client, Who
from cli.demo.files import Woman, read
from cli.demo.offers import seconds

PUBLISHER = Who("demo-publisher", ("intake", "trainer", "treasurer", "approver", "trade"))

_SKEW = timedelta(minutes=1)
"""The call is open already, also for a service whose clock is a little behind."""


@dataclass
class Programme:
    """The ids of what this run has published."""

    call_id: str = ""
    course_id: str = ""
    cohorts: dict[str, str] = field(default_factory=dict)
    """By language."""
    seats: int = 0
    """In all cohorts: so many may ask for a grant, and be certified."""
    pool_id: str = ""
    money: int = 0
    refill: int = 0
    """What the pool holds at first, and what it is given later, in centavos."""
    round_id: str = ""
    fair_id: str = ""


async def publish(client: Client) -> Programme:
    """The call and the course."""
    programme = Programme()
    terms = dict(read("call"))
    terms |= _window(terms.pop("open_for_seconds"))
    made = await client.command(PUBLISHER, "/calls", terms, key="call")
    programme.call_id = made.data["id"]
    for number, course in enumerate(read("courses"), 1):
        made = await client.command(PUBLISHER, "/courses", course, key=f"course-{number}")
        programme.course_id = programme.course_id or made.data["id"]
    return programme


async def offer(client: Client, programme: Programme, women: list[Woman]) -> None:
    """What is scarce: seats, money, places. Their offers last as long as this machine needs."""
    await _cohorts(client, programme, women)
    await _money(client, programme)
    await _fair(client, programme)


def _window(seconds: int) -> dict[str, str]:
    opens_at = datetime.fromtimestamp(time(), UTC) - _SKEW
    closes_at = opens_at + timedelta(seconds=seconds)
    return {"opens_at": opens_at.isoformat(), "closes_at": closes_at.isoformat()}


async def _cohorts(client: Client, programme: Programme, women: list[Woman]) -> None:
    terms = read("cohorts")
    demand = Counter(woman.language for woman in women)
    for place in terms["cohorts"]:
        plan: dict[str, Any] = {
            "course_id": programme.course_id,
            "capacity": part(demand[place["language"]], terms["share_of_demand"]),
            "starts_on": _day(terms["starts_in_days"]),
            "sessions": terms["sessions"],
            "offer_seconds": seconds(client, terms["offer_seconds"]),
            **place,
        }
        made = await client.command(
            PUBLISHER, "/cohorts", plan, key=f"cohort-{place['language'].lower()}"
        )
        programme.cohorts[place["language"]] = made.data["id"]
        programme.seats += plan["capacity"]


async def _money(client: Client, programme: Programme) -> None:
    terms = read("grants")
    programme.money = part(programme.seats, terms["share_of_demand"]) * terms["amount"]
    programme.refill = part(programme.seats, terms["refill_share"]) * terms["amount"]
    pool = await client.command(PUBLISHER, "/pools", {"amount": programme.money}, key="pool")
    programme.pool_id = pool.data["id"]
    plan = {
        "pool_id": programme.pool_id,
        **{name: terms[name] for name in ("min_amount", "max_amount")},
        "offer_seconds": seconds(client, terms["offer_seconds"]),
        **_window(terms["open_for_seconds"]),
        "tranches": [{"share": one, "course_id": programme.course_id} for one in terms["shares"]],
    }
    made = await client.command(PUBLISHER, "/rounds", plan, key="round")
    programme.round_id = made.data["id"]


async def _fair(client: Client, programme: Programme) -> None:
    terms = dict(read("fair"))
    terms["starts_on"] = _day(terms.pop("starts_in_days"))
    terms["offer_seconds"] = seconds(client, terms["offer_seconds"])
    terms["places"] = part(programme.seats, terms.pop("share_of_demand"))
    terms["requirements"] = ["enrolled", f"course:{programme.course_id}"]
    made = await client.command(PUBLISHER, "/fairs", terms, key="fair")
    programme.fair_id = made.data["id"]


def _day(days: int) -> str:
    return (datetime.fromtimestamp(time(), UTC) + timedelta(days=days)).date().isoformat()


def part(whole: int, percent: int) -> int:
    """This share, at least one."""
    return max(1, whole * percent // 100)
