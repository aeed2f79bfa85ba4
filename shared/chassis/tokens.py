"""The issuer of tokens: its keys in one folder, the public ones published as a key set.

A key's id begins with the millisecond in which it was published: nothing else needs to be kept to
know which one signs (the newest that every reader has) and which one nobody needs any more.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from shared.chassis.auth import (
    ACCESS,
    ALGORITHM,
    ISSUER,
    REFRESH,
    RELOAD_SECONDS,
    Kind,
    Role,
    Verifier,
)

KEY_SECONDS = 90 * 24 * 3600
"""A signing key older than this is followed by a new one at the next start."""

JWKS = "jwks.json"


class Issuer:
    """Signs tokens with the keys of one folder, which several processes may share."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._clock = folder, clock
        self._refresh = Verifier(folder / JWKS, REFRESH)

    def ensure(self) -> None:
        """Make the folder and the first key, renew one that is old, and publish the set."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        with self._held():
            kids = self._kids()
            if not kids or self._clock() - published_at(kids[-1]) > KEY_SECONDS:
                self._add(kids)
            else:
                self._publish({kid: self._public(kid) for kid in kids})

    def rotate(self) -> str:
        """Publish a new key, which signs once every reader has it; drop what nobody needs."""
        with self._held():
            kids = self._kids()
            kept = [kid for kid, heir in pairwise(kids) if self._needed(heir)]
            for kid in set(kids[:-1]) - set(kept):
                (self._folder / f"{kid}.pem").unlink()
            return self._add(kept + kids[-1:])

    def access_token(
        self,
        subject: str,
        roles: Collection[Role],
        on_behalf_of: str | None = None,
        lifetime: int = ACCESS.max_seconds,
    ) -> str:
        """A token that every service accepts for at most ten minutes."""
        if not 0 < lifetime <= ACCESS.max_seconds:
            raise ValueError("an access token lives ten minutes at most")
        return self._sign(ACCESS, subject, roles, on_behalf_of, lifetime)

    def refresh_token(
        self, subject: str, roles: Collection[Role], on_behalf_of: str | None = None
    ) -> str:
        """A token that is only good for fetching access tokens, for some hours."""
        return self._sign(REFRESH, subject, roles, on_behalf_of, REFRESH.max_seconds)

    def exchange(self, refresh_token: str) -> str:
        """An access token for who holds this refresh token. Raises `Unauthorised`."""
        caller = self._refresh.verify(refresh_token)
        return self.access_token(caller.subject, caller.roles, caller.on_behalf_of)

    def key_set(self) -> bytes:
        """The published key set, as it stands in the file."""
        return (self._folder / JWKS).read_bytes()

    def _sign(
        self,
        kind: Kind,
        subject: str,
        roles: Collection[Role],
        act_for: str | None,
        lifetime: int,
    ) -> str:
        kid = self._signing_kid()
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": kind.audience,
            "sub": subject,
            "iat": now,
            "exp": now + lifetime,
            "jti": token_hex(16),
            "roles": sorted(roles),
        }
        if act_for is not None:
            claims["act_for"] = act_for
        headers = {"typ": kind.typ, "kid": kid}
        return jwt.encode(claims, self._private(kid), algorithm=ALGORITHM, headers=headers)

    def _signing_kid(self) -> str:
        kids, now = self._kids(), self._clock()
        seen = [kid for kid in kids if now - published_at(kid) > RELOAD_SECONDS]
        return seen[-1] if seen else kids[0]

    def _needed(self, heir: str) -> bool:
        # Until its heir signs, and then for as long as what it signed last can live.
        age = self._clock() - published_at(heir)
        return age <= RELOAD_SECONDS + REFRESH.max_seconds

    def _kids(self) -> list[str]:
        return sorted(file.stem for file in self._folder.glob("*.pem"))

    def _private(self, kid: str) -> ec.EllipticCurvePrivateKey:
        key = load_pem_private_key((self._folder / f"{kid}.pem").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"the key {kid} is not for {ALGORITHM}")
        return key

    def _public(self, kid: str) -> ec.EllipticCurvePublicKey:
        return self._private(kid).public_key()

    def _add(self, kept: list[str]) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        # Of two the one published last has the higher millisecond, however the clock stands.
        since = _millisecond(kept[-1]) + 1 if kept else 0
        kid = f"{max(int(self._clock() * 1000), since):015d}-{token_hex(4)}"
        published = {old: self._public(old) for old in kept}
        self._publish(published | {kid: key.public_key()})  # first: readers know it before it signs
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._write(f"{kid}.pem", pem)
        return kid

    def _publish(self, keys: dict[str, ec.EllipticCurvePublicKey]) -> None:
        described = [
            {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": ALGORITHM}
            for kid, key in keys.items()
        ]
        document = json.dumps({"keys": described}, indent=1).encode()
        file = self._folder / JWKS
        if not file.exists() or file.read_bytes() != document:
            self._write(JWKS, document)

    def _write(self, name: str, content: bytes) -> None:
        draft = self._folder / f".{name}.{token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / name)

    @contextmanager
    def _held(self) -> Iterator[None]:
        lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def published_at(kid: str) -> float:
    """The instant at which a key was published, in seconds of the epoch."""
    return _millisecond(kid) / 1000


def _millisecond(kid: str) -> int:
    return int(kid.partition("-")[0])
