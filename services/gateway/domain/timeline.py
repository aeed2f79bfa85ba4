"""A woman's timeline: one entry for every fact of hers, from every service."""

from pydantic import JsonValue

from shared.model import Command, Frozen, view
from shared.types import Code, Id, Moment


class Happening(Frozen):
    """What happened, where and when, in codes."""

    id: str
    service: Code
    fact: Code
    at: Moment
    sequence: int
    details: dict[str, JsonValue]


class Entry(Happening):
    """What happened to her."""

    person_id: Id


class Note(Command):
    """A fact of hers was applied."""

    entry: Entry


def evolve(_entry: Entry | None, note: Note) -> Entry:
    """A fact never changes: the entry is what the note says."""
    return note.entry


def entry_id(key: str, service: str, sequence: int) -> str:
    """The place of a fact; sorts by service and number."""
    return f"{key}/{service}/{sequence:012d}"


TIMELINE = view("timeline", Entry, evolve)
