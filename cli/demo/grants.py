"""Grants in the demo: applications, awards and their wait list, tranches, payments."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cli.demo.client import Client, Who
from cli.demo.display import Display
from cli.demo.files import Woman, read
from cli.demo.invariants import Check, of_pools
from cli.demo.offers import settle, while_answered
from cli.demo.programme import Programme

PROPOSER = Who("reviewer-1", ("reviewer",))
APPROVER = Who("approver-1", ("approver",))
TREASURER = Who("treasurer-1", ("treasurer",))

_READY = "ready"


@dataclass(frozen=True)
class Tranche:
    """A part of an award that is to be paid."""

    award_id: str
    number: int

    @property
    def key(self) -> str:
        """What tells its steps apart."""
        return f"{self.award_id[:36]}-t{self.number}"


class Grants:
    """Approvers, treasury, and the women who ask for seed capital."""

    def __init__(self, client: Client, programme: Programme, display: Display) -> None:
        self._client, self._programme, self._display = client, programme, display
        self._terms = read("grants")
        self._by_award: dict[str, Woman] = {}

    async def apply(self, women: list[Woman]) -> None:
        """Applied, proposed by one, approved by another, offered while there is money."""
        asked = self._display.each("Grants applied for and approved", women, self._ask)
        await while_answered(asked, partial(self.offers, "Awards offered"))

    async def refill(self) -> None:
        """The pool gets more money: the wait list moves."""
        answering = partial(self.offers, "Awards offered from the wait list")
        await while_answered(self._refill(), answering)

    async def pay(self, women: list[Woman]) -> None:
        """What the certificates have released: one payment fails and is sent again."""
        told = [one.certified_at for one in women if one.certified_at]
        with self._display.step("Certificates known to grants", len(told)):
            await self._client.applied(TREASURER, "/pools", *told)
        ready = await self._ready()
        if ready:
            await self._display.each("Payments failed", ready[:1], self._fail)
        await self._display.each("Tranches paid", ready, self._pay)

    async def await_undone(self, leaving: Iterable[Woman]) -> None:
        """Wait until the money of those who left is free again."""
        positions = [woman.position for woman in leaving]
        await self._client.applied(TREASURER, "/pools", *positions)

    async def check(self) -> Check:
        """All pools, also those of earlier runs."""
        pools = await self._client.all(TREASURER, "/pools")
        given = {self._programme.pool_id: self._programme.money + self._programme.refill}
        return of_pools(pools, given)

    async def ends(self) -> dict[str, list[str]]:
        """Where the awards and tranches of this run ended."""
        awards = await self._awards()
        return {
            "award": [award["status"] for award in awards],
            "tranche": [one["status"] for award in awards for one in award["tranches"]],
        }

    async def _awards(self, **where: object) -> list[Any]:
        return await self._client.all(
            APPROVER, "/awards", round_id=self._programme.round_id, **where
        )

    async def _ready(self) -> list[Tranche]:
        return [
            Tranche(award["id"], one["number"])
            for award in await self._awards(status="accepted")
            for one in award["tranches"]
            if one["status"] == _READY
        ]

    async def _ask(self, woman: Woman) -> None:
        await self._client.applied(
            woman.who, f"/persons/{woman.person_id}/applications", woman.position
        )
        amount = {"amount": self._terms["amount"]}
        asked = {"round_id": self._programme.round_id, **amount}
        made = await self._client.command(
            woman.who, "/applications", asked, key=woman.key("application")
        )
        woman.award_id = made.data["id"]
        self._by_award[woman.award_id] = woman
        path = f"/applications/{woman.award_id}/proposal"
        await self._client.command(PROPOSER, path, amount, key=woman.key("proposal"))
        path = f"/awards/{woman.award_id}/approval"
        await self._client.command(APPROVER, path, key=woman.key("approval"))

    async def offers(self, step: str, going_on: asyncio.Task[None]) -> None:
        """Answer every offer, until no more are made and none is open."""
        missed = Counter[str]()

        async def answer(offer: Any) -> None:
            woman = self._by_award[offer["id"]]
            if woman.answers_late():
                missed[woman.award_id] += 1
            elif await self._accept(woman, "accept-award"):
                woman.marks.add("award")

        with self._display.step(step, 1):
            of_round = self._programme.round_id
            await settle(
                self._client, APPROVER, "/awards", answer, going_on=going_on, round_id=of_round
            )
        late = [self._by_award[award_id] for award_id in missed]
        await self._display.each("Awards answered too late", late, self._too_late)

    async def _refill(self) -> None:
        path = f"/pools/{self._programme.pool_id}/increase"
        amount = {"amount": self._programme.refill}
        with self._display.step("Pool refilled", 1):
            await self._client.command(TREASURER, path, amount, key="refill")

    async def _too_late(self, woman: Woman) -> None:
        await self._accept(woman, "accept-award-late")

    async def _accept(self, woman: Woman, step: str) -> bool:
        answer = await self._client.command(
            woman.who,
            f"/awards/{woman.award_id}/acceptance",
            key=woman.key(step),
            may="award-offer-expired award-not-offered",
        )
        return not answer.code

    async def _pay(self, tranche: Tranche) -> None:
        payment_id = await self._send(tranche, "send")
        path = f"/payments/{payment_id}/confirmation"
        await self._client.command(TREASURER, path, key=f"confirm-{tranche.key}")

    async def _fail(self, tranche: Tranche) -> None:
        payment_id = await self._send(tranche, "send-first")
        path, reason = f"/payments/{payment_id}/failure", {"reason_code": "account-closed"}
        await self._client.command(TREASURER, path, reason, key=f"fail-{tranche.key}")

    async def _send(self, tranche: Tranche, step: str) -> str:
        sent = await self._client.command(
            TREASURER,
            f"/awards/{tranche.award_id}/tranches/{tranche.number}/payment",
            key=f"{step}-{tranche.key}",
        )
        parts = {part["number"]: part for part in sent.data["tranches"]}
        return str(parts[tranche.number]["payment_id"])
