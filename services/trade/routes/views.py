"""What is shown of a place."""

from services.trade.domain.places import Place, PlaceStatus
from shared.model import Frozen
from shared.types import Code, Count, Id, Moment


class PlaceView(Frozen):
    """A place as she and the desk see it."""

    id: Id
    person_id: Id
    fair_id: Id
    status: PlaceStatus
    rank: Count
    expires_at: Moment | None
    reason_code: Code | None

    @classmethod
    def of(cls, place: Place) -> "PlaceView":
        """Show a place."""
        return cls(**dict(place))
