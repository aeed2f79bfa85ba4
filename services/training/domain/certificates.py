"""A certificate: one a woman and course, whichever cohort it came from."""

from typing import Literal

from shared.events.training import CertificateIssued, CompletionRevoked
from shared.model import Aggregate, Command, Context, Event, Frozen, Unknown
from shared.types import Code, Id, Moment

RevokeReason = Literal["attendance-misrecorded", "identity-mismatch", "issued-by-mistake"]


class Certificate(Frozen):
    """What she holds, and the seat on which it rests."""

    id: Id
    person_id: Id
    course_id: Id
    seat_id: Id
    issued_at: Moment
    status: Literal["issued", "revoked"] = "issued"
    reason_code: Code | None = None


class Issue(Command):
    """She completed the course on this seat."""

    certificate_id: Id
    person_id: Id
    course_id: Id
    seat_id: Id


class Revoke(Command):
    reason_code: RevokeReason


class CertificateWritten(Event):
    """All that the certificate holds; only its ids are published."""

    certificate: Certificate


class CompletionVoided(Event):
    """The seat on which a revoked certificate rested."""

    seat_id: Id


def decide(certificate: Certificate | None, command: Issue | Revoke, now: Context) -> list[Event]:
    match certificate, command:
        case ((None | Certificate(status="revoked")), Issue()):
            return _issue(command, now)
        case None, _:
            raise Unknown("certificate-unknown")
        case Certificate(status="issued"), Revoke():
            return _revoke(certificate, command.reason_code)
    return []


def _issue(command: Issue, now: Context) -> list[Event]:
    certificate = Certificate(
        id=command.certificate_id,
        person_id=command.person_id,
        course_id=command.course_id,
        seat_id=command.seat_id,
        issued_at=now.at,
    )
    issued = CertificateIssued(
        person_id=command.person_id,
        certificate_id=command.certificate_id,
        course_id=command.course_id,
    )
    return [CertificateWritten(certificate=certificate), issued]


def _revoke(certificate: Certificate, reason_code: Code) -> list[Event]:
    revoked = CompletionRevoked(
        person_id=certificate.person_id,
        certificate_id=certificate.id,
        course_id=certificate.course_id,
        reason_code=reason_code,
    )
    return [revoked, CompletionVoided(seat_id=certificate.seat_id)]


def evolve(certificate: Certificate | None, event: Event) -> Certificate | None:
    match event:
        case CertificateWritten():
            return event.certificate
        case CompletionRevoked() if certificate is not None:
            gone = {"status": "revoked", "reason_code": event.reason_code}
            return certificate.model_copy(update=gone)
    return certificate


CERTIFICATES = Aggregate("certificates", Certificate, decide, evolve)
