"""What is lost, forked, dead or restored is found and mended; on memory and on real servers."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.chassis import consumer, deadlines, heads, parking, tail
from shared.chassis.envelope import Envelope, encode
from shared.chassis.ports import Bus, Put, Store, place_id
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until

SOON = timedelta(seconds=0.2)
SHELF = "telar.shelf"
LENT = "telar.shelf.book-lent.v1"


async def order(service: Running, path: str, **body: Any) -> httpx2.Response:
    """An operator's command, with a reason."""
    return await service.post(f"/operations/{path}", {"reason": "as a test", **body})


class Lent:
    """A store or a bus whose borrower's end is not its own."""

    def __init__(self, lender: Any) -> None:
        self._lender = lender

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lender, name)

    async def close(self) -> None:
        """The lender goes on."""


class RepairSuite(CoreSuite):
    """Inherited by a test module that offers what `CoreSuite` wants."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parking, "GAP_PATIENCE", SOON)
        monkeypatch.setattr(heads, "EVERY", SOON)
        monkeypatch.setattr(heads, "QUIET", timedelta(0))
        monkeypatch.setattr(heads, "ASK_AGAIN", 0.2)
        monkeypatch.setattr(tail, "ASK_EVERY", 0.1)
        monkeypatch.setattr(tail, "LOOK_EVERY", SOON)
        monkeypatch.setattr(consumer, "SHORTEST_BREAK", 0.2)
        monkeypatch.setattr(consumer, "COMMIT_EVERY", 0.1)

    async def why(self, reader: Running, *reasons: str) -> list[dict[str, Any]]:
        """What is parked, once it is so for these reasons."""
        return await until(
            lambda: self.parked(reader), lambda held: [one["reason"] for one in held] == [*reasons]
        )

    async def test_the_lost_last_event_of_a_quiet_key_is_found(
        self, shelf: Running, reader: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send = shelf.runtime.publisher.send

        async def lossy(events: list[Envelope]) -> None:
            await send([event for event in events if b'"number":2' not in event.value])

        monkeypatch.setattr(shelf.runtime.publisher, "send", lossy)
        for number in (1, 2):
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": number})
        await until(
            lambda: shelf.json("/operations/shelf"), lambda seen: not seen["backlog"]["outbox"]
        )
        monkeypatch.setattr(shelf.runtime.publisher, "send", send)
        await self.card(reader, "ana", [1, 2])
        await self.why(reader)

    async def test_what_nobody_has_is_dead_and_goes_on_when_it_comes_after_all(
        self, reader: Running, bus: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parking, "ATTEMPTS", 2)
        monkeypatch.setattr(parking, "BACKOFF_MOST", SOON)
        one, two, three = chain("eva", 1, 2, 3)
        await self.send(bus, encode(one), encode(three))
        (dead,) = await self.why(reader, "dead")
        assert (dead["code"], dead["head"], dead["known"]) == ("gap-unanswered", 3, 3)
        await self.send(bus, encode(two))
        await self.card(reader, "eva", [1, 2, 3])
        await self.why(reader)

    async def test_a_dead_key_is_tried_again_when_an_operator_says_so(
        self, reader: Running, bus: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parking, "ATTEMPTS", 1)
        mini.poison.add(13)
        await self.send(bus, *[encode(event) for event in chain("ill", 1, 13, 2)])
        await self.why(reader, "failed")
        await self.why(reader, "dead")
        again = await order(reader, "reader/parked/retry", topic=SHELF, key="ill")
        assert (again.json()["outcome"], again.json()["position"]) == ("failed", 1)
        mini.poison.clear()
        again = await order(reader, "reader/parked/retry", topic=SHELF, key="ill")
        assert (again.json()["outcome"], again.json()["position"]) == ("released", 3)
        await self.card(reader, "ill", [1, 13, 2])
        audit = (await reader.json("/operations/reader/audit"))["items"]
        assert [(one["action"], one["outcome"]) for one in audit] == [
            ("retry", "failed"),
            ("retry", "released"),
        ]
        assert {(one["actor"], one["reason"]) for one in audit} == {("op-1", "as a test")}

    async def test_skipping_gives_up_one_event_and_only_the_next(
        self, reader: Running, bus: Bus
    ) -> None:
        mini.poison.add(13)
        await self.send(bus, *[encode(event) for event in chain("ill", 1, 13, 2)])
        await self.why(reader, "failed")
        path, which = "reader/parked/skip", {"topic": SHELF, "key": "ill"}
        assert (await order(reader, path, **which, sequence=3)).json()["code"] == "skip-not-next"
        key = uuid.uuid4().hex
        body = {"reason": "never mind", **which, "sequence": 2}
        first, second = [await reader.post(f"/operations/{path}", body, key) for _ in "12"]
        assert first.json()["outcome"] == "released"
        assert first.content == second.content
        await self.card(reader, "ill", [1, 2])
        unknown = await order(reader, path, **which, sequence=4)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "parked-unknown")

    async def test_a_missing_event_can_be_skipped_since_the_next_one_knows_its_hash(
        self, reader: Running, bus: Bus
    ) -> None:
        one, _, three = chain("eva", 1, 2, 3)
        await self.send(bus, encode(one), encode(three))
        await self.why(reader, "gap")
        done = await order(reader, "reader/parked/skip", topic=SHELF, key="eva", sequence=2)
        assert done.json()["outcome"] == "released"
        await self.card(reader, "eva", [1, 3])

    async def test_several_missing_events_can_be_skipped_at_once(
        self, reader: Running, bus: Bus
    ) -> None:
        one, *_, four, five = chain("lea", 1, 2, 3, 4, 5)
        await self.send(bus, *map(encode, (one, four, five)))
        await self.why(reader, "gap")
        path, which = "reader/parked/skip", {"topic": SHELF, "key": "lea"}
        for last, code in ((None, "hash-unknown"), (1, "not-next"), (6, "hash-unknown")):
            no = await order(reader, path, **which, sequence=2, last=last)
            assert no.json()["code"] == f"skip-{code}"
        done = await order(reader, path, **which, sequence=2, last=3)
        assert (done.json()["outcome"], done.json()["position"]) == ("released", 5)
        await self.card(reader, "lea", [1, 4, 5])
        audit = (await reader.json("/operations/reader/audit"))["items"]
        assert [one["subject"] for one in audit] == [f"{SHELF}/lea/2-3"]

    async def test_of_a_fork_the_applied_branch_can_be_kept(
        self, reader: Running, bus: Bus
    ) -> None:
        ours, theirs = chain("fay", 1, 2, 3), chain("fay", 1, 7, branch="b")
        await self.send(bus, *[encode(event) for event in (*ours[:2], theirs[1], ours[2])])
        await self.why(reader, "fork")
        await self.card(reader, "fay", [1, 2])
        shown = await reader.json("/operations/reader/parked/one", topic=SHELF, key="fay")
        assert (shown["position"][0], shown["fork"]["id"]) == (2, "fay-2b")
        no = await order(reader, "reader/parked/retry", topic=SHELF, key="fay")
        assert no.json()["code"] == "parked-fork"
        await order(reader, "reader/adopt", topic=SHELF, key="fay", branch="kept")
        await self.card(reader, "fay", [1, 2, 3])

    async def test_of_a_fork_the_arrived_branch_can_be_followed(
        self, reader: Running, bus: Bus
    ) -> None:
        ours, theirs = chain("fay", 1, 2), chain("fay", 1, 7, 8, branch="b")
        await self.send(bus, *[encode(event) for event in (*ours, *theirs[1:])])
        await self.why(reader, "fork")
        path, which = "reader/adopt", {"topic": SHELF, "key": "fay", "branch": "arrived"}
        assert (await order(reader, path, **which)).json()["code"] == "branch-unknown"
        far = await order(reader, path, **which, sequence=9)
        assert far.json()["code"] == "branch-unreachable"
        done = await order(reader, path, **which, sequence=2)
        assert done.json()["position"] == 3
        await self.card(reader, "fay", [1, 2, 7, 8])

    async def test_a_number_that_its_publisher_never_gave_is_a_fork(
        self, shelf: Running, reader: Running, bus: Bus
    ) -> None:
        await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 1})
        await self.card(reader, "ana", [1])
        await self.send(bus, encode(chain("ana", 1, 2, 3)[2]))
        await self.why(reader, "fork")

    async def test_of_a_fork_that_only_a_head_tells_of_the_event_is_shown_once_it_is_sent_again(
        self, shelf: Running, reader: Running, bus: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def lose(events: list[Envelope]) -> None:
            """As a broker that says it has them."""

        with monkeypatch.context() as lossy:
            lossy.setattr(shelf.runtime.publisher, "send", lose)
            await self.send(bus, encode(chain("ana", 7, branch="b")[0]))
            await self.card(reader, "ana", [7])
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 1})
            await until(
                lambda: shelf.json("/operations/shelf"), lambda seen: not seen["backlog"]["outbox"]
            )
        await self.why(reader, "fork")
        which = {"topic": SHELF, "key": "ana"}
        shown = await reader.json("/operations/reader/parked/one", **which)
        assert (shown["fork"]["sequence"], "id" in shown["fork"]) == (1, False)
        await order(shelf, "shelf/resend", key="ana", first=1)
        await until(
            lambda: reader.json("/operations/reader/parked/one", **which),
            lambda seen: "id" in seen["fork"],
        )
        await order(reader, "reader/adopt", **which, branch="arrived", sequence=1)
        await self.card(reader, "ana", [7, 1])

    async def test_a_key_holds_no_more_than_it_may_and_asks_for_the_rest(
        self, shelf: Running, reader: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parking, "HELD_EVENTS", 3)
        mini.poison.add(1)
        for number in range(1, 9):
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": number})
        await until(lambda: self.parked(reader), lambda held: held and held[0]["held"] == 3)
        mini.poison.clear()
        await self.card(reader, "ana", list(range(1, 9)))
        await self.why(reader)

    async def open_the_breaker(self, reader: Running, bus: Bus) -> list[str]:
        """Everything fails, on many keys: these."""
        mini.poison.add(13)
        keys = [f"k{number}" for number in range(120)]
        await self.send(bus, *[encode(event) for key in keys for event in chain(key, 13)])
        await until(reader.runtime.faults, lambda faults: "breaker" in faults)
        return keys

    async def test_a_release_in_which_everything_fails_parks_nothing(
        self, reader: Running, bus: Bus
    ) -> None:
        keys = await self.open_the_breaker(reader, bus)
        assert await self.parked(reader) == []
        mini.poison.clear()
        for key in keys:
            await self.card(reader, key, [13])
        assert await self.parked(reader) == []
        await until(reader.runtime.faults, lambda faults: not faults)

    async def test_what_nobody_handles_here_keeps_no_breaker_shut(
        self, reader: Running, bus: Bus
    ) -> None:
        mini.poison.add(13)
        other = "telar.shelf.book-burnt.v1"
        for number in range(120):
            await self.send(bus, *map(encode, chain(f"k{number}", 0, 0, 0, 13, other=other)))
        await until(reader.runtime.faults, lambda faults: "breaker" in faults)
        mini.poison.clear()
        for number in range(120):
            await self.card(reader, f"k{number}", [13])

    async def test_commands_go_on_while_the_breaker_is_open(
        self, reader: Running, bus: Bus
    ) -> None:
        await self.open_the_breaker(reader, bus)
        no = await order(reader, "reader/parked/retry", topic=SHELF, key="k1")
        assert no.json()["code"] == "parked-unknown"

    async def test_what_nobody_can_use_is_parked_once_an_operator_lets_it_pass(
        self, reader: Running, bus: Bus
    ) -> None:
        await self.open_the_breaker(reader, bus)
        await self.send(bus, *map(encode, chain("well", 1, 2)))
        assert (await order(reader, "reader/breaker/pass")).status_code == 200
        await self.card(reader, "well", [1, 2])
        backlog = (await reader.json("/operations/reader"))["backlog"]
        assert backlog["failed"] == 120
        await until(reader.runtime.faults, lambda faults: not faults)
        (entry,) = (await reader.json("/operations/reader/audit"))["items"]
        assert (entry["action"], entry["subject"]) == ("let-pass", "breaker")

    async def test_a_publisher_from_an_old_backup_does_not_serve_until_it_adopts_its_topic(
        self, keys: Path, shelf_store: Store, reader: Running, bus: Bus
    ) -> None:
        unknown = chain("ana", 1, 2)
        await self.send(bus, *[encode(event) for event in unknown])
        await self.card(reader, "ana", [1, 2])
        async with running(mini.SHELF, keys, shelf_store, bus, ready=False) as shelf:
            await until(shelf.runtime.faults, lambda faults: faults == ["restored"])
            refused = await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 3})
            assert (refused.status_code, refused.json()["code"]) == (503, "not-ready")
            adopted = await order(shelf, "shelf/adopt-topic")
            assert adopted.json() == {"keys": 1, "events": 2}
            await until(shelf.runtime.faults, lambda faults: not faults)
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 3})
            await self.card(reader, "ana", [1, 2, 3])
            chains = await shelf.json("/operations/shelf/chains")
            assert (chains["items"], chains["checked"]) == ([], 1)
            again = await order(shelf, "shelf/adopt-topic")
            assert again.json()["code"] == "not-restored"

    async def test_own_events_are_sent_again_on_demand(
        self, shelf: Running, reader: Running
    ) -> None:
        for number in (1, 2, 3):
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": number})
        await self.card(reader, "ana", [1, 2, 3])
        sent = await order(shelf, "shelf/resend", key="ana", first=2)
        assert sent.json() == {"sent": 2, "head": 3}
        beyond = await order(shelf, "shelf/resend", key="ana", first=4)
        assert beyond.json()["code"] == "resend-beyond-head"
        topic = await shelf.json("/operations/shelf/topic")
        assert (topic["records"], topic["numbers"]) == (5, {"ana": [[1, 3]]})
        lag = await until(
            lambda: reader.json("/operations/reader/lag"),
            lambda rows: not any(one["behind"] for one in rows if one["topic"] == SHELF),
        )
        shelf_lag = [one for one in lag if one["topic"] == SHELF]
        assert [one["partition"] for one in shelf_lag] == [0, 1]
        assert sum(one["end"] for one in shelf_lag) == 5

    async def test_a_wait_longer_than_patience_of_which_nothing_is_written_is_said_so(
        self, shelf: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.chassis.writer.PATIENCE", 0.0)
        answer = await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 1})
        assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")

    async def test_orders_are_limited(self, reader: Running) -> None:
        answers = [
            await order(reader, "reader/parked/retry", topic=SHELF, key="nobody") for _ in range(31)
        ]
        assert {one.status_code for one in answers[:30]} == {404}
        assert answers[30].json()["code"] == "operator-rate"

    @pytest.mark.parametrize("goes_back", [False, True])
    async def test_a_handler_that_was_added_later_makes_up_for_what_it_missed_once(
        self, keys: Path, reader_store: Store, bus: Bus, *, goes_back: bool
    ) -> None:
        events = [encode(one) for key in ("ana", "eva") for one in chain(key, 1, 2)]
        store: Any = Lent(reader_store)
        same: Any = Lent(bus)
        async with running(mini.DEAF, keys, store, same) as deaf:
            await self.send(bus, *events, events[0])
            await until(
                lambda: deaf.json("/operations/reader"),
                lambda seen: seen["applied"] == {"shelf": 4},
            )
            none = await order(deaf, "reader/backfill", type=LENT)
            assert (none.status_code, none.json()["code"]) == (404, "backfill-type-unhandled")
        if goes_back:  # as a reader leaves it that reads again, and dies meanwhile
            places = [place_id(place) for place in await bus.ends(SHELF)]
            async with reader_store.transaction() as transaction:
                left = (await reader_store.some("offsets", places)).values()
                again = [Put("offsets", {**one, "next": 0}, versioned=False) for one in left]
                await transaction.write(again)
                await transaction.commit()
        async with running(mini.READER, keys, reader_store, bus) as reader:
            await self.send(bus, encode(chain("ana", 1, 2, 3)[2]))
            await self.card(reader, "ana", [3])
            for _ in range(2):
                assert (await order(reader, "reader/backfill", type=LENT)).status_code == 200
                page = await until(
                    lambda: reader.json("/operations/reader/backfill"),
                    lambda seen: seen["items"][0]["state"] == "done",
                )
                await self.card(reader, "ana", [3, 1, 2])
                await self.card(reader, "eva", [1, 2])
            assert page["items"] == [
                {"type": LENT, "state": "done", "events": 0, "applied": 0, "failures": []}
            ]

    async def test_a_deadline_that_changes_nothing_backs_off_and_then_is_dead(
        self, reader: Running, reader_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deadlines, "CLAIM", timedelta(seconds=0.05))
        monkeypatch.setattr(deadlines, "ATTEMPTS", 3)
        at = reader.runtime.clock.now()
        async with reader_store.transaction() as transaction:
            clock = {"_id": "stuck", "version": 1, "due": at, "at": at}
            await transaction.write([Put("alarms", clock)])
            await transaction.commit()
        seen = await until(
            lambda: reader.json("/operations/reader"), lambda now: now["backlog"]["deadlines"] == 1
        )
        assert seen["backlog"]["dead"] == 0
        left = await reader_store.get("alarms", "stuck")
        assert left is not None
        assert (left["due"], left["ticks"]) == (deadlines.DEAD, 4)
