"""Calls: published and closed by intake, read by everyone."""

from typing import Literal

from services.enrollment.domain.calls import CALLS, Call, CallTerms, Close, Publish
from services.enrollment.routes.policies import EVERYONE
from services.enrollment.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import Role
from shared.model import Do
from shared.types import Id

router = Router(tags=["calls"])

DESK = Role("intake", "operator")
CallStatus = Literal["published", "closed"]


class CallView(Call):
    """A call as anyone sees it."""

    @classmethod
    def of(cls, call: Call) -> "CallView":
        """Everything: a call has no secrets."""
        return cls(**dict(call))


@router.post("/calls", policy=DESK, status=201)
async def publish_call(body: CallTerms, intent: Intent) -> Reply[CallView]:
    call_id = intent.new_id("call")
    publish = Publish(call_id=call_id, terms=body)
    return await intent.run(Do(CALLS, call_id, publish), reply=CallView.of)


@router.post("/calls/{call_id}/closure", policy=DESK)
async def close_call(call_id: Id, intent: Intent) -> Reply[CallView]:
    return await intent.run(Do(CALLS, call_id, Close()), reply=CallView.of)


@router.get("/calls/{call_id}", policy=EVERYONE)
async def get_call(call_id: Id, query: Query) -> CallView:
    return CallView.of(await query.get(CALLS, call_id, unknown="call-unknown"))


@router.get("/calls", policy=EVERYONE)
async def list_calls(
    query: Query, paging: Paging, status: CallStatus | None = None
) -> Page[CallView]:
    return await query.page(CALLS, filled(status=status), paging, of=CallView.of, sort="closes_at")
