"""Who may call a route. Every route names its policy; one without it does not start.

It is asked before a byte of the body is read: who may not learns nothing of what would be valid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from shared.chassis.auth import Caller
from shared.chassis.auth import Role as RoleName
from shared.model import Aggregate, Context, Forbidden, Refused, Require, Unknown


class Policy(Protocol):
    """Decides from the caller and the path; what needs the state comes back as guards."""

    @property
    def roles(self) -> frozenset[RoleName]:
        """Who may get past it with one of these at all; said in the OpenAPI document."""
        ...

    def check(self, caller: Caller, path: Mapping[str, str]) -> Sequence[Require]:
        """Guards that must hold; raises `Forbidden` (403) or `Unknown` (404)."""
        ...


def person_of(caller: Caller) -> str:
    """The woman acted for: herself, or the one that a promoter helps."""
    return caller.on_behalf_of or caller.subject


class Role:
    """Any of these roles."""

    def __init__(self, *roles: RoleName) -> None:
        self.roles: frozenset[RoleName] = frozenset(roles)

    def check(self, caller: Caller, path: Mapping[str, str]) -> Sequence[Require]:
        """403 without one of the roles."""
        if not caller.roles & self.roles:
            raise Forbidden("role-missing")
        return ()


_HERS = Role("applicant", "promoter")


def confined_to(caller: Caller) -> str | None:
    """The one key of whose stream she may know, her own; None for staff, who may know of any."""
    return person_of(caller) if caller.roles <= _HERS.roles else None


class Self:
    """The path parameter is the woman acted for; anybody else's is 404."""

    def __init__(self, param: str) -> None:
        self.roles, self.param = _HERS.roles, param

    def check(self, caller: Caller, path: Mapping[str, str]) -> Sequence[Require]:
        """404 for another's id."""
        _HERS.check(caller, path)
        if path[self.param] != person_of(caller):
            raise Unknown("not-found")
        return ()


@dataclass(frozen=True)
class _Owned:
    field: str
    person_id: str

    def __call__(self, state: Any, now: Context) -> None:
        if state is None or getattr(state, self.field) != self.person_id:
            raise Unknown("not-found")


class Owner:
    """The aggregate that the last path parameter names is hers; anybody else's is 404."""

    def __init__(self, aggregate: Aggregate[Any], field: str, param: str | None = None) -> None:
        self.roles = _HERS.roles
        self.aggregate, self.field, self.param = aggregate, field, param

    def check(self, caller: Caller, path: Mapping[str, str]) -> Sequence[Require]:
        """A guard on the loaded state."""
        _HERS.check(caller, path)
        doc_id = path[self.param] if self.param else list(path.values())[-1]
        owned = cast("Any", _Owned(self.field, person_of(caller)))
        return (Require(self.aggregate, doc_id, owned),)


class AnyOf:
    """Any of these policies; one that needs no state is preferred."""

    def __init__(self, *policies: Policy) -> None:
        self.policies = policies
        self.roles: frozenset[RoleName] = frozenset().union(*(one.roles for one in policies))

    def check(self, caller: Caller, path: Mapping[str, str]) -> Sequence[Require]:
        """The lightest that allows it; else 404 if any of them hides, else 403."""
        allowed: list[Sequence[Require]] = []
        denied: list[Refused] = []
        for policy in self.policies:
            try:
                allowed.append(policy.check(caller, path))
            except Refused as refused:
                denied.append(refused)
        if allowed:
            return min(allowed, key=len)
        raise next((no for no in denied if isinstance(no, Unknown)), denied[0])
