"""Trade in the demo: a fair with fewer places than applicants, its offers and wait list."""

import asyncio
from collections.abc import Iterable
from typing import Any

from cli.demo.client import Client, Who
from cli.demo.display import Display
from cli.demo.files import Woman
from cli.demo.invariants import Check, of_places
from cli.demo.offers import settle, while_answered
from cli.demo.programme import Programme

DESK = Who("trade-1", ("trade",))
_TAKEN = {"offered", "confirmed"}


class Trade:
    """The trade desk and the women who want to sell abroad."""

    def __init__(self, client: Client, programme: Programme, display: Display) -> None:
        self._client, self._programme, self._display = client, programme, display
        self._applicants: dict[str, Woman] = {}

    async def apply(self, women: list[Woman]) -> None:
        """The certified ask for places: more than there are."""
        ready = [
            one for one in women if "certificate" in one.marks and "withdrawn" not in one.marks
        ]
        asked = self._display.each("Fair places applied for", ready, self._ask)
        await while_answered(asked, self.offers)

    async def offers(self, going_on: asyncio.Task[None]) -> None:
        """Answer every offer, until no more are made and none is open."""
        with self._display.step("Fair places offered", 1):
            await settle(self._client, DESK, self._list, self._answer, going_on=going_on)

    async def await_undone(self, leaving: Iterable[Woman]) -> None:
        """Wait until the places of those who left are free again."""
        positions = [woman.position for woman in leaving]
        await self._client.applied(DESK, self._list, *positions)

    async def ends(self) -> list[str]:
        """Where the places of this run ended."""
        return [place["status"] for place in await self._client.all(DESK, self._list)]

    async def check(self) -> Check:
        """No delegation over its places."""
        fair = await self._client.read(DESK, f"/fairs/{self._programme.fair_id}")
        used = sum(status in _TAKEN for status in await self.ends())
        return of_places("no delegation over capacity", {fair["id"]: (used, fair["places"])})

    @property
    def _list(self) -> str:
        return f"/fairs/{self._programme.fair_id}/places"

    async def _ask(self, woman: Woman) -> None:
        path = f"/persons/{woman.person_id}/places"
        await self._client.applied(woman.who, path, woman.position, woman.certified_at)
        self._applicants[woman.person_id] = woman  # the offer may come before the answer does
        fair = {"fair_id": self._programme.fair_id}
        await self._client.command(woman.who, "/places", fair, key=woman.key("place"))

    async def _answer(self, offer: Any) -> None:
        woman = self._applicants[offer["person_id"]]
        if woman.answers_late():
            return
        answer = await self._client.command(
            woman.who,
            f"/places/{offer['id']}/confirmation",
            key=woman.key("confirm-place"),
            may="place-offer-expired place-not-offered",
        )
        if not answer.code:
            woman.marks.add("place")
