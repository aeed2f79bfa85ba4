"""The facts that enrollment publishes: calls, persons, businesses, enrolments."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.model import Event
from shared.types import Code, Id, Moment, MunicipalityKey, StateKey

Result = Literal["met", "unmet", "unknown"]
"""What a condition comes to: unknown is an answer of its own, never a silent no."""


class Leaf(BaseModel):
    """One condition of a rule tree and what it came to; readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: Code
    result: Result


class CallPublished(Event, type="telar.enrollment.call-published.v1", key="call_id"):
    """A call for applicants is announced, with the rules that will judge them."""

    call_id: Id
    opens_at: Moment
    closes_at: Moment
    rules_version: Code


class CallClosed(Event, type="telar.enrollment.call-closed.v1", key="call_id"):
    """A call takes no more applicants; `closes_at` is when it really closed."""

    call_id: Id
    opens_at: Moment
    closes_at: Moment
    rules_version: Code


class PersonRegistered(Event, type="telar.enrollment.person-registered.v1", key="person_id"):
    """The programme knows a woman, by coded facets only."""

    person_id: Id
    state: StateKey
    municipality: MunicipalityKey
    rural_class: Code


class BusinessRegistered(Event, type="telar.enrollment.business-registered.v1", key="person_id"):
    """A woman tells of her business: its sector and size."""

    person_id: Id
    business_id: Id
    sector: Code
    size_class: Code


class EnrolmentSubmitted(Event, type="telar.enrollment.enrolment-submitted.v1", key="person_id"):
    """She hands her enrolment in to an open call."""

    person_id: Id
    enrolment_id: Id
    call_id: Id


class EligibilityEvaluated(
    Event, type="telar.enrollment.eligibility-evaluated.v1", key="person_id"
):
    """The rule tree gives its advice, leaf by leaf; a person decides."""

    person_id: Id
    enrolment_id: Id
    rules_version: Code
    outcome: Result
    leaves: tuple[Leaf, ...]


class ApplicantEnrolled(Event, type="telar.enrollment.applicant-enrolled.v1", key="person_id"):
    """An officer takes her into the programme: training, grants and trade open to her."""

    person_id: Id
    enrolment_id: Id
    call_id: Id


class EnrolmentDeclined(Event, type="telar.enrollment.enrolment-declined.v1", key="person_id"):
    """An officer says no, and says why in codes that have a text for her."""

    person_id: Id
    enrolment_id: Id
    call_id: Id
    reason_codes: tuple[Code, ...]


class EnrolmentWithdrawn(Event, type="telar.enrollment.enrolment-withdrawn.v1", key="person_id"):
    """She leaves this call; what hung on her enrolment is undone elsewhere."""

    person_id: Id
    enrolment_id: Id
    call_id: Id
    reason_code: Code
