"""Positions, how much waits, what ran, who did what."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from prometheus_client import Counter, Histogram

from shared.chassis import audit, backfill, metrics, parking, quarantine, streams
from shared.chassis.audit import Entry
from shared.chassis.backfill import Backfill
from shared.chassis.deadlines import DEAD
from shared.chassis.http import Page, Paging, Query, Router
from shared.chassis.policy import Role
from shared.chassis.ports import Store
from shared.chassis.runtime import Runtime
from shared.model import Frozen

READERS = Role("operator", "auditor")

Place = tuple[int, str]
"""The number and hash of an event."""


class Backlog(Frozen):
    """What waits: commits not acknowledged by Kafka, keys parked by reason, records set aside."""

    outbox: int
    gap: int
    failed: int
    dead: int
    fork: int
    quarantined: int
    deadlines: int
    """Deadlines that were given up."""


class Operations(Frozen):
    """One service as its operator sees it."""

    service: str
    published: dict[str, int]
    """The sum of the last numbers given, by own topic: so many events were published."""
    applied: dict[str, int]
    """The sum of the last numbers applied, by topic: so many events were applied, once each."""
    backlog: Backlog
    types_published: dict[str, int]
    types_applied: dict[str, int]
    effect_buckets: dict[str, int]
    """Decided elsewhere until committed here: cumulative counts by upper bound in seconds."""


class Stream(Frozen):
    """Where a key stands."""

    key: str
    out: Place | None
    applied: dict[str, Place]
    parked: list[str]


class Lag(Frozen):
    """How far a partition of another service's topic is from being read."""

    topic: str
    partition: int
    behind: int
    end: int
    """The offset of the next record that will stand there."""


def add(router: Router, prefix: str, name: str) -> None:
    """Register the reads."""

    @router.get(prefix, policy=READERS)
    async def show_operations(request: Request, query: Query) -> Operations:
        published, applied = await query.store.totals()
        return Operations(
            service=name,
            published=published,
            applied=applied,
            backlog=await _backlog(query.store, request.app.state.runtime),
            types_published=_counts(metrics.PUBLISHED, "_total", "type"),
            types_applied=_counts(metrics.APPLIED, "_total", "type"),
            effect_buckets=_counts(metrics.EFFECT_SECONDS, "_bucket", "le"),
        )

    _add_lists(router, prefix, name)


def _add_lists(router: Router, prefix: str, name: str) -> None:
    @router.get(f"{prefix}/lag", policy=READERS)
    async def show_lag(request: Request) -> list[Lag]:
        runtime = request.app.state.runtime
        return [
            Lag(topic=topic, partition=number, behind=max(0, end - noted), end=end)
            for topic in runtime.intake.topics
            for (_, number), (noted, end) in sorted(
                (await runtime.bus.progress(runtime.group, topic)).items()
            )
        ]

    @router.get(f"{prefix}/streams", policy=READERS)
    async def list_streams(query: Query, paging: Paging) -> Page[Stream]:
        return await query.shown(
            streams.COLLECTION, {}, paging, of=lambda found: _stream(found, f"telar.{name}")
        )

    @router.get(f"{prefix}/backfill", policy=READERS)
    async def list_backfills(query: Query, paging: Paging) -> Page[Backfill]:
        of = Backfill.of
        return await query.shown(backfill.COLLECTION, {}, paging, of=lambda job: of(dict(job)))

    @router.get(f"{prefix}/audit", policy=READERS)
    async def list_audit(query: Query, paging: Paging) -> Page[Entry]:
        return await query.shown(audit.COLLECTION, {}, paging, of=_entry, sort="at")


async def _backlog(store: Store, runtime: Runtime) -> Backlog:
    waiting = {
        why: await store.count(parking.COLLECTION, {"reason": why}, None)
        for why in ("gap", "failed", "dead", "fork")
    }
    given_up = [
        await store.count(one.name, {"due": DEAD}, None) for one in runtime.deadlines.aggregates
    ]
    return Backlog(
        outbox=await store.count("outbox", {}, "send_after"),
        quarantined=await store.count(quarantine.COLLECTION, {}, None),
        deadlines=sum(given_up),
        **waiting,
    )


def _stream(found: Mapping[str, Any], topic: str) -> Stream:
    return Stream(
        key=found["_id"],
        out=streams.head(dict(found), topic) if found["out"] else None,
        applied={short: (place[0], place[1]) for short, place in found["in"].items()},
        parked=sorted(found["parked"]),
    )


def _entry(found: Mapping[str, Any]) -> Entry:
    return Entry(**{name: found[name] for name in Entry.model_fields})


def _counts(metric: Counter | Histogram, suffix: str, label: str) -> dict[str, int]:
    return {
        sample.labels[label]: int(sample.value)
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith(suffix)
    }
