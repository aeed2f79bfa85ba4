"""How the demo answers: whoever is on time is on time, however many are still to come."""

import asyncio
from io import StringIO
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from cli.demo import offers
from cli.demo.client import CONCURRENCY, Client, Who
from cli.demo.display import Display

DESK = Who("desk", ("trainer",))


class Desk:
    """As much of the API as offers need: a list of them."""

    def __init__(self) -> None:
        self.open: dict[str, Any] = {}
        self.answered: list[str] = []
        self.is_empty = asyncio.Event()

    def offer(self, name: str) -> None:
        self.open[name] = {"id": name, "expires_at": "then"}
        self.is_empty.clear()

    async def all(self, _who: Who, _path: str, **_where: object) -> list[Any]:
        return list(self.open.values())

    async def answer(self, offer: Any) -> None:
        assert offer["id"] in self.open
        self.answered.append(offer["id"])
        del self.open[offer["id"]]
        self.is_empty.set()


async def test_an_offer_is_answered_while_others_are_still_made() -> None:
    desk = Desk()

    async def answering(going_on: asyncio.Task[None]) -> None:
        client = cast("Client", desk)
        await offers.settle(client, DESK, "/awards", desk.answer, going_on=going_on)

    async def offering() -> None:
        for name in ("ana", "eva"):
            desk.offer(name)
            await asyncio.wait_for(desk.is_empty.wait(), 5)
        desk.offer("zoe")  # and nothing after her

    await offers.while_answered(offering(), answering)
    assert desk.answered == ["ana", "eva", "zoe"]


async def test_whoever_has_begun_goes_on_before_the_next_one_begins() -> None:
    inside, most, order = 0, 0, list[str]()

    async def do(number: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        order.append(f"{number} asks")
        await asyncio.sleep(0)
        order.append(f"{number} answers")
        inside -= 1

    women = list(range(CONCURRENCY + 1))
    with Display(Console(file=StringIO())) as display:
        await display.each("Women", women, do)
    assert most == CONCURRENCY
    assert order.index("0 answers") < order.index(f"{CONCURRENCY} asks")


@pytest.mark.parametrize(("pace", "lasts"), [(0.0, 2), (0.1, 2), (0.8, 8), (60.0, 60)])
def test_an_offer_lasts_as_long_as_a_slow_machine_needs(pace: float, lasts: int) -> None:
    client = cast("Client", SimpleNamespace(pace=pace))
    assert offers.seconds(client, 2) == lasts
