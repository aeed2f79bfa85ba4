"""Where the effect of a command stands, as its caller carries it: `topic/key/sequence,…`.

A command answers with it (`Telar-Position`), a query waits for it (`after=`).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from shared.chassis import streams
from shared.chassis.envelope import Envelope, short
from shared.chassis.errors import Problem
from shared.chassis.ports import Store

MOST_PLACES = 128
"""One answer tells no more, and one query takes as many: what is told can be handed on whole."""

MOST_CHARACTERS = 16 * 1024
"""Of as many places, with keys as long as a token's subject can be."""

WAIT_SECONDS = 3.0
"""For all the places of one query together."""


class Place(NamedTuple):
    """One event's place in the stream of its key; the topic's short name."""

    topic: str
    key: str
    sequence: int

    @classmethod
    def read(cls, text: str) -> "Place":
        """Read one. Raises `Problem` 400."""
        topic, _, rest = text.partition("/")
        key, _, number = rest.rpartition("/")
        if not (topic and key and number.isascii() and number.isdecimal() and len(number) < 18):
            raise Problem(400, "after-malformed")
        return cls(topic, key, int(number))

    def is_reached(self, stream: Mapping[str, Any] | None, service: str) -> bool:
        """Whether this service has come so far: with its own topic by sending, else by applying."""
        if stream is None:
            return False
        part = stream["out" if self.topic == service else "in"]
        return bool(part.get(self.topic, (0,))[0] >= self.sequence)


def told(events: Sequence[Envelope], own: Collection[str] | None) -> str | None:
    """The last place of each key, or of her `own` alone; beyond the most, of the first keys."""
    last = {event.key: event for event in events if own is None or event.key in own}
    places = [f"{short(one.topic)}/{one.key}/{one.sequence}" for one in last.values()]
    return ",".join(places[:MOST_PLACES]) or None


def read(after: str) -> list[Place]:
    """What a caller hands on. Raises `Problem` 400 for another form, and for too many."""
    places = after.split(",")
    if len(places) > MOST_PLACES:
        raise Problem(400, "after-malformed")
    return [Place.read(one) for one in places]


async def wait_for(store: Store, service: str, places: Sequence[Place]) -> bool:
    """Wait until all of these are reached here; False when that takes long."""
    loop = asyncio.get_running_loop()
    until, pause, left = loop.time() + WAIT_SECONDS, 0.01, list(places)
    while loop.time() < until:
        found = await store.some(streams.COLLECTION, list({place.key for place in left}))
        left = [place for place in left if not place.is_reached(found.get(place.key), service)]
        if not left:
            return True
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.15)  # many who wait long must not keep the database busy
    return False
