"""Clients: commands with retries under one key, and the history of what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.model import Do
from tests.faults.sim import rules
from tests.faults.sim.cluster import Answer, Cluster, Request

ACCOUNTS = ("ana", "eva", "ines")
PAIRS = ("p1", "p2")
ROOM = "hall"
SPAN = 10.0
"""Virtual seconds in which commands are given and faults made."""

TRIES = 8


@dataclass
class Entry:
    """One command of the history, in plain values."""

    op: str
    kind: str
    target: str
    outcome: str = "unknown"
    code: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    """Every final answer under its key and body."""
    reused: list[int] = field(default_factory=list)
    """What the same key with another body was told."""


class Clients:
    """The workload of one seed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.world = cluster, cluster.world
        self.history: list[Entry] = []
        self.repeats = 0
        """Commands sent again under their key with the same body."""

    async def prepare(self) -> None:
        """Sides that are there, so that both of a pair can be wanted at once."""
        for pair in PAIRS:
            ids = (pair + "a", pair + "b")
            steps = [Do(rules.SIDES, id_, rules.Prepare(id=id_)) for id_ in ids]
            await self._give("prepare", pair, steps)

    async def run(self, commands: int) -> None:
        """Give all commands, spread over the span; returns when each has its end."""
        at = sorted(self.world.dice.uniform(0, SPAN) for _ in range(commands))
        await asyncio.gather(*(self._later(moment) for moment in at))

    async def _later(self, moment: float) -> None:
        await asyncio.sleep(moment)
        dice = self.world.dice
        chance = dice.random()
        if chance < 0.7:
            await self._entry(dice.choice(ACCOUNTS), amount=101 if chance < 0.06 else 1)
        elif chance < 0.9:
            rush = dice.choice((1, 1, rules.SEATS + 1))
            await asyncio.gather(*(self._seat(dice.choice(ACCOUNTS)) for _ in range(rush)))
        else:
            pair = dice.choice(PAIRS)
            await asyncio.gather(self._claim(pair, "a", "b"), self._claim(pair, "b", "a"))

    async def _entry(self, account: str, amount: int = 1) -> None:
        unwanted = "-x" if self.world.dice.random() < 0.1 else ""
        entry = self._new("entry", account, unwanted)
        command = rules.Append(id=account, op=entry.op, amount=amount)
        await self._give_until_answered(entry, [Do(rules.ACCOUNTS, account, command)])

    async def _seat(self, account: str) -> None:
        entry = self._new("seat", account)
        take = rules.Take(room=ROOM, op=entry.op, account=account)
        await self._give_until_answered(entry, [Do(rules.ROOMS, ROOM, take)])
        if entry.outcome == "ok" and self.world.dice.random() < 0.7:
            await asyncio.sleep(self.world.dice.uniform(0.1, 8.0))
            await self._give("keep", entry.op, [Do(rules.ROOMS, ROOM, rules.Keep(op=entry.op))])

    async def _claim(self, pair: str, side: str, other: str) -> None:
        entry = self._new("claim", pair + side)
        claim = rules.Claim(side=pair + side, op=entry.op)
        first = Do(rules.SIDES, pair + other, rules.Yield())
        await self._give_until_answered(entry, [first, Do(rules.SIDES, pair + side, claim)])

    def _new(self, kind: str, target: str, suffix: str = "") -> Entry:
        entry = Entry(f"o{len(self.history)}{suffix}", kind, target)
        self.history.append(entry)
        return entry

    async def _give(self, kind: str, target: str, steps: Sequence[Do]) -> None:
        await self._give_until_answered(self._new(kind, target), steps)

    async def _give_until_answered(self, entry: Entry, steps: Sequence[Do]) -> None:
        dice = self.world.dice
        body = {"op": entry.op, "kind": entry.kind}
        request = Request(f"key-{entry.op}-0000", body, tuple(steps))
        for number in range(TRIES):
            self.repeats += number > 0
            if self._note(entry, await self._call(request)):
                break
            await asyncio.sleep(dice.uniform(0.1, 2.5))
        self.world.trace(lambda: f"told {entry.op} {entry.kind} {entry.target}: {entry.outcome}")
        if dice.random() < 0.25:
            self.repeats += 1
            self._note(entry, await self._call(request))
        if dice.random() < 0.1 and entry.answers:
            other = Request(request.key, {**body, "op": "another"}, request.steps)
            answer = await self._call(other)
            if _is_final(answer):
                entry.reused.append(answer.status)

    async def _call(self, request: Request) -> Answer:
        replica = self.world.dice.choice(self.cluster.of("shop"))
        return await self.cluster.call(replica, request)

    def _note(self, entry: Entry, answer: Answer) -> bool:
        if not _is_final(answer):
            return False
        entry.outcome = "ok" if answer.status < 300 else "refused"
        entry.code = answer.code
        entry.answers.append((answer.status, answer.body))
        return True


def _is_final(answer: Answer) -> bool:
    return answer.status not in (0, 503) and answer.code != "idempotency-in-progress"


def plain(history: Sequence[Entry]) -> list[dict[str, Any]]:
    """The history as documents."""
    return [dict(vars(entry)) for entry in history]
