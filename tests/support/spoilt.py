"""Authorization headers that must open nothing, and bodies that must not be read."""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

CANARY = "zcanaryz"
"""Stands in what is sent; no answer may hold it."""


class Signer:
    """Signs with the issuer's own key, whatever is to be signed."""

    def __init__(self, keys: Path) -> None:
        self._file = min(keys.glob("*.pem"))

    def token(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A good token of an operator, but for these changes; None takes a claim out."""
        now = int(time.time())
        whole = {
            "iss": "telar",
            "aud": "telar",
            "sub": CANARY,
            "iat": now,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
            "roles": ["operator"],
        } | claims
        kept = {name: value for name, value in whole.items() if value is not None}
        headers = {"typ": "at+jwt", "kid": self._file.stem} | dict(header or {})
        return jwt.encode(kept, self._file.read_bytes(), algorithm="ES256", headers=headers)


def authorizations(keys: Path) -> dict[str, str | None]:
    """Headers by what is wrong with them; None: none is sent."""
    signer = Signer(keys)
    good = signer.token()
    return {
        "missing": None,
        "empty": "",
        "no token": "Bearer",
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "two tokens": f"Bearer {good} {good}",
        **{name: f"Bearer {token}" for name, token in _signed(signer).items()},
        **{name: f"Bearer {token}" for name, token in _forged(good).items()},
    }


def _signed(signer: Signer) -> dict[str, str]:
    """By the issuer's own key, and wrong nevertheless."""
    now = int(time.time())
    return {
        "expired": signer.token(iat=now - 600, exp=now - 60),
        "of the future": signer.token(iat=now + 600, exp=now + 900),
        "too long a life": signer.token(exp=now + 86_400),
        "without an end": signer.token(exp=None),
        "without a subject": signer.token(sub=None),
        "without an id": signer.token(jti=None),
        "of another issuer": signer.token(iss=CANARY),
        "for another audience": signer.token(aud=CANARY),
        "for several audiences": signer.token(aud=["telar", CANARY]),
        "a refresh token": signer.token({"typ": "rt+jwt"}, aud="telar-refresh"),
        "of another type": signer.token({"typ": "JWT"}),
        "of an unknown key": signer.token({"kid": CANARY}),
        "with a critical header": signer.token({"crit": ["b64"], "b64": True}),
        "without roles": signer.token(roles=[]),
        "of an unknown role": signer.token(roles=["operator", CANARY]),
        "of one role as text": signer.token(roles="operator"),
        "with a subject of another form": signer.token(sub="../" + CANARY),
        "with a subject too long": signer.token(sub="a" * 65),
        "acting for somebody without being a promoter": signer.token(act_for=CANARY),
        "acting for somebody, and more than a promoter": signer.token(
            act_for=CANARY, roles=["promoter", "operator"]
        ),
    }


def _forged(good: str) -> dict[str, str]:
    """A good token, tampered with."""
    head, claims, signature = good.split(".")
    return {
        "unsigned": f"{_part({'alg': 'none', 'typ': 'at+jwt'})}.{claims}.",
        "signed with a secret": _with_secret(good),
        "with other claims": f"{head}.{_part({'sub': CANARY, 'roles': ['operator']})}.{signature}",
        "with a cut signature": good[:-8],
        "without a signature": f"{head}.{claims}.",
        "in four parts": f"{good}.{signature}",
        "far too long": "a" * 9000 + "." + claims + "." + signature,
        "not base64": f"{CANARY}!.{claims}.{signature}",
        "an empty header": f"{_part({})}.{claims}.{signature}",
        "a list for a header": f"{_part([1])}.{claims}.{signature}",
        "a word": CANARY,
    }


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _with_secret(good: str) -> str:
    claims = jwt.decode(good, options={"verify_signature": False})
    headers = {"typ": "at+jwt", "kid": jwt.get_unverified_header(good)["kid"]}
    return jwt.encode(claims, "s" * 32, algorithm="HS256", headers=headers)


_FIELD = f'"{CANARY}"'
BODIES: dict[str, bytes] = {
    "cut off": b'{"a": ',
    "not JSON": f"<{CANARY}>".encode(),
    "several values": f"{{}} {_FIELD}".encode(),
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": [Infinity]}',
    "minus infinity": b'{"a": -Infinity}',
    "a number beyond all": b'{"a": 1e999}',
    "thousands of digits": b'{"a": ' + b"9" * 5000 + b"}",
    "a lone surrogate": f'{{"a": "{CANARY}\\ud800"}}'.encode(),
    "a lone surrogate in a name": f'{{"{CANARY}\\udfff": 1}}'.encode(),
    "a surrogate as bytes": b'{"a": "\xed\xa0\x80"}',
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "overlong UTF-8": b'{"a": "\xc0\xaf"}',
    "UTF-16": f"{{{_FIELD}: 1}}".encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a doubled key": f'{{"a": 1, "a": {_FIELD}}}'.encode(),
    "a doubled key within": f'{{"a": [{{"b": 1, "b": {_FIELD}}}]}}'.encode(),
    "a key doubled by escape": b'{"a": 1, "\\u0061": 2}',
    "a control character": f'{{"a": "{CANARY}\\u0000"}}'.encode(),
    "a raw control character": b'{"a": "\x01"}',
    "a right-to-left override": f'{{"a": "{CANARY}\\u202e"}}'.encode(),
    "Arabic digits": '{"a": "١٢٣"}'.encode(),
    "lists too deep": b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}",
    "objects too deep": b'{"a":' * 33 + b"1" + b"}" * 33,
    "lists almost too deep to read": b"[" * 950 + b"]" * 950,
    "lists without end": b"[" * 30_000,
    "objects without end": b'{"a":' * 12_000,
}
"""JSON that two readers could understand differently, or none."""
