"""Certificates: hers to see, the training desk's to revoke."""

from services.training.domain.certificates import CERTIFICATES, Certificate, Revoke, RevokeReason
from services.training.routes.policies import DESK, STAFF
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Self
from shared.model import Do, Frozen
from shared.types import Id

router = Router(tags=["certificates"])


class Revocation(Frozen):
    """Why the completion does not stand."""

    reason_code: RevokeReason


class CertificateView(Certificate):
    """A certificate as she and the staff see it."""

    @classmethod
    def of(cls, certificate: Certificate) -> "CertificateView":
        """Everything: it is all hers."""
        return cls(**dict(certificate))


@router.post("/certificates/{certificate_id}/revocation", policy=DESK)
async def revoke_completion(
    certificate_id: Id, body: Revocation, intent: Intent
) -> Reply[CertificateView]:
    revoke = Revoke(reason_code=body.reason_code)
    return await intent.run(Do(CERTIFICATES, certificate_id, revoke), reply=CertificateView.of)


@router.get("/certificates/{certificate_id}", policy=AnyOf(Owner(CERTIFICATES, "person_id"), STAFF))
async def get_certificate(certificate_id: Id, query: Query) -> CertificateView:
    found = await query.get(CERTIFICATES, certificate_id, unknown="certificate-unknown")
    return CertificateView.of(found)


@router.get("/persons/{person_id}/certificates", policy=AnyOf(Self("person_id"), STAFF))
async def list_certificates_of_person(
    person_id: Id, query: Query, paging: Paging
) -> Page[CertificateView]:
    where = {"person_id": person_id}
    return await query.page(CERTIFICATES, where, paging, of=CertificateView.of)
