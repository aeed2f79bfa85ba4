"""What must hold once everything has healed, whatever died: each sentence that does not, in words.

I1  an accepted command has its effect exactly once, in its service and in every subscriber
I2  a refused one has none; an unknown one was asked again, so that it is one of the two
I3  no bucket of money is below zero, and the sum is what was put in; nothing over capacity
I4  one certificate a woman and course, one enrolment a woman and call
I5  the numbers of every stream are 1..n, chained by hash, in the outbox, in Kafka, in each reader
I6  one key has one answer: the same status, the same bytes
I7  no offset stands past what was applied
I8  nothing waits in an outbox; parked and quarantined is what was poisoned, and nothing else
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tests.faults.checker.outside import GENESIS, ROOMS, Document, Fact, Outside, Room
from tests.faults.checker.state import Expected, Photo, State, read

BUCKETS = ("available", "reserved", "committed", "disbursed")
ENROLLED = ("applicant-enrolled", "enrolment-withdrawn", "call_id")
CERTIFIED = ("certificate-issued", "completion-revoked", "course_id")
"""What gives a woman something that she may have once, what takes it back, and what it is of."""
DOSSIERS = (
    ("training", "dossiers", "enrolments"),
    ("grants", "dossiers", "enrolments"),
    ("trade", "readiness", "enrolments"),
)
CERTIFICATES = (("grants", "dossiers", "certified"), ("trade", "readiness", "certified"))
"""Who keeps what of a woman that another service said, and in which field of what."""
COUNTED = {
    "registered": ("enrollment", "person-registered"),
    "enrolled": ("enrollment", "applicant-enrolled"),
    "seats_confirmed": ("training", "seat-confirmed"),
    "courses_completed": ("training", "course-completed"),
    "certificates_issued": ("training", "certificate-issued"),
    "awards_accepted": ("grants", "award-accepted"),
    "places_confirmed": ("trade", "place-confirmed"),
}


async def violations(
    outside: Outside, history: list[Document], expected: Expected | None = None
) -> list[str]:
    """All that does not hold; empty when everything does."""
    expected = expected or Expected()
    state = await read(outside, history)
    found = [
        *of_commands(state),
        *of_answers(history),
        *of_money(state),
        *of_places(state),
        *of_once(state),
        *of_streams(state),
        *of_topics(state, expected),
        *of_readers(state, expected),
        *of_views(state, expected),
        *of_offsets(state, expected),
        *of_rest(outside, expected),
    ]
    return found[:200]


# -- I1, I2, I6: what the clients were told ---------------------------------------------------


def of_commands(state: State) -> Iterable[str]:
    """Accepted: one commit carries its events. Refused: none does."""
    commits: dict[tuple[str, str], set[str]] = defaultdict(set)
    for service, facts in state.facts.items():
        for fact in facts:
            commits[service, fact.correlation].add(fact.commit)
    for op in state.history:
        found = len(commits[op["service"], op["key"]])
        wanted = {"ok": int(op["publishes"]), "refused": 0}.get(op["outcome"])
        if wanted is None:
            yield f"I2 {op['key']} {op['name']}: nobody knows what became of it"
        elif found != wanted:
            yield f"I1 {op['key']} {op['name']} was {op['outcome']}, effects: {found}"
    yield from _said_twice(state)


def _said_twice(state: State) -> Iterable[str]:
    """A commit holds many commands: one that was folded twice in it shows in its events alone."""
    given = {op["key"] for op in state.history}
    for service, facts in state.facts.items():
        said = Counter(
            (fact.correlation, fact.name, fact.key, _about(fact))
            for fact in facts
            if fact.correlation in given
        )
        for (correlation, name, key, _), times in said.items():
            if times > 1:
                yield f"I1 {correlation} said {name} of {service}/{key} {times} times"


def _about(fact: Fact) -> tuple[str, ...]:
    """Whom and what an event names: one command may promote several women."""
    body = json.loads(fact.value)
    return tuple(f"{body[name]}" for name in body if name.endswith("_id") or name == "tranche")


def of_answers(history: Iterable[Document]) -> Iterable[str]:
    """One key, one answer; and an answer that says nothing final is none."""
    for op in history:
        final = {
            (one["status"], one["reply"])
            for one in op["tries"]
            if 200 <= one["status"] < 500
            and one["status"] not in (401, 429)
            and one["code"] != "idempotency-in-progress"
        }
        if len(final) > 1:
            yield f"I6 {op['key']} {op['name']}: {len(final)} answers {sorted(final)}"
        for one in op["tries"]:
            if one["status"] >= 500 and one["status"] not in (502, 503, 504):
                yield f"I6 {op['key']} {op['name']}: {one['status']} {one['code']}"


# -- I3, I4: money, capacity, things that there may be once ------------------------------------


def of_money(state: State) -> Iterable[str]:
    """A pool holds what the accepted commands put in, and awards hold what the pool promised."""
    if "grants" not in state.services:
        return
    given, decided = _given(state.history), _decided(state.facts["grants"])
    pools, awards = state.outside.pools_and_awards()
    yield from of_buckets(pools, awards)
    for pool in pools:
        total = sum(pool["balances"][name] for name in BUCKETS)
        if total != decided[pool["_id"]]:
            yield f"I3 pool {pool['_id']} holds {total}, its events say {decided[pool['_id']]}"
        if pool["_id"] in given and total != given[pool["_id"]]:
            yield f"I3 pool {pool['_id']} holds {total}, was given {given[pool['_id']]}"


def _given(history: Iterable[Document]) -> Counter[str]:
    """What the clients put into each pool, as far as they were told that they did."""
    given: Counter[str] = Counter()
    for op in history:
        if op["outcome"] == "ok" and "amount" in op["facts"]:
            given[op["facts"]["pool"]] += int(op["facts"]["amount"])
    return given


def _decided(facts: Iterable[Fact]) -> Counter[str]:
    """What went into each pool, and was taken out again, as its events say."""
    decided: Counter[str] = Counter()
    for fact in facts:
        if sign := {"pool-opened": 1, "pool-increased": 1, "pool-reduced": -1}.get(fact.name):
            decided[fact.key] += sign * int(json.loads(fact.value)["amount"])
    return decided


def of_buckets(pools: list[Document], awards: list[Document]) -> list[str]:
    """What holds in every snapshot: nothing negative, and each promise is in its bucket."""
    reserved: Counter[str] = Counter()
    bound: Counter[str] = Counter()
    for award in awards:
        if award["status"] == "offered":
            reserved[award["pool_id"]] += award["amount"]
        elif award["status"] == "accepted":
            back = sum(t["amount"] for t in award["tranches"] if t["status"] == "returned")
            bound[award["pool_id"]] += award["amount"] - back
    wrong = list[str]()
    for pool in pools:
        name, money = pool["_id"], {bucket: pool["balances"][bucket] for bucket in BUCKETS}
        if min(money.values()) < 0:
            wrong.append(f"I3 pool {name} is below zero: {money}")
        if money["reserved"] != reserved[name]:
            wrong.append(f"I3 pool {name} reserves {money}, awards say {reserved[name]}")
        if money["committed"] + money["disbursed"] != bound[name]:
            wrong.append(f"I3 pool {name} promised {money}, awards say {bound[name]}")
        wrong += _of_line(pool, awards)
    return wrong


def _of_line(pool: Document, awards: list[Document]) -> Iterable[str]:
    """Who waits stands in the pool's line once, in the order of the ranks that awards have."""
    line = [(one["rank"], one["award_id"]) for one in pool["waiting"]]
    waiting = [
        (one["rank"], one["_id"])
        for one in awards
        if one["pool_id"] == pool["_id"] and one["status"] == "waitlisted"
    ]
    if line != sorted(waiting) or len({rank for rank, _ in line}) < len(line):
        yield f"I3 pool {pool['_id']} has {line[:9]} in line, awards say {sorted(waiting)[:9]}"


def of_places(state: State) -> Iterable[str]:
    """Nobody above capacity."""
    for room in ROOMS:
        if room.service in state.services:
            yield from of_room(room, *state.outside.taken(room))


def of_room(room: Room, sizes: Mapping[str, int], taken: Mapping[str, int]) -> list[str]:
    """What holds in every snapshot: no more places are taken than there are."""
    return [
        f"I3 {room.groups} {one}: {count} of {sizes.get(one, 0)}"
        for one, count in taken.items()
        if count > sizes.get(one, 0)
    ]


def of_once(state: State) -> Iterable[str]:
    """Enrolled and certified once, as the events say: a document of each there is only one of."""
    for service, kinds in (("enrollment", ENROLLED), ("training", CERTIFIED)):
        held = _held(state.facts.get(service, ()), *kinds)
        yield from (f"I4 {kinds[0]} {one}: {n}" for one, n in held.items() if n > 1)


def _held(facts: Iterable[Fact], gives: str, takes: str, of: str) -> Counter[tuple[str, str]]:
    """By woman and thing how often she holds it; those that she does not hold are not there."""
    held: Counter[tuple[str, str]] = Counter()
    for fact in sorted(facts, key=lambda fact: fact.sequence):
        if sign := {gives: 1, takes: -1}.get(fact.name):
            one = fact.key, str(json.loads(fact.value)[of])
            held[one] = max(0, held[one] + sign)
    return +held


# -- I5: streams ------------------------------------------------------------------------------


def of_streams(state: State) -> Iterable[str]:
    """In every outbox the numbers of a key are 1..n, each once, each with the hash before it."""
    for service, facts in state.facts.items():
        for key, chain in _chains(facts).items():
            before = GENESIS
            for number, fact in enumerate(chain, 1):
                if fact.sequence != number:
                    yield f"I5 {service}/{key}: {fact.sequence} stands where {number} belongs"
                    break
                if fact.previous != before:
                    yield f"I5 {service}/{key}: the chain breaks at {number}"
                    break
                before = fact.digest
            out = state.streams[service].get(key, {}).get("out", {}).get(service)
            if not out or (out[0], out[1]) != (chain[-1].sequence, chain[-1].digest):
                yield f"I5 {service}/{key}: last number {out}, outbox ends at {len(chain)}"


def _chains(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    chains: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        chains[fact.key].append(fact)
    return {key: sorted(chain, key=lambda fact: fact.sequence) for key, chain in chains.items()}


def of_topics(state: State, expected: Expected) -> Iterable[str]:
    """Kafka holds what the outbox holds: every event, unaltered, at least once."""
    strangers = 0
    for service, facts in state.facts.items():
        decided = {(fact.key, fact.sequence): fact.digest for fact in facts}
        found: set[tuple[str, int]] = set()
        for stored in state.topics[service]:
            fact = stored.fact
            if fact is None or decided.get((fact.key, fact.sequence)) != fact.digest:
                strangers += 1
            else:
                found.add((fact.key, fact.sequence))
        if missing := decided.keys() - found:
            yield f"I5 telar.{service} lacks {len(missing)} events, as {min(missing)}"
    if strangers != expected.strangers:
        yield f"I5 {strangers} records that nobody decided, expected {expected.strangers}"


def of_readers(state: State, expected: Expected) -> Iterable[str]:
    """Every reader stands at the last event of every key, with its hash."""
    for service, facts in state.facts.items():
        last = {key: chain[-1] for key, chain in _chains(facts).items()}
        for reader in state.readers(service):
            for key, fact in last.items():
                stream = state.streams[reader].get(key, {})
                at = stream.get("in", {}).get(service, [0, ""])
                parked = (reader, f"{service}/{key}") in expected.parked
                if not parked and (at[0], at[1]) != (fact.sequence, fact.digest):
                    yield f"I1 {reader} stands at {at[0]} of {service}/{key}, not {fact.sequence}"


# -- I1: what the subscribers made of it ------------------------------------------------------


def of_views(state: State, expected: Expected) -> Iterable[str]:
    """Timelines, counts and dossiers say what the outboxes say, no more and no less."""
    if "gateway" in state.services:
        yield from _of_gateway(state, expected)
    for publisher, kinds, views in (
        ("enrollment", (*ENROLLED[:2], "enrolment_id"), DOSSIERS),
        ("training", CERTIFIED, CERTIFICATES),
    ):
        happened = _held(state.facts.get(publisher, ()), *kinds)
        for reader, collection, field in views:
            if reader not in state.services:
                continue
            lost = {key for who, key in expected.parked if who == reader}
            wanted = Counter(
                {one: n for one, n in happened.items() if f"{publisher}/{one[0]}" not in lost}
            )
            known = Counter(
                (one["_id"], thing)
                for one in state.outside.all(reader, collection)
                for thing in one[field]
            )
            if known != wanted:
                yield f"I1 {reader} knows {known.total()} {field}, {wanted.total()} happened"


def _of_gateway(state: State, expected: Expected) -> Iterable[str]:
    parked = {key for who, key in expected.parked if who == "gateway"}
    persons = {fact.key for fact in state.facts["enrollment"] if fact.name == "person-registered"}
    wanted = Counter(
        f"{fact.key}/{service}/{fact.sequence:012d}"
        for service, facts in state.facts.items()
        for fact in facts
        if fact.key in persons and f"{service}/{fact.key}" not in parked
    )
    entries = Counter(str(one["_id"]) for one in state.outside.all("gateway", "timeline", _id=1))
    if entries != wanted:
        extra, lacking = (entries - wanted).total(), (wanted - entries).total()
        yield f"I1 the timeline lacks {lacking} entries and has {extra} of nothing"
    if parked:
        return
    sums: Counter[str] = Counter()
    for part in state.outside.all("gateway", "counters"):
        sums.update(part["counts"])
    for name, (service, kind) in COUNTED.items():
        happened = sum(fact.name == kind for fact in state.facts.get(service, ()))
        if sums[name] != happened:
            yield f"I1 the gateway counts {sums[name]} {name}, {happened} happened"


# -- I7, I8: at rest --------------------------------------------------------------------------


def of_offsets(state: State, expected: Expected) -> Iterable[str]:
    """No offset stands past the end; and when a service was looked at, none past what it had."""
    ends: dict[tuple[str, int], int] = {}
    for name, records in state.topics.items():
        for one in records:
            place = (f"telar.{name}", one.partition)
            ends[place] = max(ends.get(place, 0), one.offset + 1)
    for service in state.services if not expected.cut else ():
        stored = state.outside.read_up_to(service)
        for who, offsets in (("stored", stored), ("told Kafka", state.offsets.get(service, {}))):
            for place, offset in offsets.items():
                if offset > (end := ends.get(place, 0)):
                    yield f"I7 {service} {who} {offset} of {place}, which ends at {end}"
    for photo in expected.photos:
        yield from _of_photo(state, photo)


def _of_photo(state: State, photo: Photo) -> Iterable[str]:
    """Every record below an offset was applied when the offset was stored or told, or waited."""
    for who, offsets in (("stored", photo.offsets), ("told Kafka", photo.told)):
        passed = (
            f"{name}/{one.fact.key} {one.fact.sequence}"
            for name in state.facts
            for one in state.topics[name]
            if one.offset < offsets.get((f"telar.{name}", one.partition), 0)
            and one.fact is not None
            and not _dealt_with(photo, name, one.fact)
        )
        if first := next(passed, None):
            yield f"I7 {photo.service} {who} an offset past {first}, which was not applied"


def _dealt_with(photo: Photo, name: str, fact: Fact) -> bool:
    applied = photo.applied.get((name, fact.key), 0) >= fact.sequence
    return applied or f"{name}/{fact.key}" in photo.parked


def of_rest(outside: Outside, expected: Expected) -> Iterable[str]:
    """Nothing waits but what was poisoned."""
    waiting = outside.waiting()
    yield from (f"I8 {name}: {n}" for name, n in waiting.items() if name.endswith(".outbox"))
    for service in outside.there():
        parked = {(service, str(one["_id"])) for one in outside.all(service, "parked", _id=1)}
        wanted = {one for one in expected.parked if one[0] == service}
        yield from (f"I8 parked at {one[0]}: {one[1]}" for one in parked - wanted)
        yield from (f"I8 not parked at {one[0]}: {one[1]}" for one in wanted - parked)
        kept = waiting.get(f"{service}.quarantine", 0)
        if kept != expected.quarantined.get(service, 0):
            yield f"I8 {service} has {kept} in quarantine"
