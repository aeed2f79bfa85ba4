"""Reading: one thing, or a page of things by cursor; `after=` waits for a position."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Depends, Request, Response
from fastapi import Query as Parameter
from pydantic import BaseModel

from shared.chassis import positions
from shared.chassis.batch import state_of
from shared.chassis.errors import Problem
from shared.chassis.policy import confined_to
from shared.chassis.ports import Store
from shared.chassis.strict import plain
from shared.model import Aggregate, Context, Require, Unknown

State = TypeVar("State", bound=BaseModel)
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """Some of a list; `next` is the cursor of what follows, if anything does."""

    items: list[Item]
    next: str | None = None


class Cursor(BaseModel):
    """How much of a list, and from where."""

    after: tuple[Any, str] | None
    limit: int


def _cursor(
    cursor: Annotated[str | None, Parameter(max_length=400)] = None,
    limit: Annotated[int, Parameter(ge=1, le=100)] = 50,
) -> Cursor:
    if cursor is None:
        return Cursor(after=None, limit=limit)
    try:
        after = _after(orjson.loads(base64.urlsafe_b64decode(cursor.encode())))
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise Problem(400, "cursor-malformed") from None
    return Cursor(after=after, limit=limit)


def _after(parts: Any) -> tuple[Any, str]:
    """A cursor is anybody's to write: only what a list can be sorted by gets near the database."""
    match parts:
        case [str(text), str(doc_id), "at"] if plain(doc_id):
            at = datetime.fromisoformat(text)
            if at.tzinfo is not None:
                return at.astimezone(UTC), doc_id
        case [str(text), str(doc_id), "plain"] if plain(text) and plain(doc_id):
            return text, doc_id
        case [bool(), _, _]:
            pass
        case [None | int() as number, str(doc_id), "plain"] if plain(doc_id):
            if number is None or -(2**63) <= number < 2**63:
                return number, doc_id
    raise ValueError("a cursor")


Paging = Annotated[Cursor, Depends(_cursor)]


def _next(document: Mapping[str, Any], sort: str) -> str:
    value = document.get(sort)
    kind = "at" if isinstance(value, datetime) else "plain"
    return base64.urlsafe_b64encode(orjson.dumps([value, document["_id"], kind])).decode()


def page_of(found: Sequence[Mapping[str, Any]], limit: int) -> tuple[list[Any], str | None]:
    """Of one document more than a page holds: the page, and the cursor of the rest, by id."""
    shown = list(found[:limit])
    return shown, _next(shown[-1], "_id") if len(found) > limit else None


class Reader:
    """Reads of one request, behind its policy."""

    def __init__(self, store: Store, response: Response, person_id: str) -> None:
        self.store, self.person_id = store, person_id
        self._response = response

    async def get(self, aggregate: Aggregate[Any], doc_id: str, unknown: str = "not-found") -> Any:
        """The state of one aggregate, its version as ETag; 404 with this code if there is none."""
        document = await self.store.get(aggregate.name, doc_id)
        if document is None:
            raise Unknown(unknown)
        self._response.headers["etag"] = f'"{document["version"]}"'
        return state_of(aggregate, document)

    async def find(self, aggregate: Aggregate[Any], doc_id: str) -> Any:
        """The state of one aggregate, or None."""
        document = await self.store.get(aggregate.name, doc_id)
        return None if document is None else state_of(aggregate, document)

    async def shown(
        self,
        collection: str,
        where: Mapping[str, Any],
        paging: Cursor,
        *,
        of: Callable[[Mapping[str, Any]], Item],
        sort: str = "_id",
    ) -> Page[Item]:
        """The documents whose fields equal `where`, by `sort` and id, each shown by `of`."""
        found = await self.store.page(
            collection, where, sort=sort, after=paging.after, limit=paging.limit + 1
        )
        shown = found[: paging.limit]
        more = _next(shown[-1], sort) if len(found) > paging.limit else None
        return Page(items=[of(document) for document in shown], next=more)

    async def page(
        self,
        aggregate: Aggregate[Any],
        where: Mapping[str, Any],
        paging: Cursor,
        *,
        of: Callable[[Any], Item],
        sort: str = "_id",
    ) -> Page[Item]:
        """Those whose fields equal `where` (a list field contains it), by `sort` and id."""
        return await self.shown(
            aggregate.name,
            where,
            paging,
            of=lambda document: of(state_of(aggregate, dict(document))),
            sort=sort,
        )


async def guard(store: Store, guards: Sequence[Require], now: Context) -> None:
    """Check a policy's guards for a read."""
    for needed in guards:
        document = await store.get(needed.aggregate.name, needed.id)
        state = state_of(needed.aggregate, document) if document else None
        needed.check(state, now)


async def _reached(request: Request, after: str) -> bool:
    runtime, own = request.app.state.runtime, confined_to(request.state.caller)
    places = positions.read(after)
    if any(own not in (None, place.key) for place in places):
        return False  # without a look: how far another woman's stream is would tell of her
    return await positions.wait_for(runtime.store, runtime.name, places)


async def reader(
    request: Request,
    response: Response,
    after: Annotated[str | None, Parameter(max_length=positions.MOST_CHARACTERS)] = None,
) -> Reader:
    """The dependency behind `Query`: policy's guards first, then the position."""
    runtime = request.app.state.runtime
    await guard(runtime.store, request.state.guards, request.state.context)
    if after:
        told = "reached" if await _reached(request, after) else "not-reached"
        response.headers["telar-after"] = told
    return Reader(runtime.store, response, request.state.person_id)


Query = Annotated[Reader, Depends(reader)]
