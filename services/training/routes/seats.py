"""Seats: requested, answered and given up by her; attendance and completion by a trainer."""

from typing import Literal

from services.training.domain.completion import Attendance, CompletionLeaf, assess
from services.training.domain.seats import (
    SEATS,
    Accept,
    Complete,
    Drop,
    DropReason,
    Record,
    Request,
    Seat,
    SeatStatus,
)
from services.training.routes.policies import HERS, STAFF
from services.training.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Role, Self
from shared.events.training import AttendanceState
from shared.model import Do, Frozen
from shared.types import Code, Id, Moment, PartId, PositiveCount

router = Router(tags=["seats"])

Source = Literal["trainer", "sign-sheet", "platform"]


class SeatRequest(Frozen):
    """The cohort in which she asks for a seat."""

    cohort_id: PartId


class SeatDrop(Frozen):
    """Why the seat is given up."""

    reason_code: DropReason


class SessionRecord(Frozen):
    """What one session saw of her, and what says so."""

    session: PositiveCount
    state: AttendanceState
    source: Source = "trainer"


class SeatView(Frozen):
    """A seat as she and the training desk see it. `expires_at`: an offer waits for her answer."""

    id: Id
    person_id: Id
    cohort_id: Id
    status: SeatStatus
    course_id: Id | None
    rank: PositiveCount | None
    expires_at: Moment | None
    reason_code: Code | None
    attendance: tuple[Attendance, ...]

    @classmethod
    def of(cls, seat: Seat) -> "SeatView":
        """The seat without its rule, which `completion` explains, and who helped."""
        course_id = seat.terms.course_id if seat.terms else None
        return cls(course_id=course_id, **seat.model_dump(exclude={"terms", "helped_by"}))


class CompletionView(Frozen):
    """How far she is from completing: each condition, what was seen and what is needed."""

    seat_id: Id
    status: SeatStatus
    rules_version: Code | None
    leaves: tuple[CompletionLeaf, ...]

    @classmethod
    def of(cls, seat: Seat) -> "CompletionView":
        """Assessed as a completion would be."""
        leaves = assess(seat.terms, seat.attendance) if seat.terms else ()
        version = seat.terms.rule.version if seat.terms else None
        return cls(seat_id=seat.id, status=seat.status, rules_version=version, leaves=leaves)


HERS_OR_STAFF = AnyOf(Owner(SEATS, "person_id"), STAFF)


@router.post("/seats", policy=HERS, status=201)
async def request_seat(body: SeatRequest, intent: Intent) -> Reply[SeatView]:
    seat_id = f"{intent.person_id}:{body.cohort_id}"
    request = Request(seat_id=seat_id, person_id=intent.person_id, cohort_id=body.cohort_id)
    return await intent.run(Do(SEATS, seat_id, request), reply=SeatView.of)


@router.post("/seats/{seat_id}/acceptance", policy=Owner(SEATS, "person_id"))
async def accept_seat(seat_id: Id, intent: Intent) -> Reply[SeatView]:
    return await intent.run(Do(SEATS, seat_id, Accept()), reply=SeatView.of)


@router.post(
    "/seats/{seat_id}/cancellation", policy=AnyOf(Owner(SEATS, "person_id"), Role("trainer"))
)
async def drop_seat(seat_id: Id, body: SeatDrop, intent: Intent) -> Reply[SeatView]:
    drop = Drop(reason_code=body.reason_code)
    return await intent.run(Do(SEATS, seat_id, drop), reply=SeatView.of)


@router.post("/seats/{seat_id}/attendance", policy=Role("trainer"))
async def record_attendance(seat_id: Id, body: SessionRecord, intent: Intent) -> Reply[SeatView]:
    record = Record(attendance=Attendance(**dict(body)))
    return await intent.run(Do(SEATS, seat_id, record), reply=SeatView.of)


@router.post("/seats/{seat_id}/completion", policy=Role("trainer"))
async def complete_seat(seat_id: Id, intent: Intent) -> Reply[CompletionView]:
    return await intent.run(Do(SEATS, seat_id, Complete()), reply=CompletionView.of)


@router.get("/seats/{seat_id}/completion", policy=HERS_OR_STAFF)
async def explain_completion(seat_id: Id, query: Query) -> CompletionView:
    return CompletionView.of(await query.get(SEATS, seat_id, unknown="seat-unknown"))


@router.get("/seats/{seat_id}", policy=HERS_OR_STAFF)
async def get_seat(seat_id: Id, query: Query) -> SeatView:
    return SeatView.of(await query.get(SEATS, seat_id, unknown="seat-unknown"))


@router.get("/persons/{person_id}/seats", policy=AnyOf(Self("person_id"), STAFF))
async def list_seats_of_person(
    person_id: Id, query: Query, paging: Paging, status: SeatStatus | None = None
) -> Page[SeatView]:
    where = filled(person_id=person_id, status=status)
    return await query.page(SEATS, where, paging, of=SeatView.of)


@router.get("/persons/{person_id}/seat-offers", policy=AnyOf(Self("person_id"), STAFF))
async def list_offers_to_person(person_id: Id, query: Query, paging: Paging) -> Page[SeatView]:
    where = filled(person_id=person_id, status="offered")
    return await query.page(SEATS, where, paging, of=SeatView.of, sort="expires_at")
