"""What the gateway itself shows: the public document, the codes, the key set, tokens."""

import asyncio
import html
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from services.gateway.documents import Document
from services.gateway.proxy import Request
from services.gateway.upstreams import Answer
from shared.chassis.auth import ACCESS, MAX_TOKEN
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.strict import parse
from shared.chassis.tokens import Issuer

Page = Callable[[Request], Awaitable[Answer]]
Pages = Mapping[str, Mapping[str, Page]]
"""By path and method."""

_FRESH = (b"cache-control", b"max-age=60")
_BODY_SECONDS = 10.0


def pages(document: Document, texts: Mapping[str, str], jwks: Path, issuer: Issuer | None) -> Pages:
    """Open to everybody: there is nothing in them of anybody."""
    codes = _json({"language": "es-MX", "codes": texts}, _FRESH)
    listing = Answer(200, [(b"content-type", b"text/html; charset=utf-8")], _listing(document))
    found = {
        "/v1/openapi.json": {"GET": _static(_json(document, _FRESH))},
        "/v1/docs": {"GET": _static(listing)},
        "/docs": {"GET": _static(listing)},
        "/v1/codes": {"GET": _static(codes)},
        "/.well-known/jwks.json": {"GET": _key_set(jwks)},
    }
    return found | {"/v1/tokens": {"POST": _tokens(issuer)}} if issuer else found


def _json(value: Any, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(200, [(b"content-type", b"application/json"), *headers], orjson.dumps(value))


def _static(answer: Answer) -> Page:
    async def show(_: Request) -> Answer:
        return answer

    return show


def _key_set(jwks: Path) -> Page:
    async def show(_: Request) -> Answer:
        try:
            published = await asyncio.to_thread(jwks.read_bytes)
        except OSError:
            raise Unavailable("not-ready") from None
        return Answer(200, [(b"content-type", b"application/jwk-set+json"), _FRESH], published)

    return show


def _tokens(issuer: Issuer) -> Page:
    async def exchange(request: Request) -> Answer:
        media = request.headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if media != b"application/json":
            raise Problem(415, "content-type-unsupported")
        access = await asyncio.to_thread(issuer.exchange, await _refresh_token(request))
        token = {"access_token": access, "token_type": "Bearer", "expires_in": ACCESS.max_seconds}
        return _json(token, (b"cache-control", b"no-store"))

    return exchange


async def _refresh_token(request: Request) -> str:
    match parse(await request.read(_BODY_SECONDS)):
        case {"refresh_token": str(token), **rest} if not rest and len(token) <= MAX_TOKEN:
            return token
    raise Problem(422, "body-invalid", errors=[{"place": "body/refresh_token", "code": "invalid"}])


_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Telar</title>
<meta name="viewport" content="width=device-width">
<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}
td{padding:.2rem 1rem .2rem 0;vertical-align:top}code{overflow-wrap:anywhere}</style>
<h1>Telar</h1><p>"""


def _listing(document: Document) -> bytes:
    """Every operation on one plain page that loads nothing else."""
    rows = [
        f"<tr><td>{method.upper()}<td><code>{html.escape(path)}</code>"
        f"<td>{html.escape(operation.get('summary', ''))}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    about = html.escape(document["info"]["description"])
    link = '<p><a href="/v1/openapi.json">OpenAPI</a>'
    return f"{_HEAD}{about}{link}<table>{''.join(rows)}</table>".encode()
