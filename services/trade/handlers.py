"""What trade does when something happened: its own events, enrollment's and training's. Pure."""

from services.trade.domain import fairs, places, readiness
from services.trade.domain.fairs import FAIRS
from services.trade.domain.places import PLACES
from services.trade.domain.readiness import READINESS
from shared.events.enrollment import ApplicantEnrolled, EnrolmentWithdrawn
from shared.events.trade import PlaceApplied, PlaceConfirmed, PlaceOfferExpired, PlaceWithdrawn
from shared.events.training import CertificateIssued, CompletionRevoked
from shared.model import Do, Handlers, Step

handlers = Handlers()


# -- a place: asked for, weighed against her readiness, given by the fair


@handlers.on(PlaceApplied)
def ask_the_fair(event: PlaceApplied) -> list[Step]:
    ask = fairs.Ask(place_id=event.place_id, person_id=event.person_id)
    kept = readiness.KeepPlace(place_id=event.place_id)
    return [Do(FAIRS, event.fair_id, ask), Do(READINESS, event.person_id, kept)]


@handlers.on(fairs.Asked)
def weigh_readiness(event: fairs.Asked) -> list[Step]:
    asked = readiness.AnswerFair(
        place_id=event.place_id, fair_id=event.fair_id, requirements=event.requirements
    )
    bind = places.Bind(requirements=event.requirements)
    return [Do(READINESS, event.person_id, asked), Do(PLACES, event.place_id, bind)]


@handlers.on(readiness.RequirementsMet)
def take_a_place(event: readiness.RequirementsMet) -> list[Step]:
    return [Do(FAIRS, event.fair_id, fairs.Take(place_id=event.place_id))]


@handlers.on(fairs.SeatKept)
def keep_for_her(event: fairs.SeatKept) -> list[Step]:
    return [Do(PLACES, event.place_id, places.Keep(seconds=event.seconds))]


@handlers.on(fairs.Queued)
def stand_in_line(event: fairs.Queued) -> list[Step]:
    return [Do(PLACES, event.place_id, places.Queue(rank=event.rank))]


@handlers.on(PlaceConfirmed)
def settle_the_place(event: PlaceConfirmed) -> list[Step]:
    settle = fairs.Settle(place_id=event.place_id, person_id=event.person_id)
    return [Do(FAIRS, event.fair_id, settle)]


@handlers.on(fairs.Settled)
def book_the_day(event: fairs.Settled) -> list[Step]:
    booked = readiness.Booked(place_id=event.place_id, day=event.starts_on)
    return [Do(READINESS, event.person_id, readiness.BookDay(booked=booked))]


@handlers.on(PlaceOfferExpired, PlaceWithdrawn)
def give_the_place_back(event: PlaceOfferExpired | PlaceWithdrawn) -> list[Step]:
    released = readiness.ReleasePlace(place_id=event.place_id)
    return [
        Do(FAIRS, event.fair_id, fairs.Leave(place_id=event.place_id)),
        Do(READINESS, event.person_id, released),
    ]


@handlers.on(fairs.Undone)
def end_places(event: fairs.Undone) -> list[Step]:
    ended = places.Withdraw(reason_code=event.reason_code)
    return [Do(PLACES, place_id, ended) for place_id in event.place_ids]


# -- facts of enrollment and training, in any order


@handlers.on(ApplicantEnrolled)
def open_readiness(event: ApplicantEnrolled) -> list[Step]:
    opened = readiness.OpenEnrolment(person_id=event.person_id, enrolment_id=event.enrolment_id)
    return [Do(READINESS, event.person_id, opened)]


@handlers.on(EnrolmentWithdrawn)
def close_enrolment(event: EnrolmentWithdrawn) -> list[Step]:
    closed = readiness.CloseEnrolment(enrolment_id=event.enrolment_id)
    return [Do(READINESS, event.person_id, closed)]


@handlers.on(readiness.PlacesForsaken)
def forsake_places(event: readiness.PlacesForsaken) -> list[Step]:
    return [Do(PLACES, place_id, places.Forsake()) for place_id in event.place_ids]


@handlers.on(places.Forsaken)
def ask_whether_she_went(event: places.Forsaken) -> list[Step]:
    return [Do(FAIRS, event.fair_id, fairs.Free(place_id=event.place_id))]


@handlers.on(fairs.Freed)
def free_what_is_to_come(event: fairs.Freed) -> list[Step]:
    left = places.Withdraw(reason_code="enrolment-withdrawn")
    return [Do(PLACES, event.place_id, left)]


@handlers.on(CertificateIssued)
def certify(event: CertificateIssued) -> list[Step]:
    earned = readiness.Certify(person_id=event.person_id, course_id=event.course_id)
    return [Do(READINESS, event.person_id, earned)]


@handlers.on(CompletionRevoked)
def uncertify(event: CompletionRevoked) -> list[Step]:
    lost = readiness.Uncertify(course_id=event.course_id, reason_code=event.reason_code)
    return [Do(READINESS, event.person_id, lost)]


@handlers.on(readiness.CourseCertified, readiness.CourseUncertified)
def weigh_her_places(
    event: readiness.CourseCertified | readiness.CourseUncertified,
) -> list[Step]:
    met = isinstance(event, readiness.CourseCertified)
    weigh = places.Weigh(requirement=readiness.course(event.course_id), met=met)
    return [Do(PLACES, place_id, weigh) for place_id in event.place_ids]
