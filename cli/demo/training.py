"""Training in the demo: seats and their wait list, attendance, certificates, a revocation."""

import asyncio
from typing import Any

from cli.demo.client import Client, Who
from cli.demo.display import Display
from cli.demo.files import Woman, read
from cli.demo.invariants import Check, of_certificates, of_places
from cli.demo.offers import settle
from cli.demo.programme import Programme

TRAINER = Who("trainer-1", ("trainer",))
_TAKEN = {"confirmed", "offered", "completed", "revoked"}


class Training:
    """The training desk and the women who learn."""

    def __init__(self, client: Client, programme: Programme, display: Display) -> None:
        self._client, self._programme, self._display = client, programme, display
        self._sessions = int(read("cohorts")["sessions"])
        self._by_seat: dict[str, Woman] = {}

    async def seats(self, women: list[Woman]) -> None:
        """Ask for seats, more than there are."""
        await self._display.each("Seats asked for", women, self._ask)

    async def give_up(self, women: list[Woman]) -> None:
        """Some give their seat back; the next in line is offered it."""
        leaving = [one for one in women if one.profile == "drops-seat" and "seat" in one.marks]
        await self._display.each("Seats given up", leaving, self._drop)

    async def offers(self, going_on: asyncio.Task[None]) -> None:
        """Answer what is offered from the wait lists, until nothing is any more."""
        paths = [f"/cohorts/{one}/seats" for one in self._programme.cohorts.values()]

        async def lists(path: str) -> None:
            await settle(self._client, TRAINER, path, self._answer, going_on=going_on)

        await self._display.each("Seats offered from the wait lists", paths, lists)
        late = [one for one in self._by_seat.values() if "seat-offer-missed" in one.marks]
        await self._display.each("Seats answered too late", late, self._too_late)

    async def courses(self, women: list[Woman]) -> None:
        """Sessions, attendance, completion: some fail."""
        seated = [one for one in women if "seat" in one.marks]
        await self._display.each("Courses taken", seated, self._take)

    async def revocations(self, women: list[Woman]) -> None:
        """A completion that did not stand."""
        wrong = [one for one in women if one.profile == "completion-revoked"]
        held = [one for one in wrong if "certificate" in one.marks]
        await self._display.each("Completions revoked", held, self._revoke)

    async def await_undone(self, leaving: list[Woman]) -> None:
        """Wait until the seats of those who left are free again."""
        positions = [woman.position for woman in leaving]
        await self._client.applied(TRAINER, "/cohorts", *positions)

    async def ends(self) -> list[str]:
        """Where the seats of this run ended."""
        return [seat["status"] for seats in await self._seats() for seat in seats]

    async def checks(self, women: list[Woman]) -> list[Check]:
        """No cohort over capacity; one certificate a woman and course."""
        taken: dict[str, tuple[int, int]] = {}
        for cohort_id, seats in zip(
            self._programme.cohorts.values(), await self._seats(), strict=True
        ):
            capacity = (await self._client.read(TRAINER, f"/cohorts/{cohort_id}"))["capacity"]
            used = sum(seat["status"] in _TAKEN for seat in seats)
            taken[cohort_id] = (used, capacity)
        certified = [one for one in women if one.certified_at]
        held = await asyncio.gather(*(self._certificates(one) for one in certified))
        return [
            of_places("no cohort over capacity", taken),
            of_certificates([one for hers in held for one in hers]),
        ]

    async def _seats(self) -> list[list[Any]]:
        paths = [f"/cohorts/{one}/seats" for one in self._programme.cohorts.values()]
        return await asyncio.gather(*(self._client.all(TRAINER, path) for path in paths))

    async def _certificates(self, woman: Woman) -> list[Any]:
        return await self._client.all(woman.who, f"/persons/{woman.person_id}/certificates")

    async def _ask(self, woman: Woman) -> None:
        path = f"/persons/{woman.person_id}/seats"
        await self._client.applied(woman.who, path, woman.position)
        cohort = {"cohort_id": self._programme.cohorts[woman.language]}
        answer = await self._client.command(woman.who, "/seats", cohort, key=woman.key("seat"))
        woman.seat_id = answer.data["id"]
        self._by_seat[woman.seat_id] = woman
        woman.marks.add("seat" if answer.data["status"] == "confirmed" else "seat-awaited")

    async def _drop(self, woman: Woman) -> None:
        path = f"/seats/{woman.seat_id}/cancellation"
        reason = {"reason_code": "care-duties"}
        await self._client.command(woman.who, path, reason, key=woman.key("drop"))
        woman.marks.discard("seat")

    async def _answer(self, offer: Any) -> None:
        woman = self._by_seat[offer["id"]]
        if woman.answers_late():
            woman.marks.add("seat-offer-missed")
            return
        if await self._accept(woman, "accept"):
            woman.marks.add("seat")

    async def _too_late(self, woman: Woman) -> None:
        await self._accept(woman, "accept-late")

    async def _accept(self, woman: Woman, step: str) -> bool:
        answer = await self._client.command(
            woman.who,
            f"/seats/{woman.seat_id}/acceptance",
            key=woman.key(step),
            may="seat-offer-expired seat-not-offered",
        )
        return not answer.code

    async def _take(self, woman: Woman) -> None:
        fails = woman.profile == "fails-course"
        for session in range(1, self._sessions + 1):
            record = {"session": session, "state": "absent" if fails else "present"}
            path, key = f"/seats/{woman.seat_id}/attendance", woman.key(f"session-{session}")
            await self._client.command(TRAINER, path, record, key=key)
        answer = await self._client.command(
            TRAINER,
            f"/seats/{woman.seat_id}/completion",
            key=woman.key("completion"),
            may="completion-attendance-short",
        )
        if not answer.code:
            woman.certified_at = answer.position
            woman.marks.add("certificate")

    async def _revoke(self, woman: Woman) -> None:
        path = f"/certificates/{woman.person_id}:{self._programme.course_id}/revocation"
        reason = {"reason_code": "attendance-misrecorded"}
        answer = await self._client.command(TRAINER, path, reason, key=woman.key("revoke"))
        woman.certified_at = answer.position
        woman.marks.discard("certificate")
