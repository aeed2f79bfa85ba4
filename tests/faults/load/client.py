"""Sends commands under keys, through the gateway or directly, and writes down what happened.

No answer, or one that says "come back", is followed by the same command under the same key. What
has no final answer when patience is over stays unknown until `resolve` asks once more.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.chassis.auth import Role
from shared.chassis.tokens import Issuer
from tests.faults.load.history import History, Op, Try, digest
from tests.faults.load.http import Answer, Lost, NotSent, Request, Wire

TOKEN_SECONDS = 400.0
PATIENCE = 12.0


@dataclass(frozen=True)
class Who:
    """Who asks, and as what."""

    subject: str
    roles: tuple[Role, ...]


@dataclass
class Command:
    """What is to be sent once, however often it takes."""

    service: str
    name: str
    who: Who
    path: str
    body: Any = None
    publishes: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    url: str | None = None
    """One instance that is to answer, and no other."""


class Client:
    """One client of a platform. `urls` tells where the instances of a service are now."""

    def __init__(self, urls: Callable[[str], list[str]], keys: Path, seed: int) -> None:
        self.history, self.random = History(), random.Random(seed)
        self.seed = seed
        self.by_gateway, self.again, self.within = 0.3, 0.02, 10.0
        self.most_copies = 1
        """A command is sent this often at once, each time by another way."""
        self._urls, self._issuer, self.wire = urls, Issuer(keys), Wire()
        self._tokens: dict[Who, tuple[float, str]] = {}
        self._number = 0
        self._kept: dict[str, tuple[Command, bytes]] = {}

    async def close(self) -> None:
        await self.wire.close()

    async def command(self, wanted: Command, patience: float = PATIENCE) -> tuple[Op, Any]:
        """Send until there is a final answer or patience is over; the operation and its reply."""
        body = b"" if wanted.body is None else json.dumps(wanted.body).encode()
        op = self.history.add(self._op(wanted, body))
        self._kept[op.key] = (wanted, body)
        copies = self.random.randint(1, self.most_copies)
        told = await asyncio.gather(
            *(self._until_told(op, wanted, body, patience) for _ in range(copies))
        )
        final = next((answer for answer in told if answer is not None), None)
        if final is not None and final.status < 400:
            self.history.accepted += 1
            if self.random.random() < self.again:
                await self.repeat(op, wanted, body, self.random.randint(1, 4))
        return op, None if final is None else final.data

    async def repeat(self, op: Op, wanted: Command, body: bytes, times: int) -> None:
        """The same command again, at other doors if there are others."""
        for _ in range(times):
            await self._once(op, wanted, body)

    async def resolve(self, share: float = 0.0, patience: float = 60.0) -> int:
        """After healing: ask again for all that is unknown, and for a share of the rest."""
        kept = [(op, *self._kept[op.key]) for op in self.history.ops.values()]
        doubtful = [one for one in kept if one[0].outcome == "unknown"]
        rest = [one for one in kept if one[0].outcome != "unknown"]
        sample = self.random.sample(rest, int(len(rest) * share))
        turn = asyncio.Semaphore(16)

        async def ask(op: Op, wanted: Command, body: bytes) -> None:
            async with turn:
                await self._until_told(op, wanted, body, patience)

        await asyncio.gather(*(ask(*one) for one in [*doubtful, *sample]))
        return len(doubtful)

    async def read(self, who: Who, service: str, path: str) -> Answer:
        """A query at one instance."""
        headers = (("authorization", f"Bearer {self._token(who)}"),)
        url = self.random.choice(self._urls(service))
        return await self.wire.ask(url, Request("GET", path, headers), self.within)

    def _op(self, wanted: Command, body: bytes) -> Op:
        self._number += 1
        key = f"op-{self.seed:x}-{self._number:07d}"
        return Op(
            key,
            wanted.service,
            wanted.name,
            "POST",
            wanted.path,
            wanted.who.subject,
            digest(body),
            wanted.publishes,
            wanted.facts,
        )

    async def _until_told(
        self, op: Op, wanted: Command, body: bytes, patience: float
    ) -> Answer | None:
        deadline, pause = time.monotonic() + patience, 0.05
        while True:
            answer = await self._once(op, wanted, body)
            if answer is not None and op.tries and _says_all(answer):
                return answer
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(pause * self.random.uniform(0.5, 1.5))
            pause = min(pause * 2, 1.0)

    async def _once(self, op: Op, wanted: Command, body: bytes) -> Answer | None:
        service, path = self._door(wanted)
        urls: Sequence[str] = [wanted.url] if wanted.url else self._urls(service)
        at = time.monotonic()
        if not urls:
            return None
        url = self.random.choice(urls)
        try:
            answer = await self.wire.ask(url, self._request(op, wanted, path, body), self.within)
        except NotSent:
            return None
        except Lost:
            op.told(Try(at, time.monotonic(), url))
            return None
        told = Try(at, time.monotonic(), url, answer.status, answer.code, digest(answer.body))
        op.told(told)
        return answer

    def _door(self, wanted: Command) -> tuple[str, str]:
        if wanted.url is None and self.random.random() < self.by_gateway:
            return "gateway", f"/v1{wanted.path}"
        return wanted.service, wanted.path

    def _request(self, op: Op, wanted: Command, path: str, body: bytes) -> Request:
        headers = [
            ("authorization", f"Bearer {self._token(wanted.who)}"),
            ("idempotency-key", op.key),
            ("correlation-id", op.key),
        ]
        if body:
            headers.append(("content-type", "application/json"))
        return Request("POST", path, tuple(headers), body)

    def _token(self, who: Who) -> str:
        made, token = self._tokens.get(who, (0.0, ""))
        if not token or time.monotonic() - made > TOKEN_SECONDS:
            token = self._issuer.access_token(who.subject, who.roles)
            self._tokens[who] = (time.monotonic(), token)
        return token


def _says_all(answer: Answer) -> bool:
    return Try(0, 0, "", answer.status, answer.code).final
