"""The whole way: what happens to the women of one run, in order, and what it came to."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from cli.demo import invariants
from cli.demo.client import Client
from cli.demo.display import Display
from cli.demo.enrolment import Enrolment
from cli.demo.files import Woman
from cli.demo.grants import Grants
from cli.demo.invariants import OPERATOR, Operations
from cli.demo.offers import while_answered
from cli.demo.outcome import Outcome, effect_seconds, flows
from cli.demo.programme import offer, publish
from cli.demo.trade import Trade
from cli.demo.training import Training


async def _at_once(*parts: Coroutine[Any, Any, None]) -> None:
    """What does not wait for each other."""
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part)


def _with_seat(women: list[Woman]) -> list[Woman]:
    return [one for one in women if "seat" in one.marks]


class Journey:
    """One run of the programme."""

    def __init__(self, client: Client, display: Display, women: list[Woman]) -> None:
        self._client, self._display, self._women = client, display, women
        self._counts: dict[str, dict[str, int]] = {}

    async def run(self) -> None:
        """From the call to the trade fair, with the ways back."""
        client, display, women = self._client, self._display, self._women
        self._before = await Operations.read(client)
        with display.step("Programme published", 1):
            programme = await publish(client)
        self._enrolment = Enrolment(client, programme, display)
        self._training = Training(client, programme, display)
        self._grants = Grants(client, programme, display)
        self._trade = Trade(client, programme, display)
        await self._enrolment.enrol(women)
        with display.step("Seats, money and a fair published", 1):
            await offer(client, programme, women)
        enrolled = [one for one in women if "enrolled" in one.marks]
        await self._learn(enrolled)
        await self._win(enrolled)
        await self._sell(enrolled)

    async def _learn(self, women: list[Woman]) -> None:
        await self._training.seats(women)
        seated = list[Woman]()

        async def apply(leaving: asyncio.Task[None]) -> None:
            # Who has her seat need not wait for those who let theirs run out.
            await leaving
            seated.extend(_with_seat(women))
            await self._grants.apply(seated)

        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(self._free_seats(women))
            group.create_task(self._training.offers(leaving))
            group.create_task(apply(leaving))
        await self._grants.apply([one for one in _with_seat(women) if one not in seated])

    async def _free_seats(self, women: list[Woman]) -> None:
        await self._training.give_up(women)
        leaving = await self._enrolment.withdraw(women, "seat")
        await self._training.await_undone(leaving)

    async def _win(self, women: list[Woman]) -> None:
        await _at_once(self._grants.refill(), self._training.courses(women))

        async def leave() -> None:
            await self._grants.await_undone(await self._enrolment.withdraw(women, "award"))

        answering = partial(self._grants.offers, "Awards offered after withdrawals")
        await while_answered(leave(), answering)
        await self._training.revocations(women)
        await self._grants.pay(women)

    async def _sell(self, women: list[Woman]) -> None:
        await self._trade.apply(women)

        async def leave() -> None:
            await self._trade.await_undone(await self._enrolment.withdraw(women, "place"))

        await while_answered(leave(), self._trade.offers)

    async def outcome(self, seconds: Callable[[], float]) -> Outcome:
        """Wait until all effects have arrived, then read what the run came to."""
        with self._display.step("All effects arrived", 1):
            after = await invariants.at_rest(self._client)
        took = seconds()
        with self._display.step("Invariants read", 1):
            checks = [
                *await self._training.checks(self._women),
                await self._grants.check(),
                await self._trade.check(),
                *invariants.of_streams(after, await invariants.in_kafka(self._client)),
            ]
        return Outcome(
            run_id=self._client.run_id,
            women=len(self._women),
            seconds=round(took, 2),
            calls=dict(self._client.calls),
            counts=await self._counted(),
            thread=await self._thread(),
            flows=flows(self._before, after),
            effect_seconds=effect_seconds(self._before, after),
            checks=checks,
        )

    async def _counted(self) -> dict[str, dict[str, int]]:
        found = {
            "enrolment": await self._enrolment.ends(),
            "seat": await self._training.ends(),
            **await self._grants.ends(),
            "fair place": await self._trade.ends(),
        }
        return {thing: dict(sorted(Counter(ends).items())) for thing, ends in found.items()}

    async def _thread(self) -> list[dict[str, Any]]:
        """Of the woman who came furthest."""
        furthest = max(self._women, key=lambda woman: len(woman.marks))
        path = f"/persons/{furthest.person_id}/timeline"
        return await self._client.all(OPERATOR, path)
