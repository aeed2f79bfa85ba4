"""What is shown of a place."""

from services.trade.domain.places import Place, PlaceStatus
from shared.events.trade import Requirement
from shared.model import Frozen
from shared.types import Code, Id, Moment, PositiveCount


class PlaceView(Frozen):
    """A place as she and the desk see it.

    `expires_at`: an offer waits for her answer. `unmet`: what the fair requires and she has lost.
    """

    id: Id
    person_id: Id
    fair_id: Id
    status: PlaceStatus
    rank: PositiveCount | None
    expires_at: Moment | None
    reason_code: Code | None
    unmet: tuple[Requirement, ...]

    @classmethod
    def of(cls, place: Place) -> "PlaceView":
        """Show a place."""
        return cls(**{name: getattr(place, name) for name in cls.model_fields})
