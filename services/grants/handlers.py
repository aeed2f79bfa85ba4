"""What grants does when something happened: its own events, enrollment's and training's. Pure."""

from functools import partial

from services.grants.domain import (
    applications,
    award_facts,
    awards,
    dossiers,
    offers,
    payments,
    pools,
    rounds,
    tranches,
)
from services.grants.domain.applications import APPLICATIONS
from services.grants.domain.awards import AWARDS
from services.grants.domain.dossiers import DOSSIERS
from services.grants.domain.payments import PAYMENTS
from services.grants.domain.pools import POOLS
from services.grants.domain.rounds import ROUNDS
from shared.events.enrollment import ApplicantEnrolled, EnrolmentWithdrawn
from shared.events.grants import (
    ApplicationSubmitted,
    ApplicationWithdrawn,
    AwardAccepted,
    AwardCancelled,
    AwardOfferExpired,
    AwardProposed,
    FundsReserved,
    GrantApproved,
    PaymentConfirmed,
    PaymentFailed,
    TrancheResumed,
)
from shared.events.training import CertificateIssued, CompletionRevoked
from shared.model import Do, Handlers, Require, Step

handlers = Handlers()


# -- she applies in an open round, and somebody proposes an award on its terms


@handlers.on(rounds.RoundAnnounced)
def need_its_pool(event: rounds.RoundAnnounced) -> list[Step]:
    return [Require(POOLS, event.plan.pool_id, pools.exists)]


@handlers.on(ApplicationSubmitted)
def admit(event: ApplicationSubmitted) -> list[Step]:
    hold = dossiers.HoldApplication(person_id=event.person_id, application_id=event.application_id)
    return [
        Do(DOSSIERS, event.person_id, hold),
        Require(ROUNDS, event.round_id, partial(rounds.takes, event.amount)),
    ]


@handlers.on(ApplicationWithdrawn)
def undo_application(event: ApplicationWithdrawn) -> list[Step]:
    retract = offers.Retract(reason_code="application-withdrawn")
    return [
        Do(AWARDS, event.application_id, retract),
        _release(event.person_id, event.application_id),
    ]


@handlers.on(applications.Nominated)
def ask_for_the_terms(event: applications.Nominated) -> list[Step]:
    ask = rounds.TellTerms(nomination=event.nomination)
    return [Do(ROUNDS, event.nomination.round_id, ask)]


@handlers.on(rounds.TermsTold)
def propose(event: rounds.TermsTold) -> list[Step]:
    proposal = awards.Propose(nomination=event.nomination, terms=event.terms)
    return [Do(AWARDS, event.nomination.application_id, proposal)]


@handlers.on(AwardProposed)
def mark_proposed(event: AwardProposed) -> list[Step]:
    return [_follow(event.award_id, "proposed")]


# -- the award and its pool move together


@handlers.on(GrantApproved)
def reserve(event: GrantApproved) -> list[Step]:
    asked = pools.Reserve(award_id=event.award_id, amount=event.amount)
    return [Do(POOLS, event.pool_id, asked)]


@handlers.on(FundsReserved)
def offer(event: FundsReserved) -> list[Step]:
    return [Do(AWARDS, event.award_id, offers.Grant())]


@handlers.on(pools.AwardQueued)
def stand_in_line(event: pools.AwardQueued) -> list[Step]:
    return [Do(AWARDS, event.award_id, offers.Queue(rank=event.rank))]


@handlers.on(award_facts.HoldEnded)
def release(event: award_facts.HoldEnded) -> list[Step]:
    freed = pools.Release(award_id=event.award_id, amount=event.amount)
    return [Do(POOLS, event.pool_id, freed)]


@handlers.on(award_facts.WaitEnded)
def leave_the_line(event: award_facts.WaitEnded) -> list[Step]:
    return [Do(POOLS, event.pool_id, pools.Leave(award_id=event.award_id))]


@handlers.on(award_facts.MoneyBound)
def commit(event: award_facts.MoneyBound) -> list[Step]:
    bound = pools.Commit(award_id=event.award_id, amount=event.amount)
    ask = dossiers.TellCertified(person_id=event.person_id, award_id=event.award_id)
    return [Do(POOLS, event.pool_id, bound), Do(DOSSIERS, event.person_id, ask)]


@handlers.on(AwardAccepted)
def mark_awarded(event: AwardAccepted) -> list[Step]:
    return [_follow(event.award_id, "awarded")]


@handlers.on(AwardCancelled, AwardOfferExpired)
def close_application(event: AwardCancelled | AwardOfferExpired) -> list[Step]:
    """A mistake of staff costs her nothing: the application waits again where it waited."""
    if isinstance(event, AwardCancelled) and event.reason_code == "proposed-by-mistake":
        return [_follow(event.award_id, "submitted")]
    return [_follow(event.award_id, "closed"), _release(event.person_id, event.award_id)]


# -- tranches and their payments


@handlers.on(dossiers.CertifiedTold)
def credit_known(event: dossiers.CertifiedTold) -> list[Step]:
    return [Do(AWARDS, event.award_id, tranches.Credit(course_ids=event.course_ids))]


@handlers.on(dossiers.CourseCertified)
def credit_new(event: dossiers.CourseCertified) -> list[Step]:
    credit = tranches.Credit(course_ids=(event.course_id,))
    return [Do(AWARDS, award_id, credit) for award_id in event.award_ids]


@handlers.on(dossiers.CourseUncertified)
def discredit(event: dossiers.CourseUncertified) -> list[Step]:
    lost = tranches.Uncredit(course_id=event.course_id)
    return [Do(AWARDS, award_id, lost) for award_id in event.award_ids]


@handlers.on(TrancheResumed)
def need_her_enrolment(event: TrancheResumed) -> list[Step]:
    return [Require(DOSSIERS, event.person_id, dossiers.may_resume)]


@handlers.on(tranches.PaymentOrdered)
def send(event: tranches.PaymentOrdered) -> list[Step]:
    return [Do(PAYMENTS, event.payment_id, payments.Send(**dict(event)))]


@handlers.on(PaymentConfirmed)
def mark_paid(event: PaymentConfirmed) -> list[Step]:
    return [Do(AWARDS, event.award_id, tranches.MarkPaid(payment_id=event.payment_id))]


@handlers.on(PaymentFailed)
def mark_failed(event: PaymentFailed) -> list[Step]:
    return [Do(AWARDS, event.award_id, tranches.MarkFailed(payment_id=event.payment_id))]


@handlers.on(tranches.TranchePaid)
def disburse(event: tranches.TranchePaid) -> list[Step]:
    paid = pools.Disburse(award_id=event.award_id, amount=event.amount)
    return [Do(POOLS, event.pool_id, paid)]


@handlers.on(tranches.TrancheReturned)
def give_back(event: tranches.TrancheReturned) -> list[Step]:
    back = pools.Return(award_id=event.award_id, amount=event.amount)
    return [Do(POOLS, event.pool_id, back)]


# -- enrollment and training


@handlers.on(ApplicantEnrolled)
def open_dossier(event: ApplicantEnrolled) -> list[Step]:
    opened = dossiers.OpenEnrolment(person_id=event.person_id, enrolment_id=event.enrolment_id)
    return [Do(DOSSIERS, event.person_id, opened)]


@handlers.on(EnrolmentWithdrawn)
def close_enrolment(event: EnrolmentWithdrawn) -> list[Step]:
    closed = dossiers.CloseEnrolment(person_id=event.person_id, enrolment_id=event.enrolment_id)
    return [Do(DOSSIERS, event.person_id, closed)]


@handlers.on(dossiers.ProgrammeLeft)
def undo_all(event: dossiers.ProgrammeLeft) -> list[Step]:
    """Awards before applications, so that each ends with the reason that is true."""
    retract = offers.Retract(reason_code="enrolment-withdrawn")
    ended: list[Step] = [Do(AWARDS, id_, retract) for id_ in event.application_ids]
    return ended + [Do(APPLICATIONS, id_, applications.Void()) for id_ in event.application_ids]


@handlers.on(CertificateIssued)
def certify(event: CertificateIssued) -> list[Step]:
    held = dossiers.Certify(person_id=event.person_id, course_id=event.course_id)
    return [Do(DOSSIERS, event.person_id, held)]


@handlers.on(CompletionRevoked)
def uncertify(event: CompletionRevoked) -> list[Step]:
    lost = dossiers.Uncertify(person_id=event.person_id, course_id=event.course_id)
    return [Do(DOSSIERS, event.person_id, lost)]


def _follow(application_id: str, status: applications.AwardStep) -> Do:
    return Do(APPLICATIONS, application_id, applications.Follow(status=status))


def _release(person_id: str, application_id: str) -> Do:
    gone = dossiers.ReleaseApplication(person_id=person_id, application_id=application_id)
    return Do(DOSSIERS, person_id, gone)
