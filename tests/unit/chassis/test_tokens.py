"""Tokens: what the issuer signs is accepted, and whatever else looks like a token is not."""

import base64
import hashlib
import hmac
import json
import stat
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from shared.chassis.auth import MAX_TOKEN, RELOAD_SECONDS, Caller, Unauthorised, Verifier, bearer
from shared.chassis.errors import Unavailable
from shared.chassis.tokens import KEY_SECONDS, Issuer

Mutation = Callable[["Forge"], str]


class Forge:
    """Makes tokens with the real key, each spoilt in one way."""

    def __init__(self, folder: Path) -> None:
        pem = next(folder.glob("*.pem"))
        self.kid, self.pem = pem.stem, pem.read_bytes()
        self.foreign = ec.generate_private_key(ec.SECP256R1())
        loaded = serialization.load_pem_private_key(self.pem, None)
        self.public = loaded.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": "telar",
            "aud": "telar",
            "sub": "ana",
            "iat": now,
            "exp": now + 300,
            "jti": "one",
            "roles": ["applicant"],
        } | changes
        return {name: value for name, value in claims.items() if value is not ...}

    def token(
        self, *, key: Any = None, header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        headers = {"typ": "at+jwt", "kid": self.kid} | (header or {})
        return jwt.encode(
            self.claims(**changes), key or self.pem, algorithm="ES256", headers=headers
        )

    def raw(self, header: Any, payload: bytes = b"{}", signature: bytes = b"x" * 64) -> str:
        parts = (json.dumps(header).encode(), payload, signature)
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    def hmac(self) -> str:
        # PyJWT itself refuses to sign with a public key as the secret.
        head = self.raw({"alg": "HS256", "typ": "at+jwt", "kid": self.kid}).split(".")[0]
        body = self.token().split(".")[1]
        mac = hmac.new(self.public, f"{head}.{body}".encode(), hashlib.sha256).digest()
        return f"{head}.{body}." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    def carrying_its_own_key(self) -> str:
        jwk = ECAlgorithm.to_jwk(self.foreign.public_key(), as_dict=True)
        return self.token(key=self.foreign, header={"jwk": jwk})

    def swapped_body(self) -> str:
        one, other = self.token().split("."), self.token(roles=["treasurer"]).split(".")
        return f"{one[0]}.{other[1]}.{one[2]}"


NOW = int(time.time())
INVALID: dict[str, Mutation] = {
    "unsigned": lambda f: f.raw({"alg": "none", "typ": "at+jwt", "kid": f.kid}, signature=b""),
    "alg None": lambda f: f.raw({"alg": "None", "typ": "at+jwt", "kid": f.kid}),
    "hmac with the public key": Forge.hmac,
    "another algorithm named": lambda f: f.raw({"alg": "ES384", "typ": "at+jwt", "kid": f.kid}),
    "no typ": lambda f: f.token(header={"typ": None}),
    "typ JWT": lambda f: f.token(header={"typ": "JWT"}),
    "typ of a refresh token": lambda f: f.token(header={"typ": "rt+jwt"}),
    "foreign key, our kid": lambda f: f.token(key=f.foreign),
    "foreign key, its own kid": lambda f: f.token(key=f.foreign, header={"kid": "000-ff"}),
    "foreign key, carried along": Forge.carrying_its_own_key,
    "foreign key, by address": lambda f: f.token(
        key=f.foreign, header={"jku": "http://127.0.0.1/keys", "x5u": "http://127.0.0.1/x"}
    ),
    "no kid": lambda f: f.raw({"alg": "ES256", "typ": "at+jwt"}),
    "a path as kid": lambda f: f.token(header={"kid": "../../etc/passwd"}),
    "body of another token": Forge.swapped_body,
    "signature cut": lambda f: f.token().rsplit(".", 1)[0] + "." + "A" * 56,
    "no signature": lambda f: f.token().rsplit(".", 1)[0] + ".",
    "wrong issuer": lambda f: f.token(iss="other"),
    "no issuer": lambda f: f.token(iss=...),
    "wrong audience": lambda f: f.token(aud="telar-refresh"),
    "several audiences": lambda f: f.token(aud=["telar", "telar-refresh"]),
    "no audience": lambda f: f.token(aud=...),
    "no end": lambda f: f.token(exp=...),
    "no beginning": lambda f: f.token(iat=...),
    "no subject": lambda f: f.token(sub=...),
    "no id": lambda f: f.token(jti=...),
    "too long a life": lambda f: f.token(exp=NOW + 3600),
    "end before beginning": lambda f: f.token(iat=NOW + 300, exp=NOW + 300),
    "issued tomorrow": lambda f: f.token(iat=NOW + 86400, exp=NOW + 86700),
    "not valid yet": lambda f: f.token(nbf=NOW + 3600),
    "end as text": lambda f: f.token(exp=str(NOW + 300)),
    "end as a fraction": lambda f: f.token(exp=NOW + 300.5),
    "end without end": lambda f: f.token(exp=float("inf")),
    "beginning as a truth": lambda f: f.token(iat=True),
    "subject with spaces": lambda f: f.token(sub="ana maria"),
    "subject with a line end": lambda f: f.token(sub="ana\n"),
    "no roles": lambda f: f.token(roles=...),
    "empty roles": lambda f: f.token(roles=[]),
    "roles as text": lambda f: f.token(roles="operator"),
    "an unknown role": lambda f: f.token(roles=["applicant", "root"]),
    "a role that is none": lambda f: f.token(roles=[{"operator": True}]),
    "for another, not a promoter": lambda f: f.token(act_for="beatriz"),
    "for another, with a role beside": lambda f: f.token(
        act_for="beatriz", roles=["promoter", "intake"]
    ),
    "for a malformed other": lambda f: f.token(act_for=7, roles=["promoter"]),
}
MALFORMED: dict[str, Mutation] = {
    "garbage": lambda _: "garbage",
    "two parts": lambda f: ".".join(f.token().split(".")[:2]),
    "four parts": lambda f: f.token() + ".x",
    "dots": lambda _: "..",
    "not ascii": lambda f: f.token() + "ñ",
    "header a list": lambda f: f.raw(["ES256"]),
    "header not JSON": lambda _: "e30x.e30.e30",
    "known critical extension": lambda f: f.raw(
        {"alg": "ES256", "typ": "at+jwt", "kid": f.kid, "crit": ["b64"], "b64": False}
    ),
    "unknown critical extension": lambda f: f.raw({"alg": "ES256", "crit": ["telar"], "telar": 1}),
    "deeply nested header": lambda _: base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.e30",
    "ten kilobytes": lambda f: f.token(jti="x" * 10_000),
}


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    issuer = Issuer(tmp_path / "keys")
    issuer.ensure()
    return issuer


@pytest.fixture
def folder(issuer: Issuer, tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def verifier(folder: Path) -> Verifier:
    return Verifier(folder / "jwks.json")


@pytest.fixture
def forge(folder: Path) -> Forge:
    return Forge(folder)


def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(Unauthorised) as refused:
        verifier.verify(token)
    assert refused.value.status == 401
    return refused.value.code


def test_an_access_token_says_who_calls(issuer: Issuer, verifier: Verifier):
    token = issuer.access_token("ana", ["applicant"])
    assert verifier.caller(f"Bearer {token}") == Caller("ana", frozenset({"applicant"}))


def test_a_promoter_acts_for_a_woman(issuer: Issuer, verifier: Verifier):
    caller = verifier.verify(issuer.access_token("helper", ["promoter"], "ana"))
    assert (caller.subject, caller.on_behalf_of) == ("helper", "ana")


def test_a_token_that_is_whole_passes_the_forge(forge: Forge, verifier: Verifier):
    assert verifier.verify(forge.token()).subject == "ana"


@pytest.mark.parametrize("name", INVALID)
def test_a_token_spoilt_in_one_way_is_invalid(name: str, forge: Forge, verifier: Verifier):
    assert refusal(verifier, INVALID[name](forge)) == "token-invalid"


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_token_is_malformed(name: str, forge: Forge, verifier: Verifier):
    assert refusal(verifier, MALFORMED[name](forge)) == "token-malformed"


def test_an_old_token_has_expired(forge: Forge, verifier: Verifier):
    assert refusal(verifier, forge.token(iat=NOW - 600, exp=NOW - 60)) == "token-expired"


def test_a_token_seen_before_expires_too(
    forge: Forge, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
):
    token = forge.token()
    verifier.verify(token)
    later = time.time() + 306
    monkeypatch.setattr("shared.chassis.auth.time.time", lambda: later)
    assert refusal(verifier, token) == "token-expired"


def test_more_tokens_than_are_remembered_are_verified_in_threads_at_once(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
):
    claims = {"sub": "ana", "roles": ["applicant"], "exp": NOW + 300}
    monkeypatch.setattr(verifier, "_decode", dict.fromkeys(map(str, range(20_000)), claims).get)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            known = set(threads.map(verifier.verify, map(str, range(20_000))))
    finally:
        sys.setswitchinterval(interval)
    assert known == {Caller("ana", frozenset({"applicant"}))}


def test_a_size_above_the_limit_is_not_even_parsed(verifier: Verifier):
    assert refusal(verifier, "a" * MAX_TOKEN + ".b.c") == "token-malformed"


@pytest.mark.parametrize(
    ("header", "code"),
    [(None, "missing"), ("", "missing"), ("Basic YTpi", "malformed"), ("Bearer ", "malformed")],
)
def test_the_header_must_bear_a_token(header: str | None, code: str):
    with pytest.raises(Unauthorised) as refused:
        bearer(header)
    assert refused.value.code == f"token-{code}"


def test_a_refresh_token_is_no_access_token_nor_the_reverse(issuer: Issuer, verifier: Verifier):
    assert refusal(verifier, issuer.refresh_token("ana", ["applicant"])) == "token-invalid"
    with pytest.raises(Unauthorised):
        issuer.exchange(issuer.access_token("ana", ["applicant"]))


def test_a_refresh_token_is_exchanged_for_an_access_token(issuer: Issuer, verifier: Verifier):
    refresh = issuer.refresh_token("helper", ["promoter"], "ana")
    expected = Caller("helper", frozenset({"promoter"}), "ana")
    assert verifier.verify(issuer.exchange(refresh)) == expected


def test_no_access_token_lives_longer_than_ten_minutes(issuer: Issuer):
    with pytest.raises(ValueError, match="ten minutes"):
        issuer.access_token("ana", ["applicant"], lifetime=601)


def test_keys_are_for_their_owner_only_and_what_is_published_is_public(folder: Path):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert all("d" not in key for key in json.loads((folder / "jwks.json").read_bytes())["keys"])


def test_starting_again_keeps_the_key(folder: Path, verifier: Verifier):
    before = sorted(folder.iterdir()), (folder / "jwks.json").stat().st_mtime_ns
    again = Issuer(folder)
    again.ensure()
    assert (sorted(folder.iterdir()), (folder / "jwks.json").stat().st_mtime_ns) == before
    assert verifier.verify(again.access_token("ana", ["auditor"])).roles == {"auditor"}


def test_keys_of_one_millisecond_keep_their_order(folder: Path):
    issuer = Issuer(folder, Clock(time.time()))
    made = [issuer.rotate() for _ in range(8)]
    assert made == sorted(made)


def test_a_new_key_is_published_at_once_and_signs_when_every_reader_has_it(folder: Path):
    clock = Clock(time.time())
    issuer = Issuer(folder, clock)
    old = kid_of(issuer.access_token("ana", ["auditor"]))
    new = issuer.rotate()
    assert {key["kid"] for key in json.loads(issuer.key_set())["keys"]} == {old, new}
    assert kid_of(issuer.access_token("ana", ["auditor"])) == old
    clock.now += RELOAD_SECONDS + 2
    assert kid_of(issuer.access_token("ana", ["auditor"])) == new


def test_an_old_key_goes_after_the_longest_life_it_signed(folder: Path):
    clock = Clock(time.time())
    issuer = Issuer(folder, clock)
    first = next(folder.glob("*.pem")).stem
    clock.now += 60
    second = issuer.rotate()
    clock.now += 12 * 3600
    third = issuer.rotate()
    assert {file.stem for file in folder.glob("*.pem")} == {first, second, third}
    clock.now += 60
    fourth = issuer.rotate()
    assert {file.stem for file in folder.glob("*.pem")} == {second, third, fourth}


def test_a_key_of_last_season_is_renewed_at_start(folder: Path):
    issuer = Issuer(folder, Clock(time.time() + KEY_SECONDS + 10))
    issuer.ensure()
    assert len(list(folder.glob("*.pem"))) == 2


def test_readers_find_a_new_key_at_once_but_ask_for_an_unknown_one_seldom(folder: Path):
    clock = Clock(1000.0)
    verifier, forge = Verifier(folder / "jwks.json", clock=clock), Forge(folder)
    assert verifier.verify(forge.token()).subject == "ana"
    assert refusal(verifier, forge.token(header={"kid": "unknown"})) == "token-invalid"
    new = Issuer(folder).rotate()
    token = forge.token(key=(folder / f"{new}.pem").read_bytes(), header={"kid": new})
    assert refusal(verifier, token) == "token-invalid"  # asked for within the same second
    clock.now += 1.0
    assert verifier.verify(token).subject == "ana"


def test_a_broken_or_missing_key_set_leaves_the_last_good_one(folder: Path, forge: Forge):
    clock = Clock(1000.0)
    verifier = Verifier(folder / "jwks.json", clock=clock)
    verifier.verify(forge.token())
    for spoil in (b"{", b'{"keys": []}', b'{"keys": [{"kid": "x"}]}', None):
        (folder / "jwks.json").unlink()
        if spoil is not None:
            (folder / "jwks.json").write_bytes(spoil)
        clock.now += RELOAD_SECONDS + 1
        assert verifier.verify(forge.token(jti=str(spoil))).subject == "ana"


def test_a_key_that_is_withdrawn_ends_its_tokens(folder: Path, forge: Forge, tmp_path: Path):
    clock = Clock(1000.0)
    verifier = Verifier(folder / "jwks.json", clock=clock)
    token = forge.token()
    verifier.verify(token)
    other = Issuer(tmp_path / "other")
    other.ensure()
    (folder / "jwks.json").write_bytes(other.key_set())
    clock.now += RELOAD_SECONDS + 1
    assert refusal(verifier, token) == "token-invalid"


def test_without_any_key_set_nobody_is_refused_but_asked_to_come_back(tmp_path: Path, forge: Forge):
    with pytest.raises(Unavailable):
        Verifier(tmp_path / "nowhere.json").verify(forge.token())


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def kid_of(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]
