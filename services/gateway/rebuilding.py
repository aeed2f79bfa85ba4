"""The operator's orders to make the views anew, and how far that is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from services.gateway.rebuild import BUILD, BUILDS, GOING_ON, ordered
from shared.chassis.audit import Asked, Order
from shared.chassis.batch import Ref
from shared.chassis.fold import Scope
from shared.chassis.http import Intent, Query, Reply, Router
from shared.chassis.operations.orders import OPERATOR, Because, Rate
from shared.chassis.operations.shown import READERS
from shared.chassis.replies import Stored
from shared.model import Frozen, Refused, Unknown

router = Router(tags=["operations"])
PATH = "/operations/gateway/rebuild"
_REF = Ref(BUILDS, BUILD)
_rate = Rate()


class Rebuild(Because):
    """Why, and whether the new views take the place of the live ones or are only compared."""

    mode: Literal["swap", "compare"] = "swap"


class Difference(Frozen):
    """A view that is not what the events say, or a key that keeps a build from its end."""

    collection: str
    id: str
    what: str


class Build(Frozen):
    """How far a build is, or what came of the last one."""

    state: Literal["building", "comparing", "ending", "swapped", "compared", "failed"]
    mode: Literal["swap", "compare"]
    generation: int | None
    events: int
    """Applied so far."""
    behind: int
    """Applied by the live views and not yet here."""
    started_at: datetime
    code: str | None
    """Why it failed."""
    compared: int
    unsettled: list[str]
    """What was never still enough to be compared."""
    differences: list[Difference]


class OrderBuild(Order):
    """Somebody wants the views made anew: noted with the audit, taken up within a second."""

    def __init__(self, asked: Asked, mode: str) -> None:
        super().__init__(asked)
        self.mode = mode

    def wanted(self) -> Sequence[Ref]:
        """The last build."""
        return [*super().wanted(), _REF]

    def act(self, scope: Scope) -> Stored:
        """One at a time."""
        last = scope.read(_REF)
        if last is not None and last["state"] in GOING_ON:
            raise Refused("rebuild-in-progress")
        now = self.context
        build = ordered(self.mode, self.asked.reason, now.actor, now.at)
        scope.put(_REF, {"_id": BUILD, **build})
        self.asked.note(scope, "gateway", self.mode)
        return Stored(202, Build.model_validate(_shown(build)).model_dump_json().encode())


@router.post(PATH, policy=OPERATOR, status=202)
async def rebuild_views(body: Rebuild, intent: Intent) -> Reply[Build]:
    """Make the views anew from the start of every topic."""
    _rate.take()
    asked = Asked(intent.context, intent.idempotency, "rebuild", body.reason)
    return await intent.answer(OrderBuild(asked, body.mode))


@router.get(PATH, policy=READERS)
async def show_rebuild(query: Query) -> Build:
    """How far it is."""
    found = await query.store.get(BUILDS, BUILD)
    if found is None:
        raise Unknown("rebuild-unknown")
    return Build.model_validate(_shown(found))


def _shown(found: dict[str, object]) -> dict[str, object]:
    return {name: found[name] for name in Build.model_fields}
