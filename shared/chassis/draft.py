"""A batch before it is written: what its intents name is loaded, and they are folded.

While one batch commits, the next one is drafted on what that one is about to leave (`Ahead`): it
is written only after it, and forgotten if that one fails.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.chassis import logging
from shared.chassis.batch import BATCH_BYTES, Batch, Missing, Ref, by_collection, in_order
from shared.chassis.contention import Group
from shared.chassis.fold import Careful, Scope
from shared.chassis.patience import Aside
from shared.chassis.ports import Snapshot, Store
from shared.chassis.work import Arrival, Work
from shared.model import Handlers

MOST_FOLDING = 1.0
"""Seconds after which a batch is closed, so that the rest does not wait for it."""


@dataclass(slots=True)
class Draft:
    """Intents, folded: how each ended, and what is to be written if all of it can be."""

    works: list[Work]
    batch: Batch
    outcomes: dict[Work, Any] = field(default_factory=dict)
    left: list[Work] = field(default_factory=list)
    """Those that did not fit into it."""
    began: float = field(default_factory=time.perf_counter)


async def drafted(
    store: Store,
    handlers: Handlers,
    works: list[Work],
    before: Batch | None = None,
    *,
    carefully: bool = False,
) -> Draft:
    """Fold these on one snapshot, and on what `before` changes if that does not show it yet.

    `carefully`: what could not be written is the failure of the intent that made it so.
    """
    draft = Draft(works, Batch(handlers, before, store.check if carefully else None))
    async with store.snapshot() as snapshot:
        await _fold(draft, snapshot)
    draft.batch.before = None
    return draft


async def _fold(draft: Draft, snapshot: Snapshot) -> None:
    batch = draft.batch
    # In the order of the intents, each once: every process takes them so, and nothing is sorted.
    refs = list(dict.fromkeys(ref for work in draft.works for ref in _first(work, batch.handlers)))
    while True:
        if refs:
            batch.add(refs, await snapshot.load(by_collection(refs)))
            if draft.outcomes:  # else nothing was folded yet
                batch.reset()
        refs = in_order(_pass(draft))
        if not refs:
            return


def _first(work: Work, handlers: Handlers) -> Sequence[Ref]:
    return work.plan(handlers) if isinstance(work, Arrival) else work.wanted()


def _pass(draft: Draft) -> set[Ref]:
    """Fold each intent once; what any of them still misses."""
    draft.outcomes.clear()
    draft.left = draft.works[:0]
    missing: set[Ref] = set()
    until = time.perf_counter() + MOST_FOLDING
    for number, work in enumerate(draft.works):
        if draft.outcomes and (draft.batch.bytes > BATCH_BYTES or time.perf_counter() > until):
            draft.left = draft.works[number:]
            break
        try:
            draft.outcomes[work] = fold_one(draft.batch, work)
        except Missing as more:
            missing |= more.refs
    return missing


def fold_one(batch: Batch, work: Work) -> Any:
    """Fold one intent into the batch, whole or not at all; an exception is its outcome."""
    make = Careful if batch.check else Scope
    scope = make(batch)
    with logging.Inside(work.about):
        try:
            outcome = work.fold(scope)
            scope.close()
        except Missing:
            raise
        except Exception as error:
            scope = make(batch)
            try:
                outcome = work.failed(scope, error)
                scope.close()
            except Missing:
                raise
            except Exception as final:
                return final
        finally:
            work.named.update(scope.named, scope.values)
        return outcome


class Ahead:
    """The batch after the one that commits: at most one, and nothing of it is written."""

    def __init__(self, store: Store, handlers: Handlers) -> None:
        self._store, self._handlers = store, handlers
        self._group: Group | None = None
        self._task: asyncio.Task[Draft] | None = None
        self._beside = Aside()

    @property
    def is_begun(self) -> bool:
        """Whether there is one."""
        return self._group is not None

    def begin(self, group: Group, before: Batch) -> None:
        """Draft these on what `before` is about to leave."""
        self._group = group
        work = drafted(self._store, self._handlers, group.works, before)
        self._task = self._beside.start(work)

    def drop(self) -> list[Work]:
        """The batch before it failed: forget the draft; its intents come back."""
        group, self._group = self._group, None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        return group.works if group else []

    async def take(self) -> tuple[Group, Draft | None] | None:
        """What was begun, once it is folded; without a draft if that could not be done."""
        if self._group is None or self._task is None:
            return None
        await asyncio.wait({self._task}, timeout=self._left(self._group))
        group, task, draft = self._group, self._task, None
        if task.done() and not task.cancelled() and task.exception() is None:
            draft = task.result()
        self.drop()
        return group, draft

    def _left(self, group: Group) -> float:
        return max(0.0, group.until - asyncio.get_running_loop().time())
