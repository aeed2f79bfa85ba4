"""Twelve known faults of systems like this one, as patches; each breaks an invariant by name."""

from __future__ import annotations

from tests.faults.honesty.patching import Patch

_WRITER, _WORK, _FOLD = "shared.chassis.writer", "shared.chassis.work", "shared.chassis.fold"
_RULES = "tests.faults.sim.rules"

_SEND = """\
        try:
            await self.send([event for _, _, events in batch"""
_UNSET = """\
        await self.store.clear(COLLECTION, [one for one, _, _ in batch], "send_after")
"""
_RESET = """\
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
"""

_WRITES = """\
        if writes:
"""
_COMMITTED = """\
                    await transaction.commit(writes, partial"""
_WRITTEN = """\
        for place, (reading, offsets) in moved.items():
"""
_OFFER = """\
        if document is not None:
            self.offer(document, batch.published)
"""

PATCHES = (
    Patch(
        "position-check-off",
        "subscribers",
        (
            (
                "shared.chassis.streams",
                "    if arriving.sequence > sequence + 1:\n        return Verdict.GAP\n",
                "    if sequence >= 0:\n        return Verdict.NEXT\n",
            ),
        ),
    ),
    Patch(
        "position-outside-the-transaction",
        "numbers",
        (
            (
                _WRITER,
                _COMMITTED,
                """\
                    rest = [one for one in writes if one.collection != "streams"]
                    await transaction.commit(rest, partial""",
            ),
            (
                _WRITER,
                _WRITTEN,
                """\
        if writes:
            async with self.store.transaction() as later:
                await later.write([one for one in writes if one.collection == "streams"])
                await later.commit()
"""
                + _WRITTEN,
            ),
        ),
        seed=2,
    ),
    Patch(
        "publishing-before-commit",
        "ghosts",
        ((_WRITER, _OFFER, ""), (_WRITER, _WRITES, _OFFER + _WRITES)),
        seed=4,
    ),
    Patch(
        "unset-before-the-acknowledgement",
        "sent",
        (
            (
                "shared.chassis.outbox",
                _SEND,
                _UNSET + _SEND,
            ),
        ),
        seed=19,
    ),
    Patch(
        "capacity-by-counting",
        "capacity",
        (
            (_RULES, "    return True\n", "    return await _seats(store, room) < SEATS\n"),
            (_RULES, "len(room.held) + len(room.kept) >= SEATS:", "SEATS < 0:"),
        ),
        seed=2,
    ),
    Patch(
        "offset-ahead-of-the-commit",
        "offsets",
        (
            (
                _WRITER,
                "        attempts = tried(outcomes)\n",
                """\
        attempts = tried(outcomes)
        if ahead := [_offset(place, *one) for place, one in _moved(draft.works).items()]:
            async with self.store.transaction() as first:
                await first.write(ahead)
                await first.commit()
""",
            ),
        ),
        seed=7,
    ),
    Patch(
        "reset-to-latest",
        "offsets",
        (
            (
                "shared.chassis.kafka.bus",
                _RESET,
                _RESET.replace("earliest", "latest"),
            ),
        ),
        seed=1,
    ),
    Patch(
        "write-concern-1",
        "effect",
        (("shared.chassis.mongo.store", 'WriteConcern("majority")', "WriteConcern(1)"),),
        seed=134,
    ),
    Patch(
        "idempotency-without-the-body",
        "replies",
        (
            (
                "shared.chassis.replies",
                '        if not hmac.compare_digest(found["digest"], self.digest):\n',
                "        if self.digest is None:\n",
            ),
        ),
        seed=1,
    ),
    Patch(
        "parking-lets-later-events-pass",
        "subscribers",
        (
            (
                _WORK,
                "            parking.hold(scope, arrived, at)\n",
                "            self._apply(scope, arrived)\n",
            ),
        ),
        seed=19,
    ),
    Patch(
        "retry-without-the-position-check",
        "subscribers",
        (
            (
                "shared.chassis.parking",
                "        if not left or left[0].sequence > position + 1:\n",
                "        if not left:\n",
            ),
        ),
        seed=19,
    ),
    Patch(
        "no-version-for-an-empty-answer",
        "skew",
        (
            (
                _FOLD,
                "in in_order(self.named - self.values.keys()) if changed else ():\n",
                "in ():\n",
            ),
        ),
        seed=6,
    ),
)

BY_NAME = {patch.name: patch for patch in PATCHES}
