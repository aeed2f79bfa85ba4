"""A store that is lost in the middle of something."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.chassis.ports import Instant, StoreError
from tests.unit.chassis.test_core import Ticking


class Gone(Ticking):
    """A store that lets so many documents of a collection be claimed, and can then only be read."""

    def __init__(self, collection: str, lets: int = 2) -> None:
        super().__init__()
        self._collection, self._lets = collection, lets

    async def move(
        self, place: Instant, was: datetime, to: datetime, also: Mapping[str, Any] | None = None
    ) -> bool:
        self._lets -= place.collection == self._collection
        if self._lets < 0:
            raise StoreError("gone")
        return await super().move(place, was, to, also)
