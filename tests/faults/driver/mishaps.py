"""The driver's methods, wrapped in this process: one call is made to go wrong, once or twice."""

import asyncio
import functools
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tests.faults.crash.plans import Plan
from tests.faults.driver import sites
from tests.faults.driver.errors import KINDS, Make

SOCKET_TIMEOUT = 5.0
"""Seconds after which PyMongo gives up on a silent server (`socketTimeoutMS` of the store)."""

How = Callable[[Plan, Callable[[], Any], Make], Any]


class Mishaps:
    """Says which sites are reached, and lets the planned call go wrong."""

    def __init__(self, parent: Connection, plan: Plan | None) -> None:
        self._parent, self._seen = parent, set[str]()
        self._one = threading.Lock()  # calls come from several threads
        self._plan: Plan | None = None
        self._left = 0
        self.arm(plan)

    def arm(self, plan: Plan | None) -> None:
        """The so-many-th call from now on, or none."""
        self._plan, self._left = plan, plan.nth if plan else 0

    def wrap(self) -> None:
        """Wrap every method of the drivers that the core uses."""
        for methods, mishap in ((sites.METHODS, _mishap), (sites.BLOCKING, _blocking)):
            for owner, names in methods.items():
                for name in names:
                    how = _delivery if name == "send_batch" else mishap
                    setattr(owner, name, self._wrapped(getattr(owner, name), name, how))

    def _wrapped(self, method: Callable[..., Any], name: str, how: How) -> Callable[..., Any]:
        @functools.wraps(method)
        def called(*args: Any, **kwargs: Any) -> Any:
            call = functools.partial(method, *args, **kwargs)
            function = sites.here()
            if function is None:
                return call()
            with self._one:
                plan = self._due(f"{function}: {name}")
            return how(plan, call, KINDS[plan.call](plan.path)[plan.side]) if plan else call()

        return called

    def _due(self, site: str) -> Plan | None:
        if site not in self._seen:
            self._seen.add(site)
            for kind, errors in KINDS.items():
                for error in errors(site):
                    self._parent.send(("reached", (site, kind, error)))
        if self._plan is None or self._plan.path != site:
            return None
        self._left -= 1
        if self._left:
            return None
        plan, self._plan = self._plan, None
        self._parent.send(("happens", (plan.path, plan.call, plan.side)))
        return plan


async def _mishap(plan: Plan, call: Callable[[], Any], make: Make) -> Any:
    if plan.call == "never answers":
        if plan.side == "never":
            await asyncio.Event().wait()
        await asyncio.sleep(SOCKET_TIMEOUT)
    if plan.call == "succeeds, then raises":
        await call()
    raise make()


def _blocking(plan: Plan, call: Callable[[], Any], make: Make) -> Any:
    if plan.call == "never answers":
        time.sleep(SOCKET_TIMEOUT)
    if plan.call == "succeeds, then raises":
        call()
    raise make()


async def _delivery(plan: Plan, call: Callable[[], Any], make: Make) -> asyncio.Future[Any]:
    """A send goes wrong at its acknowledgement: what it answers is the future of that."""
    return asyncio.ensure_future(_acknowledged(plan, call, make))


async def _acknowledged(plan: Plan, call: Callable[[], Any], make: Make) -> Any:
    if plan.call == "never answers":
        await asyncio.Event().wait()
    if plan.call == "succeeds, then raises":
        await (await call())
    raise make()
