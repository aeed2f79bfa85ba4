"""Rounds: announced by those who approve, read by everyone."""

from services.grants.domain.rounds import ROUNDS, Announce, Plan, Round
from services.grants.routes.policies import EVERYONE
from services.grants.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import Role
from shared.model import Do
from shared.types import Id

router = Router(tags=["rounds"])


class RoundView(Plan):
    """A round as anyone sees it: how much, until when, in which parts, on which conditions."""

    id: Id

    @classmethod
    def of(cls, a_round: Round) -> "RoundView":
        """The whole plan: nothing of it is secret."""
        return cls(**dict(a_round))


@router.post("/rounds", policy=Role("approver", "operator"), status=201)
async def announce_round(body: Plan, intent: Intent) -> Reply[RoundView]:
    round_id = intent.new_id("round")
    announce = Announce(round_id=round_id, plan=body)
    return await intent.run(Do(ROUNDS, round_id, announce), reply=RoundView.of)


@router.get("/rounds/{round_id}", policy=EVERYONE)
async def get_round(round_id: Id, query: Query) -> RoundView:
    return RoundView.of(await query.get(ROUNDS, round_id, unknown="round-unknown"))


@router.get("/rounds", policy=EVERYONE)
async def list_rounds(query: Query, paging: Paging, pool_id: Id | None = None) -> Page[RoundView]:
    where = filled(pool_id=pool_id)
    return await query.page(ROUNDS, where, paging, of=RoundView.of, sort="closes_at")
