"""Enrolment in the demo: register, bring a business, hand in, be decided on, withdraw."""

import asyncio
from collections.abc import Iterable
from typing import Any

from cli.demo.client import Client, Who
from cli.demo.display import Display
from cli.demo.files import Woman, read
from cli.demo.programme import Programme

OFFICERS = (Who("intake-1", ("intake",)), Who("intake-2", ("intake",)))


class Enrolment:
    """The intake desk and the women who come to it."""

    def __init__(self, client: Client, programme: Programme, display: Display) -> None:
        self._client, self._display = client, display
        self._businesses = read("businesses")
        self._call = programme.call_id

    async def enrol(self, women: list[Woman]) -> None:
        """From unknown to decided."""
        await self._display.each("Women registered and handed in", women, self._hand_in)
        await self._display.each("Enrolments decided", women, self._decide)

    async def withdraw(self, women: Iterable[Woman], where: str) -> list[Woman]:
        """Those who leave the programme at this point; everything of theirs is undone."""
        leaving = [one for one in women if one.profile == f"withdraws-with-{where}"]
        leaving = [one for one in leaving if where in one.marks]
        await self._display.each(f"Withdrawn with {where}", leaving, self._withdraw)
        return leaving

    async def ends(self) -> list[str]:
        """Where the enrolments of this run ended."""
        asked = [
            self._client.all(OFFICERS[0], "/enrolments", status=end, call_id=self._call)
            for end in ("submitted", "evaluated", "enrolled", "declined", "withdrawn")
        ]
        return [one["status"] for found in await asyncio.gather(*asked) for one in found]

    async def _hand_in(self, woman: Woman) -> None:
        facets = {
            "state": woman.municipality[:2],
            "municipality": woman.municipality,
            "rural_class": "rural" if woman.number % 3 else "urban",
            "self_declared_woman": True,
        }
        await self._client.command(woman.who, "/persons", facets, key=woman.key("person"))
        business = await self._client.command(
            woman.who, "/businesses", self._business(woman), key=woman.key("business")
        )
        draft = {"call_id": self._call, "business_id": business.data["id"]}
        begun = await self._client.command(
            woman.who, "/enrolments", draft, key=woman.key("enrolment")
        )
        woman.enrolment_id = begun.data["id"]
        path = f"/enrolments/{woman.enrolment_id}/submission"
        await self._client.command(woman.who, path, key=woman.key("submit"))

    def _business(self, woman: Woman) -> Any:
        if woman.profile == "ineligible":
            kinds = self._businesses["ineligible"]
        else:
            kinds = self._businesses["eligible"]
        return kinds[woman.number % len(kinds)]

    async def _decide(self, woman: Woman) -> None:
        officer = OFFICERS[woman.number % len(OFFICERS)]
        path = f"/enrolments/{woman.enrolment_id}"
        advice = (await self._client.read(officer, path))["evaluation"]
        if advice["outcome"] == "met":
            done = await self._client.command(
                officer, f"{path}/admission", {}, key=woman.key("decide")
            )
            woman.position = done.position
            woman.marks.add("enrolled")
            return
        unmet = [leaf["code"] for leaf in advice["leaves"] if leaf["result"] == "unmet"]
        reasons = {"reason_codes": unmet}
        await self._client.command(officer, f"{path}/refusal", reasons, key=woman.key("decide"))

    async def _withdraw(self, woman: Woman) -> None:
        path, reason = f"/enrolments/{woman.enrolment_id}/withdrawal", {"reason_code": "no-time"}
        done = await self._client.command(woman.who, path, reason, key=woman.key("withdraw"))
        woman.position = done.position
        woman.marks -= {woman.profile.removeprefix("withdraws-with-")}
        woman.marks.add("withdrawn")
