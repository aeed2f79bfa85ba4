"""The checker of fault runs: content with what is right, and not with one thing wrong in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker.invariants import of_buckets, of_room, violations
from tests.faults.checker.outside import ROOMS, Document, Room, Stored
from tests.faults.checker.state import Expected, Photo, photograph
from tests.faults.scenarios.money import outcome
from tests.unit.faults.platform import COURSE, RIGHT, SEAT, Platform, Said

PLACE = ("telar.trade", 0)


async def found(platform: Platform, expected: Expected | None = None) -> set[str]:
    """The numbers of the invariants that do not hold."""
    wrong = await violations(platform, platform.history, expected)
    return {one.partition(" ")[0] for one in wrong}


async def test_nothing_is_wrong_with_what_is_right() -> None:
    platform = Platform(*RIGHT)
    assert await violations(platform, platform.history) == []


REQUEST = Said("training", "seat-requested", "ana", "op-9", SEAT, "one batch")


@pytest.mark.parametrize(
    "more",
    [
        (REQUEST, REQUEST),
        (REQUEST, replace(REQUEST, commit="another")),
        (REQUEST, replace(REQUEST, service="trade", name="place-applied"), REQUEST),
    ],
    ids=["in one batch", "in two commits", "beside another service"],
)
async def test_a_command_that_was_done_twice_is_found(more: tuple[Said, ...]) -> None:
    assert await found(Platform(*RIGHT, REQUEST)) == set()
    assert "I1" in await found(Platform(*RIGHT, *more))


async def test_one_command_may_say_the_same_of_several_women() -> None:
    promoted = [
        Said(
            *("grants", "funds-reserved", "pool", "op-9"),
            {"pool_id": "pool", "award_id": f"award-{n}"},
            "one commit",
        )
        for n in "12"
    ]
    assert await found(Platform(*RIGHT, *promoted)) == set()


def _forget(platform: Platform) -> None:
    platform.history.append({**platform.history[0], "key": "op-99"})


def _lag(reader: str, publisher: str) -> Callable[[Platform], None]:
    def lag(platform: Platform) -> None:
        for one in platform.held[reader]["streams"]:
            one["in"].pop(publisher, None)

    return lag


def _twice(reader: str, collection: str, part: str) -> Callable[[Platform], None]:
    def twice(platform: Platform) -> None:
        platform.held[reader][collection][0][part] *= 2

    return twice


def _never(reader: str, collection: str, part: str) -> Callable[[Platform], None]:
    def never(platform: Platform) -> None:
        platform.held[reader][collection][0][part] = []

    return never


def _again(collection: str) -> Callable[[Platform], None]:
    def again(platform: Platform) -> None:
        platform.held["gateway"][collection] *= 2

    return again


READERS = [
    (reader, collection, part)
    for part in ("enrolments", "certified")
    for reader, collection in (
        ("training", "dossiers"),
        ("grants", "dossiers"),
        ("trade", "readiness"),
    )
    if (reader, part) != ("training", "certified")
]


@pytest.mark.parametrize(
    "spoil",
    [
        _forget,
        *(_lag(reader, "training") for reader in ("grants", "trade", "gateway")),
        *(_lag(reader, "enrollment") for reader in ("training", "grants", "trade", "gateway")),
        *(_twice(*one) for one in READERS),
        *(_never(*one) for one in READERS),
        _again("timeline"),
        _again("counters"),
    ],
)
async def test_i1_an_effect_that_lacks_or_is_there_twice_is_found(
    spoil: Callable[[Platform], None],
) -> None:
    platform = Platform(*RIGHT)
    spoil(platform)
    assert await found(platform) == {"I1"}


async def test_i1_a_refused_command_with_an_effect_is_found() -> None:
    platform = Platform(*RIGHT)
    platform.history[2]["outcome"] = "refused"
    assert await found(platform) == {"I1"}


async def test_i2_a_command_of_which_nobody_knows_is_found() -> None:
    platform = Platform(*RIGHT)
    platform.history[2]["outcome"] = "unknown"
    assert await found(platform) == {"I2"}


@pytest.mark.parametrize(
    "balances",
    [
        {"available": 101},
        {"available": -1, "disbursed": 101},
        {"available": 60, "reserved": 40},
        {"available": 60, "committed": 40},
    ],
)
async def test_i3_money_that_is_wrong_is_found(balances: dict[str, int]) -> None:
    platform = Platform(*RIGHT)
    platform.held["grants"]["pools"][0]["balances"] |= balances
    assert await found(platform) == {"I3"}


async def test_i3_money_that_no_event_and_no_command_put_in_is_found() -> None:
    platform = Platform(*RIGHT)
    platform.history[5]["facts"]["amount"] = 99
    assert await found(platform) == {"I3"}


def test_i3_a_snapshot_of_money_that_is_wrong_is_found() -> None:
    pools, awards = Platform(*RIGHT).pools_and_awards()
    assert of_buckets(pools, awards) == []
    held: Document = {"pool_id": "pool", "status": "offered", "amount": 40, "tranches": []}
    assert of_buckets(pools, [held])


def _waits(award: str, rank: int) -> Document:
    return {"_id": award, "pool_id": "pool", "status": "waitlisted", "rank": rank}


LINE = [{"award_id": "a", "rank": 1}, {"award_id": "b", "rank": 2}]


@pytest.mark.parametrize(
    ("line", "is_right"),
    [
        (LINE, True),
        (LINE[::-1], False),
        (LINE[:1], False),
        ([*LINE, {"award_id": "c", "rank": 3}], False),
        ([LINE[0], {"award_id": "b", "rank": 1}], False),
    ],
)
def test_i3_a_line_that_awards_do_not_stand_in_is_found(
    line: list[Document], is_right: bool
) -> None:
    pools, _ = Platform(*RIGHT).pools_and_awards()
    awards = [_waits("b", 2), _waits("a", 1), {**_waits("x", 7), "status": "cancelled"}]
    wrong = of_buckets([{**pools[0], "waiting": line}], awards)
    assert (wrong == []) == is_right


def test_i3_two_of_one_rank_are_found() -> None:
    pools, _ = Platform(*RIGHT).pools_and_awards()
    line = [{"award_id": "a", "rank": 1}, {"award_id": "b", "rank": 1}]
    assert of_buckets([{**pools[0], "waiting": line}], [_waits("a", 1), _waits("b", 1)])


@pytest.mark.parametrize(
    ("change", "is_right"),
    [
        ({}, True),
        ({"status": "approved"}, False),
        ({"rank": 3}, False),
        ({"rank": 1}, False),
    ],
    ids=["all", "one is left out", "a rank is left out", "one rank twice"],
)
def test_i3_a_crowd_in_which_not_everybody_has_money_or_a_rank_is_found(
    change: Document, is_right: bool
) -> None:
    pool = {"_id": "pool", "balances": {"available": 0}}
    awards = [{"_id": "a", "status": "offered"}, _waits("b", 1), {**_waits("c", 2), **change}]
    assert (outcome(pool, awards, 3, 1) == []) == is_right


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.groups)
async def test_i3_one_place_too_many_is_found_in_a_snapshot_and_at_the_end(room: Room) -> None:
    platform = Platform(*RIGHT)
    group = platform.held[room.service][room.groups][0]["_id"]
    things: list[Document] = []
    platform.held[room.service][room.things] = things
    for status in ("waitlisted", room.states[0]):
        things.append({"_id": status, room.of: group, "status": status})
        assert of_room(room, *platform.taken(room)) == []
        assert await found(platform) == set()
    things.append({"_id": "one more", room.of: group, "status": room.states[1]})
    assert of_room(room, *platform.taken(room))
    assert await found(platform) == {"I3"}


@pytest.mark.parametrize("twice", ["applicant-enrolled", "certificate-issued"])
async def test_i4_what_a_woman_got_twice_is_found(twice: str) -> None:
    (first,) = [one for one in RIGHT if one.name == twice]
    assert "I4" in await found(Platform(*RIGHT, replace(first, because="op-9")))


async def test_i4_a_certificate_may_come_again_once_the_first_was_taken_back() -> None:
    platform = Platform(
        *RIGHT,
        Said("training", "completion-revoked", "ana", "op-9", COURSE),
        Said("training", "certificate-issued", "ana", "op-10", COURSE),
    )
    assert await found(platform) == set()


async def test_i5_a_number_that_lacks_is_found() -> None:
    platform = Platform(*RIGHT)
    del platform.facts["training"][1]
    del platform.history[3]
    assert "I5" in await found(platform)


@pytest.mark.parametrize("change", [{"sequence": 7}, {"previous": "another"}, {"digest": "other"}])
async def test_i5_an_event_with_another_place_in_its_chain_is_found(
    change: dict[str, Any],
) -> None:
    platform = Platform(*RIGHT)
    platform.facts["training"][-1] = replace(platform.facts["training"][-1], **change)
    assert "I5" in await found(platform)


async def test_i5_what_kafka_lacks_or_nobody_decided_is_found() -> None:
    platform = Platform(*RIGHT)
    lost = platform.topics["training"].pop(0)
    assert await found(platform) == {"I5"}
    assert lost.fact is not None
    platform.topics["training"].insert(0, replace(lost, fact=replace(lost.fact, digest="other")))
    assert await found(platform) == {"I5"}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 201, "code": "", "reply": "other bytes"},
        {"status": 409, "code": "seat-closed", "reply": "the same"},
        {"status": 500, "code": "internal", "reply": ""},
    ],
)
async def test_i6_a_second_answer_is_found(answer: dict[str, object]) -> None:
    platform = Platform(*RIGHT)
    platform.history[0]["tries"].append(answer)
    assert await found(platform) == {"I6"}


@pytest.mark.parametrize("answer", [(0, ""), (503, "mongo"), (409, "idempotency-in-progress")])
async def test_i6_an_answer_that_says_nothing_final_is_none(answer: tuple[int, str]) -> None:
    platform = Platform(*RIGHT)
    status, code = answer
    platform.history[0]["tries"].append({"status": status, "code": code, "reply": "come back"})
    assert await found(platform) == set()


@pytest.mark.parametrize("place", [PLACE, ("telar.trade", 1)], ids=["with records", "without"])
async def test_i7_an_offset_past_the_end_is_found(place: tuple[str, int]) -> None:
    platform = Platform(*RIGHT)
    platform.told["gateway"][place] = 2
    assert await found(platform) == {"I7"}
    platform = Platform(*RIGHT)
    topic, number = place
    rows = [one for one in platform.held["gateway"]["offsets"] if one["_id"] != f"{topic}/{number}"]
    platform.held["gateway"]["offsets"] = [*rows, {"_id": f"{topic}/{number}", "next": 2}]
    assert await found(platform) == {"I7"}
    assert await found(platform, Expected(cut=True)) == set()


async def test_i7_what_no_service_publishes_has_an_end_too() -> None:
    platform = Platform(*RIGHT)
    platform.topics["control"].append(Stored(0, 6, {}, None))
    platform.told["gateway"]["telar.control", 0] = 7
    assert await found(platform) == set()
    platform.told["gateway"]["telar.control", 0] = 8
    assert await found(platform) == {"I7"}


async def test_i7_an_offset_past_what_was_applied_at_one_instant_is_found() -> None:
    def seen(applied: int) -> Expected:
        offsets = {("telar.enrollment", 0): 2}
        return Expected(photos=[Photo("trade", offsets, {("enrollment", "ana"): applied}, _NONE)])

    assert await found(Platform(*RIGHT), seen(2)) == set()
    assert await found(Platform(*RIGHT), seen(1)) == {"I7"}


async def test_i7_an_offset_told_to_kafka_past_what_was_applied_then_is_found() -> None:
    platform = Platform(*RIGHT)
    photo = await photograph(platform, "trade")
    assert await found(platform, Expected(photos=[photo])) == set()
    earlier = replace(photo, applied={**photo.applied, ("enrollment", "ana"): 1}, offsets={})
    assert await found(platform, Expected(photos=[earlier])) == {"I7"}
    waits = replace(earlier, parked=frozenset({"enrollment/ana"}))
    assert await found(platform, Expected(photos=[waits])) == set()


async def test_kafka_is_asked_before_the_database_or_what_is_right_looks_wrong() -> None:
    class Moving(Platform):
        """Its reader goes on while it is looked at."""

        def at_once(self, service: str, *names: str, **wanted: Document) -> list[list[Document]]:
            seen = super().at_once(service, *names, **wanted)
            self.told[service] = dict.fromkeys(self.told[service], 99)
            return seen

    platform = Moving(*RIGHT)
    before = dict(platform.told["trade"])
    assert (await photograph(platform, "trade")).told == before


_NONE = frozenset[str]()


async def test_i8_what_waits_and_was_not_poisoned_is_found() -> None:
    for collection, one in (
        ("outbox", {"_id": "1", "send_after": 1}),
        ("parked", {"_id": "enrollment/ana"}),
        ("quarantine", {"_id": "telar.enrollment/0/7"}),
    ):
        platform = Platform(*RIGHT)
        platform.held["trade"][collection] = [one]
        assert await found(platform) == {"I8"}, collection


async def test_i8_what_was_poisoned_and_does_not_wait_is_found() -> None:
    assert await found(Platform(*RIGHT), Expected(parked={("trade", "grants/eva")})) == {"I8"}
    assert await found(Platform(*RIGHT), Expected(quarantined={"trade": 1})) == {"I8"}


async def test_records_of_strangers_are_counted() -> None:
    platform = Platform(*RIGHT)
    platform.topics["trade"].append(Stored(0, 9, {}, None))
    platform.told["gateway"][PLACE] = 10
    assert await found(platform) == {"I5"}
    assert await found(platform, Expected(strangers=1)) == set()
