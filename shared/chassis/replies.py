"""Stored replies: a repeated command gets the same bytes again, refusals included."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from shared.chassis.batch import Ref
from shared.chassis.errors import Problem
from shared.chassis.fold import Scope
from shared.chassis.ports import Document
from shared.model import Refused

COLLECTION = "requests"
KEPT = timedelta(days=30)
"""How long a reply is kept: longer than any queue of an offline phone is expected to be."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A reply as it is sent: status, bytes, media type."""

    status: int
    body: bytes
    media_type: str = "application/json"
    position: str | None = None

    @classmethod
    def refusal(cls, refused: Refused, correlation: str) -> "Stored":
        """The problem document of a refusal."""
        body = problem_body(refused.status, refused.code, correlation, known=refused.known)
        return cls(refused.status, body, "application/problem+json")


def problem_body(
    status: int,
    code: str,
    correlation: str,
    errors: list[dict[str, Any]] | None = None,
    known: Mapping[str, int] | None = None,
) -> bytes:
    """An RFC 9457 document; it never holds a value that was sent."""
    problem: dict[str, Any] = {
        "type": f"urn:telar:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "code": code,
        "correlation": correlation,
    }
    if errors:
        problem["errors"] = errors
    if known:
        problem["known"] = known
    return orjson.dumps(problem)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The caller's key for one command, and a keyed hash of what was asked."""

    id: str
    digest: str

    @classmethod
    def of(cls, caller: str, key: str, asked: bytes, secret: bytes) -> "Idempotency":
        """Scoped to the caller, so that one cannot read another's reply."""
        scoped = hashlib.sha256(f"{caller}\n{key}".encode()).hexdigest()
        return cls(scoped, hmac.digest(secret, asked, "sha256").hex())

    @property
    def ref(self) -> Ref:
        """Where the reply is stored."""
        return Ref(COLLECTION, self.id)

    def earlier(self, scope: Scope) -> Stored | None:
        """The reply to this very command, if there is one. 422 when the body is another."""
        return self.known(scope.read(self.ref))

    def known(self, found: Document | None) -> Stored | None:
        """The same of the document as it is stored."""
        if found is None:
            return None
        if not hmac.compare_digest(found["digest"], self.digest):
            raise Problem(422, "idempotency-key-reused")
        return Stored(found["status"], found["body"], found["media_type"], found.get("position"))

    def document(self, reply: Stored, at: datetime) -> Document:
        """The reply as it is stored."""
        document: Document = {
            "_id": self.id,
            "digest": self.digest,
            "status": reply.status,
            "body": reply.body,
            "media_type": reply.media_type,
            "expires": at + KEPT,
        }
        return document if reply.position is None else {**document, "position": reply.position}
