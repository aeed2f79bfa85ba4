"""`telar token` and `telar keys`: the stack's own issuer of tokens."""

from pathlib import Path
from typing import cast

import typer

from deploy.local.folders import Folders
from shared.chassis.auth import ACCESS, REFRESH, ROLES, Role, Unauthorised, Verifier
from shared.chassis.tokens import JWKS, Issuer


def token(
    folder: Path, subject: str, roles: list[str], on_behalf_of: str | None, *, refresh: bool
) -> str:
    """A signed token that the services accept."""
    if unknown := sorted(set(roles) - ROLES):
        raise typer.BadParameter(f"no role {unknown[0]!r}; there are {', '.join(sorted(ROLES))}")
    known = cast(list[Role], roles)
    issuer = _issuer(folder)
    sign = issuer.refresh_token if refresh else issuer.access_token
    signed = sign(subject, known, on_behalf_of)
    verifier = Verifier(Folders(folder).keys / JWKS, REFRESH if refresh else ACCESS)
    try:
        verifier.verify(signed)
    except Unauthorised as problem:
        raise typer.BadParameter(f"no service would accept that: {problem}") from None
    return signed


def rotate(folder: Path) -> str:
    """The id of the new key."""
    return _issuer(folder).rotate()


def _issuer(folder: Path) -> Issuer:
    folders = Folders(folder)
    folders.make()
    issuer = Issuer(folders.keys)
    issuer.ensure()
    return issuer
