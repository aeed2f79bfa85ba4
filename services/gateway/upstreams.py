"""The replicas of each service: a pool of connections a service, in turn, past those that are down.

A transport is used without a client around it: nothing may keep cookies, follow a redirect or
read proxy variables on behalf of callers.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx2
import structlog

from services.gateway.connections import bear_resets
from shared.chassis.errors import Problem, Unavailable

MAX_ANSWER = 8 * 1024 * 1024
DOWN_SECONDS, SILENT_SECONDS = 1.0, 30.0
"""A replica that refused a connection, or gave no answer in time, is tried last for so long."""

PATIENT_SECONDS = 5.0
"""A caller who waits for less says nothing of the replica that he left."""

_LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=30)

_STATUSES = range(200, 600)

_NOT_READY = re.compile(rb'"code":\s*"not-ready"')

log = structlog.get_logger("telar.gateway")

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Call:
    """What a service is asked. `safe`: it may be asked twice, and does one thing."""

    method: str
    target: str
    headers: Headers
    body: bytes
    safe: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered, as bytes."""

    status: int
    headers: Headers
    body: bytes


class _NotReady(Exception):
    """This replica starts or stops, and did nothing: another may take the call."""


class Pool:
    """The replicas of one service."""

    def __init__(
        self,
        service: str,
        addresses: Sequence[str],
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._service = service
        self._addresses = [address.rstrip("/") for address in addresses]
        # One each: the calls that wait for one that is silent keep nobody from another.
        self._transports = {one: transport or _transport(one) for one in self._addresses}
        self._hosts = {address: httpx2.URL(address) for address in self._addresses}
        self._down_until = dict.fromkeys(self._addresses, 0.0)
        self._turn = 0

    async def ask(self, call: Call, seconds: float) -> Answer:
        """The answer of one replica. Raises `Problem` 502, 503 or 504 when none gives one."""
        asked: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(call, seconds, asked)
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout) as error:
            self._failed(asked[-1], error, SILENT_SECONDS if seconds >= PATIENT_SECONDS else 0.0)
            raise Problem(504, "upstream-timeout", headers={"retry-after": "1"}) from None
        except (httpx2.InvalidURL, httpx2.LocalProtocolError):  # nothing was sent
            raise Problem(400, "body-malformed") from None

    async def _ask(self, call: Call, seconds: float, asked: list[str]) -> Answer:
        received = False  # whether a replica may have acted on it
        for address in self._in_turn():
            asked.append(address)
            try:
                return await self._once(call, address, seconds)
            except (httpx2.ConnectError, httpx2.ConnectTimeout, _NotReady) as error:
                self._failed(address, error, DOWN_SECONDS)
            except httpx2.PoolTimeout as error:
                self._failed(address, error)
            except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
                received = True
                self._failed(address, error)
                if not call.safe:
                    break
        if not received:
            raise Unavailable("upstream-unavailable")
        if call.method == "GET":
            raise Problem(502, "upstream-broken", headers={"retry-after": "1"})
        raise Unavailable("outcome-unknown")

    def _in_turn(self) -> list[str]:
        """Each once, those that are down last; a lone one twice, for a connection gone stale."""
        self._turn += 1
        start = self._turn % max(len(self._addresses), 1)
        turned = self._addresses[start:] + self._addresses[:start]
        now = time.monotonic()
        turned.sort(key=lambda address: self._down_until[address] > now)
        return turned * 2 if len(turned) == 1 else turned

    async def _once(self, call: Call, address: str, seconds: float) -> Answer:
        patience = {"connect": min(1.0, seconds), "pool": min(1.0, seconds)}
        request = httpx2.Request(
            call.method,
            _url(self._hosts[address], call.target),
            headers=call.headers,
            content=call.body,
            extensions={"timeout": {**patience, "read": seconds, "write": seconds}},
        )
        response = await self._transports[address].handle_async_request(request)
        body = bytearray()
        try:
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_ANSWER:
                    raise Problem(502, "upstream-broken")
        finally:
            await response.aclose()
        if response.status_code not in _STATUSES:
            raise Problem(502, "upstream-broken")
        if response.status_code == 503 and _NOT_READY.search(body):
            raise _NotReady
        return Answer(response.status_code, response.headers.raw, bytes(body))

    def _failed(self, address: str, error: Exception, down: float = 0.0) -> None:
        self._down_until[address] = max(self._down_until[address], time.monotonic() + down)
        log.warning(
            "upstream.failed",
            upstream=self._service,
            address=address,
            error=type(error).__name__,
        )

    async def close(self) -> None:
        """Let go of every connection."""
        for transport in self._transports.values():
            await transport.aclose()


def _url(host: httpx2.URL, target: str) -> httpx2.URL:
    """The caller's text as the path of this host, and never as a part of its name."""
    return host.copy_with(raw_path=host.raw_path.rstrip(b"/") + target.encode())


def _transport(address: str) -> httpx2.AsyncBaseTransport:
    bear_resets()
    # Without TLS nobody asks for the certificates of this machine, and to read them takes long.
    return httpx2.AsyncHTTPTransport(limits=_LIMITS, verify=address.startswith("https:"))


def pools(addresses: Mapping[str, Sequence[str]], services: Sequence[str]) -> dict[str, Pool]:
    """A pool for each service, also for one whose address nobody told."""
    return {service: Pool(service, addresses.get(service, ())) for service in services}
