"""What an operator or auditor asks of every service: positions, what waits, what ran."""

from typing import Any

from fastapi import Request
from prometheus_client import REGISTRY

from shared.chassis import parking
from shared.chassis.http import Query, Router
from shared.chassis.policy import Role
from shared.model import Frozen


class Backlog(Frozen):
    """What waits: commits not acknowledged by Kafka, keys parked by reason, records set aside."""

    outbox: int
    gap: int
    failed: int
    dead: int
    quarantined: int


class Operations(Frozen):
    """One service as its operator sees it."""

    service: str
    published: dict[str, int]
    """The sum of the last numbers given, by own topic: so many events were published."""
    applied: dict[str, int]
    """The sum of the last numbers applied, by topic: so many events were applied, once each."""
    in_kafka: int
    """Distinct (key, number) that stand in the own topic."""
    backlog: Backlog
    types_published: dict[str, int]
    types_applied: dict[str, int]
    effect_buckets: dict[str, int]
    """Decided elsewhere until committed here: cumulative counts by upper bound in seconds."""


class Parked(Frozen):
    """A key that waits."""

    id: str
    topic: str
    key: str
    reason: str
    code: str
    attempts: int
    head: int | None
    held: int


def operations(name: str) -> Router:
    """The operator's routes of one service; the name keeps them apart behind the gateway."""
    router = Router(tags=["operations"])
    policy = Role("operator", "auditor")

    @router.get(f"/operations/{name}", policy=policy)
    async def show_operations(request: Request, query: Query) -> Operations:
        runtime, store = request.app.state.runtime, query.store
        published, applied = await store.totals()
        waiting = {
            why: await store.count(parking.COLLECTION, {"reason": why}, None)
            for why in ("gap", "failed", "dead")
        }
        return Operations(
            service=name,
            published=published,
            applied=applied,
            in_kafka=await runtime.bus.distinct(f"telar.{name}"),
            backlog=Backlog(
                outbox=await store.count("outbox", {}, "send_after"),
                quarantined=await store.count(parking.QUARANTINE, {}, None),
                **waiting,
            ),
            types_published=_counter("telar_published_total", "type"),
            types_applied=_counter("telar_applied_total", "type"),
            effect_buckets=_counter("telar_effect_seconds_bucket", "le"),
        )

    @router.get(f"/operations/{name}/parked", policy=policy)
    async def list_parked(query: Query) -> list[Parked]:
        found = await query.store.page(parking.COLLECTION, {}, sort="_id", after=None, limit=100)
        return [Parked(**parking.summary(document)) for document in found]

    return router


def _counter(sample_name: str, label: str) -> dict[str, int]:
    found: dict[str, Any] = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == sample_name:
                found[sample.labels[label]] = int(sample.value)
    return found
