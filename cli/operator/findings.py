"""What can differ, and the command that mends it."""

import shlex
from dataclasses import asdict, dataclass
from typing import Any

LOG_WRONG = "log-wrong"
FORK = "fork"
BEHIND = "behind"
AHEAD = "ahead"
PARKED = "parked"
NOT_IN_KAFKA = "not-in-kafka"
KAFKA_AHEAD = "kafka-ahead"
DEADLINES_DEAD = "deadlines-dead"
SUM_WRONG = "sum-wrong"
VIEW_DIFFERS = "view-differs"
UNREACHABLE = "unreachable"


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


def parked(service: str, one: dict[str, Any]) -> Finding:
    """A key that waits for somebody."""
    topic, key, why = one["topic"].removeprefix("telar."), one["key"], one["reason"]
    position = one["position"][0]
    detail = " ".join(word for word in (why, one["code"], f"after {position}") if word)
    if why == "gap":
        mend = f"telar resend --topic {topic} {_key(key)} --from {position + 1}"
    elif why == "fork":
        mend = _end_of_fork(service, topic, key, one)
    else:
        mend = f"telar parked retry {service} --topic {topic} {_key(key)}"
    mend = _because(mend, f"parked in {service}: {why} after {position}")
    return Finding(PARKED, service, topic, key, detail, mend)


def _end_of_fork(service: str, topic: str, key: str, one: dict[str, Any]) -> str:
    """The other event is there, or only where the publisher says that its stream ends."""
    (position, digest), other = one["position"], one["fork"]
    number = other["sequence"]
    adopt = f"telar adopt fork {service} --topic {topic} {_key(key)} --branch"
    if "id" in other:
        return f"{adopt} arrived --from {number}" if number <= position + 1 else f"{adopt} kept"
    if number == position and other["digest"] != digest:  # sent again, it can be looked at
        return f"telar resend --topic {topic} {_key(key)} --from {number}"
    if number < position:
        return f"{adopt} arrived --from {number + 1} --previous {other['digest']}"
    return f"{adopt} kept"


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
