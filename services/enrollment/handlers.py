"""How a submitted enrolment gathers its facts within its own intent. Pure.

The call, then the woman, then her business add what they know to one inquiry; with all of it the
enrolment is evaluated. Each is asked in the intent of the submission, so the advice is on what
held at that moment, and a call that has closed refuses the submission whole.
"""

from services.enrollment.domain import businesses, calls, enrolments, persons
from services.enrollment.domain.businesses import BUSINESSES
from services.enrollment.domain.calls import CALLS
from services.enrollment.domain.enrolments import ENROLMENTS
from services.enrollment.domain.facts import Inquiry
from services.enrollment.domain.persons import PERSONS
from shared.model import Do, Handlers, Require, Step

handlers = Handlers()


@handlers.on(enrolments.FactsSought)
def ask_the_call(event: enrolments.FactsSought) -> list[Step]:
    call_id = event.inquiry.call_id
    return [
        Require(CALLS, call_id, calls.is_open),
        Do(CALLS, call_id, calls.Consult(inquiry=event.inquiry)),
    ]


@handlers.on(calls.CallConsulted)
def ask_the_woman(event: calls.CallConsulted) -> list[Step]:
    return [Do(PERSONS, event.inquiry.person_id, persons.Consult(inquiry=event.inquiry))]


@handlers.on(persons.PersonConsulted)
def ask_the_business(event: persons.PersonConsulted) -> list[Step]:
    business_id = event.inquiry.business_id
    if business_id is None:
        return _evaluate(event.inquiry)
    return [Do(BUSINESSES, business_id, businesses.Consult(inquiry=event.inquiry))]


@handlers.on(businesses.BusinessConsulted)
def evaluate(event: businesses.BusinessConsulted) -> list[Step]:
    return _evaluate(event.inquiry)


def _evaluate(inquiry: Inquiry) -> list[Step]:
    return [Do(ENROLMENTS, inquiry.enrolment_id, enrolments.Evaluate(facts=inquiry.facts))]
