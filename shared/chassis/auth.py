"""Who calls: a token of the one issuer, verified against its published key set."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from jwt.algorithms import ECAlgorithm

from shared.chassis.errors import Problem, Unavailable

Role = Literal[
    "applicant",
    "promoter",
    "intake",
    "reviewer",
    "approver",
    "treasurer",
    "trainer",
    "trade",
    "operator",
    "auditor",
    "service",
]
"""What a caller may be; a promoter acts on behalf of a woman."""

ROLES: frozenset[str] = frozenset(get_args(Role))
ISSUER = "telar"
ALGORITHM = "ES256"
MAX_TOKEN = 8 * 1024
RELOAD_SECONDS = 30.0
"""The key set is looked at again this often: a new key is used only after that."""

_HURRY_SECONDS = 1.0
_LEEWAY_SECONDS = 5
_REMEMBERED = 1024
_SUBJECT = re.compile(r"[a-z0-9][a-z0-9:_-]{0,63}")
"""Shorter than an id: it becomes a part of the ids of what is hers."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of token: its `typ` and audience keep one from passing for the other."""

    typ: str
    audience: str
    max_seconds: int


ACCESS = Kind("at+jwt", "telar", 600)
REFRESH = Kind("rt+jwt", "telar-refresh", 12 * 3600)


class Unauthorised(Problem):
    """The caller is not known: 401 with a stable code."""

    def __init__(self, code: str) -> None:
        super().__init__(401, code, headers={"www-authenticate": "Bearer"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as what, and for whom."""

    subject: str
    roles: frozenset[Role]
    on_behalf_of: str | None = None


def bearer(authorization: str | None) -> str:
    """The token in an Authorization header."""
    if not authorization:
        raise Unauthorised("token-missing")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorised("token-malformed")
    return token


class KeySet:
    """The issuer's public keys, from a file that is read again when it changes.

    What can't be read changes nothing: the last good set stays.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._keys: Mapping[str, EllipticCurvePublicKey] = {}
        self._looked_at, self._hurried_at = float("-inf"), float("-inf")
        self._stamp: tuple[int, ...] = ()
        self.generation = 0

    def refresh(self) -> None:
        """Look at the file, if it was not looked at lately."""
        now = self._clock()
        if now - self._looked_at >= RELOAD_SECONDS:
            self._looked_at = now
            self._load()

    def get(self, kid: str) -> EllipticCurvePublicKey | None:
        """The key of this id; an unknown one makes it look at the file at once, within limits."""
        now = self._clock()
        if kid not in self._keys and now - self._hurried_at >= _HURRY_SECONDS:
            self._hurried_at = self._looked_at = now
            self._load()
        if not self._keys:
            raise Unavailable("not-ready")
        return self._keys.get(kid)

    def _load(self) -> None:
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self._stamp:
                return
            keys = _parse(self._path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError, UnsupportedAlgorithm):
            return
        if keys:
            self._keys, self._stamp = keys, stamp
            self.generation += 1


def _parse(document: bytes) -> dict[str, EllipticCurvePublicKey]:
    keys: dict[str, EllipticCurvePublicKey] = {}
    for jwk in json.loads(document)["keys"]:
        key = ECAlgorithm.from_jwk(jwk)
        if not isinstance(key, EllipticCurvePublicKey):
            raise TypeError("a published key set holds public keys only")
        keys[str(jwk["kid"])] = key
    return keys


class Verifier:
    """Says who a token speaks for, or raises `Unauthorised`.

    One issuer, one algorithm, its own key set: what a token's header says of keys is ignored.
    """

    def __init__(
        self, jwks: Path, kind: Kind = ACCESS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys, self._kind = KeySet(jwks, clock), kind
        self._seen: dict[str, tuple[Caller, int]] = {}
        self._changing = threading.Lock()  # refresh tokens are verified in threads
        self._generation = 0

    def caller(self, authorization: str | None) -> Caller:
        """Who an Authorization header speaks for."""
        return self.verify(bearer(authorization))

    def verify(self, token: str) -> Caller:
        """Who a token speaks for; a token seen before is only checked for its end."""
        self._keys.refresh()
        if self._generation != self._keys.generation:
            with self._changing:
                self._seen.clear()
            self._generation = self._keys.generation
        seen = self._seen.get(token)
        if seen is None:
            claims = self._decode(token)
            seen = (_caller(claims), claims["exp"])
            self._remember(token, seen)
        if time.time() >= seen[1] + _LEEWAY_SECONDS:
            raise Unauthorised("token-expired")
        return seen[0]

    def _remember(self, token: str, seen: tuple[Caller, int]) -> None:
        with self._changing:
            if len(self._seen) >= _REMEMBERED:
                del self._seen[next(iter(self._seen))]
            self._seen[token] = seen

    def _decode(self, token: str) -> dict[str, Any]:
        key = self._key(token)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=self._kind.audience,
                leeway=_LEEWAY_SECONDS,
                options={
                    "require": ["iss", "aud", "exp", "iat", "sub", "jti"],
                    "strict_aud": True,
                },
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorised("token-expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise Unauthorised("token-invalid") from None
        issued, ends = claims["iat"], claims["exp"]
        if type(issued) is not int or type(ends) is not int:
            raise Unauthorised("token-invalid")
        if not 0 < ends - issued <= self._kind.max_seconds:
            raise Unauthorised("token-invalid")
        return claims

    def _key(self, token: str) -> EllipticCurvePublicKey:
        if len(token) > MAX_TOKEN or token.count(".") != 2 or not token.isascii():
            raise Unauthorised("token-malformed")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Unauthorised("token-malformed") from None
        kid = header.get("kid")
        ours = header.get("alg") == ALGORITHM and header.get("typ") == self._kind.typ
        if not ours or "crit" in header or not isinstance(kid, str):
            raise Unauthorised("token-invalid")
        key = self._keys.get(kid)
        if key is None:
            raise Unauthorised("token-invalid")
        return key


def _caller(claims: Mapping[str, Any]) -> Caller:
    roles, act_for = claims.get("roles"), claims.get("act_for")
    if not (isinstance(roles, list) and roles and all(_is_role(role) for role in roles)):
        raise Unauthorised("token-invalid")
    if not _is_subject(claims["sub"]):
        raise Unauthorised("token-invalid")
    # Who acts for her is nothing else meanwhile: nobody decides on what she does in another's name.
    if act_for is not None and not (_is_subject(act_for) and set(roles) == {"promoter"}):
        raise Unauthorised("token-invalid")
    return Caller(claims["sub"], frozenset(cast(list[Role], roles)), act_for)


def _is_role(value: object) -> bool:
    return isinstance(value, str) and value in ROLES


def _is_subject(value: object) -> bool:
    return isinstance(value, str) and _SUBJECT.fullmatch(value) is not None
