"""What can differ, and the command that mends it."""

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from cli.operator.positions import Place

LOG_WRONG = "log-wrong"
FORK = "fork"
BEHIND = "behind"
AHEAD = "ahead"
LAGGING = "lagging"
PARKED = "parked"
NOT_IN_KAFKA = "not-in-kafka"
KAFKA_AHEAD = "kafka-ahead"
DEADLINES_DEAD = "deadlines-dead"
SUM_WRONG = "sum-wrong"
VIEW_DIFFERS = "view-differs"
UNREACHABLE = "unreachable"

_FORKS = "docs/runbooks/adopt.md#a-fork-at-a-consumer"


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as it must be."""

    code: str
    service: str
    topic: str = ""
    key: str = ""
    detail: str = ""
    mend: str = ""

    def data(self) -> dict[str, Any]:
        """As a line of data."""
        return asdict(self)


def wait_or_resend(service: str, topic: str, key: str, position: int, head: int) -> Finding:
    """A consumer that did not get what was published, though nothing is on its way."""
    words = f"telar resend --topic {topic} {_key(key)} --from {position + 1}"
    mend = _because(words, f"{service} lacks it")
    return Finding(BEHIND, service, topic, key, f"applied {position} of {head}", mend)


def lagging(service: str, topic: str, left: int) -> Finding:
    """A consumer that does not get on: what it lacks is only known once it has read the rest."""
    detail = f"{left} records to read, and none is read"
    return Finding(LAGGING, service, topic, detail=detail, mend="docs/runbooks/lag.md")


def forked(service: str, topic: str, key: str, sequence: int) -> Finding:
    """Publisher and consumer have another event under one number: sent again, it is parked."""
    words = f"telar resend --topic {topic} {_key(key)} --from {sequence} --to {sequence}"
    mend = _because(words, f"{service} has another event there")
    return Finding(FORK, service, topic, key, f"another event at {sequence}", mend)


def ahead(service: str, topic: str, key: str, position: int, head: int) -> Finding:
    """A consumer applied what its publisher knows nothing of."""
    detail = f"{service} applied {position}, the publisher gave {head}"
    mend = _because(f"telar adopt topic {topic}", f"{service} knows more than {topic}")
    return Finding(AHEAD, topic, topic, key, detail, mend)


def parked(service: str, one: dict[str, Any], there: Place | None = None) -> Finding:
    """A key that waits for somebody; for a fork, where its publisher stands."""
    topic, key, why = one["topic"].removeprefix("telar."), one["key"], one["reason"]
    position = one["position"][0]
    detail = " ".join(word for word in (why, one["code"], f"after {position}") if word)
    if why == "gap":
        mend = f"telar resend --topic {topic} {_key(key)} --from {position + 1}"
    elif why == "fork":
        mend = _end_of_fork(service, topic, key, one, there)
    else:
        mend = f"telar parked retry {service} --topic {topic} {_key(key)}"
    why = f"parked in {service}: {why} after {position}"
    return Finding(PARKED, service, topic, key, detail, _because(mend, why) if mend else _FORKS)


def _end_of_fork(
    service: str, topic: str, key: str, one: dict[str, Any], there: Place | None
) -> str:
    """The other event is there, or only where the publisher says that its stream ends.

    Empty where nobody can say here whether the event is the publisher's.
    """
    (position, digest), other = one["position"], one["fork"]
    number = other["sequence"]
    adopt = f"telar adopt fork {service} --topic {topic} {_key(key)} --branch"
    if "id" in other:
        published = _is_published(other, there, one["events"]) if number <= position + 1 else False
        if published is None:
            return ""
        return f"{adopt} arrived --from {number}" if published else f"{adopt} kept"
    if number == position and other["digest"] != digest:  # sent again, it can be looked at
        return f"telar resend --topic {topic} {_key(key)} --from {number}"
    if number < position:
        return f"{adopt} arrived --from {number + 1} --previous {other['digest']}"
    return f"{adopt} kept"


def _is_published(
    other: dict[str, Any], there: Place | None, held: list[dict[str, Any]]
) -> bool | None:
    """Whether the publisher gave this event; None where that cannot be told.

    From its last event backwards, each one that is held names the one before by its hash.
    """
    if there is None:
        return None
    for event in sorted(held, key=lambda one: one["sequence"], reverse=True):
        if there.sequence > other["sequence"] and there == (event["sequence"], event["digest"]):
            there = Place(there.sequence - 1, event["previous"])
    known = there.sequence <= other["sequence"]
    return there == (other["sequence"], other["digest"]) if known else None


def overdue(service: str, count: int) -> Finding:
    """Deadlines that were given up."""
    mend = "docs/runbooks/dead-deadline.md"
    return Finding(DEADLINES_DEAD, service, detail=f"{count} given up", mend=mend)


def lost(service: str, key: str, lacks: int, head: int) -> Finding:
    """Events that stand in the outbox and not in Kafka: the first of them, or the only one."""
    words = f"telar resend --topic {service} {_key(key)} --from {lacks}"
    mend = _because(words, "not in Kafka")
    return Finding(NOT_IN_KAFKA, service, service, key, f"lacks {lacks} of {head}", mend)


def unknown(service: str, key: str, last: int, head: int) -> Finding:
    """Events that stand in Kafka and not in the outbox."""
    detail = f"Kafka has {last}, the outbox {head}"
    mend = _because(f"telar adopt topic {service}", f"Kafka knows more than {service}")
    return Finding(KAFKA_AHEAD, service, service, key, detail, mend)


def _key(key: str) -> str:
    return shlex.quote(f"--key={key}")


def _because(command: str, why: str) -> str:
    """With the reason that every order wants, so that the line can be run as it is."""
    return f'{command} --reason "{why}"'
