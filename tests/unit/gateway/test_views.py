"""Views: whatever the order in which topics are read, they end the same."""

from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from services.gateway.domain.people import WOMEN
from services.gateway.handlers import (
    facts,
    facts_of_persons,
    facts_of_things,
    handlers,
    record,
)
from services.gateway.routes import StateCounts
from shared.chassis.batch import Batch, Missing
from shared.chassis.envelope import encode, encode_value, envelope, short
from shared.chassis.fold import Scope, run
from shared.chassis.streams import fresh as fresh_stream
from shared.chassis.streams import number
from shared.events import enrollment, grants, trade, training
from shared.model import EVENT_TYPES, Event, Fact
from tests.support.spec import NOON, context
from tests.support.wait import until
from tests.unit.gateway.behind import Gateway, fresh, started

REGISTERED = enrollment.PersonRegistered(
    person_id="ana", state="20", municipality="20067", rural_class="rural"
)
ENROLLED = enrollment.ApplicantEnrolled(person_id="ana", enrolment_id="ana:c1", call_id="c1")
EVALUATED = enrollment.EligibilityEvaluated(
    person_id="ana",
    enrolment_id="ana:c1",
    rules_version="v1",
    outcome="met",
    leaves=(enrollment.Leaf(code="is-woman", result="met"),),
)
CERTIFIED = training.CertificateIssued(person_id="ana", certificate_id="ana:x", course_id="x")
PAID = grants.PaymentConfirmed(
    person_id="ana", payment_id="p1", award_id="a1", tranche=1, amount=250_000
)
PLACED = trade.PlaceConfirmed(person_id="ana", place_id="f1:ana", fair_id="f1")


BOTH, SIX = (REGISTERED, PAID), range(6)


def fact(event: Event, sequence: int = 1, partition: int = 0, minute: int = 0) -> Fact:
    topic = f"telar.{event.publisher()}"
    at = NOON + timedelta(minutes=minute)
    kind = event.event_type or ""
    return Fact("f", kind, at, topic, event.stream_key, sequence, partition, "correlation-1")


class Views:
    """The views of one gateway, folded as the writer folds them."""

    def __init__(self) -> None:
        self.batch = Batch(handlers)

    def take(self, event: Event, place: Fact) -> None:
        while True:
            scope = Scope(self.batch)
            try:
                run(scope, record(event, place), context())
            except Missing as missing:
                self.batch.add(missing.refs, {})
            else:
                scope.close()
                return

    def all(self, collection: str) -> dict[str, Any]:
        cells = self.batch.cells.items()
        return {ref.id: cell.value for ref, cell in cells if ref.collection == collection}


def counted(views: Views, *, women: bool = False) -> dict[str, dict[str, int]]:
    """The sums by state, without what is zero: how often and how much, or of how many women."""
    sums: dict[str, dict[str, int]] = {}
    for part in views.all("counters").values():
        of_state = sums.setdefault(part.state, {})
        for name, value in part.counts.items():
            if name.startswith(WOMEN) == women:
                of_state[name] = of_state.get(name, 0) + value
    some = {s: {n: v for n, v in counts.items() if v} for s, counts in sums.items()}
    return {state: counts for state, counts in some.items() if counts}


def test_any_order_of_topics_ends_in_the_same_counts():
    expected = {
        "20": {
            "registered": 1,
            "certificates_issued": 1,
            "payments_confirmed": 1,
            "paid_amount": 250_000,
            "places_confirmed": 1,
        }
    }
    events: tuple[Event, ...] = (CERTIFIED, PAID, PLACED, REGISTERED)
    facts = [(event, fact(event, partition=number)) for number, event in enumerate(events)]
    for order in permutations(facts):
        views = Views()
        for event, place in order:
            views.take(event, place)
        assert counted(views) == expected
        assert counted(views, women=True) == {"20": {WOMEN + name: 1 for name in expected["20"]}}


def test_a_woman_is_one_woman_however_often_something_happens_to_her():
    views = Views()
    for sequence in (1, 2):
        views.take(PAID, fact(PAID, sequence=sequence))
    views.take(REGISTERED, fact(REGISTERED, partition=1))
    views.take(PAID, fact(PAID, sequence=3))
    bea = PAID.model_copy(update={"person_id": "bea"})
    views.take(bea, fact(bea))
    assert counted(views)["20"]["payments_confirmed"] == 3
    women = counted(views, women=True)
    assert women["20"][WOMEN + "payments_confirmed"] == 1
    assert women["unknown"][WOMEN + "payments_confirmed"] == 1


def test_what_came_before_her_state_stands_under_unknown():
    views = Views()
    views.take(PAID, fact(PAID))
    assert counted(views) == {"unknown": {"payments_confirmed": 1, "paid_amount": 250_000}}


def test_only_the_counters_of_the_facts_own_partition_are_written():
    views = Views()
    views.take(PAID, fact(PAID, partition=4))
    views.take(REGISTERED, fact(REGISTERED, partition=2))
    assert set(views.all("counters")) == {
        "unknown:telar.grants:4",
        "unknown:telar.enrollment:2",
        "20:telar.enrollment:2",
    }


def test_every_fact_of_a_person_is_on_her_timeline():
    types = set(facts_of_persons())
    shown = (REGISTERED, ENROLLED, EVALUATED, CERTIFIED, PAID, PLACED)
    assert {type(event) for event in shown} <= types
    assert all(kind.key_field == "person_id" for kind in types)
    assert enrollment.CallPublished not in types


def test_every_published_fact_is_shown_somewhere():
    assert set(facts()) == {*facts_of_persons(), *facts_of_things()} <= set(handlers.types())
    assert {kind for kind in EVENT_TYPES.values() if kind.__module__.startswith("shared.")} == set(
        facts()
    )


def test_an_entry_says_what_happened_in_codes():
    views = Views()
    views.take(EVALUATED, fact(EVALUATED, sequence=12, minute=3))
    entry = views.all("timeline")["ana/enrollment/000000000012"]
    assert (entry.service, entry.fact, entry.sequence) == (
        "enrollment",
        "eligibility-evaluated",
        12,
    )
    assert entry.at == NOON + timedelta(minutes=3)
    assert entry.details == {
        "enrolment_id": "ana:c1",
        "rules_version": "v1",
        "outcome": "met",
        "leaves": ["is-woman=met"],
    }


def test_as_of_is_the_newest_fact_whatever_came_last():
    views = Views()
    views.take(PAID, fact(PAID, minute=9))
    views.take(REGISTERED, fact(REGISTERED, minute=2))
    assert views.all("people")["ana"].as_of == NOON + timedelta(minutes=9)


async def publish(gateway: Gateway, *events: Event) -> None:
    """What the services would have sent, numbered by topic and key."""
    producer = await gateway.bus.producer()
    streams: dict[str, Any] = {}
    for minute, event in enumerate(events):
        now = context(NOON + timedelta(minutes=minute), cause=f"cause-{minute}")
        unnumbered = envelope(event, encode_value(event), f"event-{minute}", now)
        place = f"{short(unnumbered.topic)}/{event.stream_key}"
        stream = streams.get(place) or fresh_stream(event.stream_key)
        streams[place], sealed = number(stream, unnumbered)
        await producer.send([encode(sealed)], 5.0)


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return fresh(tmp_path, monkeypatch, partitions=2)


async def test_her_timeline_is_read_in_pages_by_time_through_the_public_api(quiet: Gateway):
    async with started(quiet) as gateway:
        await until(gateway.app.state.runtime.faults, lambda faults: "starting" not in faults)
        await publish(gateway, REGISTERED, PAID, ENROLLED, CERTIFIED)
        path = "/v1/persons/ana/timeline?limit=3&after=enrollment/ana/2,training/ana/1,grants/ana/1"
        answer = await gateway.get(path)
        page = answer.json()
        assert answer.headers["telar-after"] == "reached"
        assert [entry["fact"] for entry in page["items"]] == [
            "person-registered",
            "payment-confirmed",
            "applicant-enrolled",
        ]
        assert page["as_of"] == "2026-03-02T12:03:00Z"
        rest = (await gateway.get(f"/v1/persons/ana/timeline?cursor={page['next']}")).json()
        assert [entry["fact"] for entry in rest["items"]] == ["certificate-issued"]
        assert rest["next"] is None


async def test_she_waits_for_her_own_facts_and_learns_of_nobody_elses(quiet: Gateway):
    async with started(quiet) as gateway:
        await until(gateway.app.state.runtime.faults, lambda faults: "starting" not in faults)
        other = REGISTERED.model_copy(update={"person_id": "bea"})
        await publish(gateway, REGISTERED, other, OPENED)
        helper = gateway.issuer.access_token("helper", ["promoter"], "ana")
        staff = gateway.issuer.access_token("officer-1", ["intake"])
        places = ("enrollment/ana/1", "enrollment/bea/1", "grants/pool-1/1")
        for token, told in ((helper, [True, False, False]), (staff, [True, True, True])):
            headers, seen = {"authorization": f"Bearer {token}"}, list[bool]()
            for place in places:
                path = f"/v1/persons/ana/timeline?after={place}"
                answer = await gateway.http.get(path, headers=headers)
                seen.append(answer.headers["telar-after"] == "reached")
            assert seen == told
        mixed = await gateway.get(f"/v1/persons/ana/timeline?after={','.join(places)}")
        assert mixed.headers["telar-after"] == "not-reached"


RESERVED = grants.FundsReserved(
    pool_id="pool-1",
    award_id="ana:r1",
    amount=200,
    balances=grants.Balances(available=800, reserved=200),
)
CALLED = enrollment.CallPublished(
    call_id="c1", opens_at=NOON, closes_at=NOON + timedelta(days=1), rules_version="v1"
)
OPENED = grants.PoolOpened(pool_id="pool-1", amount=1000, balances=grants.Balances(available=1000))


async def test_the_history_of_a_pool_is_read_by_staff_and_by_nobody_else(quiet: Gateway):
    async with started(quiet) as gateway:
        await until(gateway.app.state.runtime.faults, lambda faults: "starting" not in faults)
        await publish(gateway, OPENED, RESERVED, PAID)
        headers, path = gateway.bearer("officer-1", "auditor"), "/v1/things/pool-1/history"
        answer = await gateway.http.get(f"{path}?after=grants/pool-1/2", headers=headers)
        items = answer.json()["items"]
        assert [entry["fact"] for entry in items] == ["pool-opened", "funds-reserved"]
        assert items[1]["details"] == {
            "award_id": "ana:r1",
            "amount": 200,
            "balances": "available=800 reserved=200 committed=0 disbursed=0",
        }
        assert (await gateway.get(path)).json()["code"] == "role-missing"


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("approver", 200),
        ("treasurer", 200),
        ("operator", 200),
        ("intake", 403),
        ("trainer", 403),
        ("trade", 403),
    ],
)
async def test_who_may_not_read_awards_does_not_find_them_in_the_history_of_their_pool(
    quiet: Gateway, role: Any, status: int
):
    async with started(quiet) as gateway:
        await until(gateway.app.state.runtime.faults, lambda faults: "starting" not in faults)
        await publish(gateway, OPENED, RESERVED, CALLED)
        headers = gateway.bearer("officer-1", role)
        path = "/v1/things/pool-1/history?limit=1&after=grants/pool-1/2"
        answer = await gateway.http.get(path, headers=headers)
        assert answer.status_code == status
        assert status == 200 or answer.json()["code"] == "role-missing"
        path = "/v1/things/c1/history?after=enrollment/c1/1"
        [chapter] = (await gateway.http.get(path, headers=headers)).json()["items"]
        assert chapter["fact"] == "call-published"


def test_only_the_history_of_a_pool_speaks_of_women():
    hers = ("person_id", "award_id", "application_id", "enrolment_id", "seat_id", "place_id")
    speaking = {kind.publisher() for kind in facts_of_things() if {*hers} & {*kind.model_fields}}
    assert speaking == {"grants"}


def test_a_leaf_that_was_lost_says_why():
    views = Views()
    lost = trade.Leaf(code="course:c1", result="unmet", reason_code="issued-by-mistake")
    assessed = trade.ReadinessAssessed(person_id="ana", met=False, leaves=(lost,))
    views.take(assessed, fact(assessed))
    entry = views.all("timeline")["ana/trade/000000000001"]
    assert entry.details["leaves"] == ["course:c1=unmet=issued-by-mistake"]


async def test_the_states_are_summed_with_their_time(quiet: Gateway):
    async with started(quiet) as gateway:
        await until(gateway.app.state.runtime.faults, lambda faults: "starting" not in faults)
        ana = [one.model_copy(update={"person_id": f"ana-{n}"}) for n in range(5) for one in BOTH]
        bea = [REGISTERED.model_copy(update={"person_id": f"bea-{n}", "state": "31"}) for n in SIX]
        eva = [PAID.model_copy(update={"person_id": f"eva-{n}"}) for n in range(5)]
        await publish(gateway, *ana, *bea, *eva)
        headers = gateway.bearer("officer-1", "auditor")
        after = "after=enrollment/ana-4/1,grants/ana-4/1,enrollment/bea-5/1,grants/eva-4/1"
        answer = await gateway.http.get(f"/v1/indicators/states?{after}", headers=headers)
        seen = answer.json()
        assert answer.headers["telar-after"] == "reached"
        assert set(seen["states"]) == {"20", "31"}
        assert seen["states"]["20"]["paid_amount"] == 1_250_000
        assert seen["states"]["31"]["registered"] == 6
        assert seen["unknown"]["paid_amount"] == 1_250_000
        assert (seen["total"]["registered"], seen["total"]["paid_amount"]) == (11, 2_500_000)
        assert seen["as_of"] == "2026-03-02T12:20:00Z"


async def test_the_numbers_of_one_woman_are_not_shown_nor_what_gives_them_away(quiet: Gateway):
    async with started(quiet) as gateway:
        await until(gateway.app.state.runtime.faults, lambda faults: "starting" not in faults)
        many = [one.model_copy(update={"person_id": f"ana-{n}"}) for n in range(9) for one in BOTH]
        alone = [one.model_copy(update={"person_id": "bea"}) for one in (REGISTERED, PAID, PAID)]
        alone[0] = alone[0].model_copy(update={"state": "31"})
        await publish(gateway, *many, *alone)
        headers = gateway.bearer("officer-1", "trainer")
        after = "after=enrollment/ana-8/1,grants/ana-8/1,enrollment/bea/1,grants/bea/2"
        answer = await gateway.http.get(f"/v1/indicators/states?{after}", headers=headers)
        assert answer.headers["telar-after"] == "reached"
        seen = answer.json()
        for name in ("registered", "payments_confirmed", "paid_amount"):
            assert (seen["states"]["20"][name], seen["states"]["31"][name]) == (None, None)
        assert (seen["total"]["registered"], seen["total"]["paid_amount"]) == (10, 2_750_000)
        assert (seen["unknown"]["paid_amount"], seen["states"]["31"]["enrolled"]) == (0, 0)


@pytest.mark.parametrize(
    ("subject", "role", "act_for", "status"),
    [
        ("ana", "applicant", None, 200),
        ("helper", "promoter", "ana", 200),
        ("officer-1", "operator", None, 200),
        ("officer-1", "auditor", None, 200),
        ("officer-1", "intake", None, 200),
        ("bea", "applicant", None, 404),
        ("helper", "promoter", None, 404),
        ("helper", "promoter", "bea", 404),
        ("officer-1", "treasurer", None, 403),
    ],
)
async def test_who_may_read_her_timeline(
    gateway: Gateway, subject: str, role: Any, act_for: str | None, status: int
):
    token = gateway.issuer.access_token(subject, [role], act_for)
    headers = {"authorization": f"Bearer {token}"}
    answer = await gateway.http.get("/v1/persons/ana/timeline", headers=headers)
    assert answer.status_code == status


async def test_the_programmes_counts_are_not_for_applicants(gateway: Gateway):
    answer = await gateway.get("/v1/indicators/states")
    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")


def test_everything_that_is_counted_is_shown():
    from services.gateway.handlers import AMOUNTS, TIMES

    assert set(StateCounts.model_fields) == {*TIMES.values(), *AMOUNTS.values()}
