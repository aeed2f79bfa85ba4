"""What an operator or auditor asks of every service, and what an operator may mend there.

shown.py    positions, what waits, what ran
checked.py  what should hold: chains, the topic against the heads, the service's own sums
orders.py   retry, skip, adopt, send again: with a reason, audited, not too often
"""

from shared.chassis.http import Router
from shared.chassis.operations import checked, orders, shown, waiting
from shared.chassis.operations.checked import Check, Finding

__all__ = ["Check", "Finding", "operations"]


def operations(name: str, check: Check | None = None) -> Router:
    """The operator's routes of one service; the name keeps them apart behind the gateway."""
    router = Router(tags=["operations"])
    prefix = f"/operations/{name}"
    shown.add(router, prefix, name)
    waiting.add(router, prefix)
    checked.add(router, prefix, check)
    orders.add(router, prefix)
    return router
