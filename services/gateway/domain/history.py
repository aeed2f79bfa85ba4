"""The history of a thing of the programme: a call, a course, a cohort, a pool, a fair."""

from services.gateway.domain.timeline import Happening
from shared.model import Command, view
from shared.types import Id


class Chapter(Happening):
    """What happened to a thing."""

    thing_id: Id


class Write(Command):
    """A fact about a thing was applied."""

    chapter: Chapter


def evolve(_chapter: Chapter | None, write: Write) -> Chapter:
    """A fact never changes: the chapter is what was written."""
    return write.chapter


HISTORY = view("history", Chapter, evolve)
