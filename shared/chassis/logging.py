"""Logs: JSON under a supervisor, pretty in a terminal; no body, no locals of a traceback.

A line says where it belongs: `service`, and inside a request or the handling of an event also
`correlation` (the thread), `causation` (what led to this: the id that a command gives its events
as their cause, or the cause of the event that is handled), `event` (the id of that event) and
`trace` (the caller's, if it sent one). What happened is the line's `message`.
"""

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

About = Callable[[], Mapping[str, str]]
"""Says what lines are about; asked only when one is written."""

_inside: ContextVar[About | None] = ContextVar("inside", default=None)


class Inside:
    """Lines written in here carry these fields too."""

    __slots__ = ("_about", "_token")

    def __init__(self, about: About) -> None:
        self._about = about

    def __enter__(self) -> None:
        self._token = _inside.set(self._about)

    def __exit__(self, *_: object) -> None:
        _inside.reset(self._token)


def trace_id(traceparent: str | None) -> dict[str, str]:
    """The field `trace` of a W3C traceparent; nothing where there is none."""
    parts = (traceparent or "").split("-")
    return {"trace": parts[1]} if len(parts) > 1 else {}


def place(error: BaseException) -> str:
    """Where it was raised: module, function, line; nothing of what it says."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    frame = trace.tb_frame
    return f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_name}:{trace.tb_lineno}"


def _placed(service: str) -> Callable[..., MutableMapping[str, Any]]:
    def place(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        about = _inside.get()
        fields = dict(about()) if about else {}
        if "event" in fields:
            fields["_event"] = fields.pop("event")  # its own name is the message's until the end
        return {"service": service, **fields, **line}

    return place


_traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _kinds_and_places(exc_info: Any) -> list[dict[str, Any]]:
    """A traceback without what the errors say: that may quote what somebody sent."""
    stacks = _traceback(exc_info)
    for stack in stacks:
        for told in ("exc_value", "exc_notes", "syntax_error", "exceptions"):
            stack.pop(told, None)
    return stacks


def _without_colours(
    _: object, __: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    line.pop("color_message", None)  # uvicorn says everything once more, for terminals
    return line


def configure(service: str, log_format: str) -> None:
    """Send structlog and the standard library's loggers through one chain to stderr."""
    shared: list[Any] = [
        _placed(service),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[*shared[:-1], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    plain_errors = structlog.dev.plain_traceback
    render: list[Any] = [
        structlog.dev.ConsoleRenderer(event_key="message", exception_formatter=plain_errors)
    ]
    if log_format == "json":
        render = [
            structlog.processors.ExceptionRenderer(_kinds_and_places),
            structlog.processors.JSONRenderer(),
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_colours,
                structlog.processors.EventRenamer("message", "_event"),
                *render,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for noisy in ("aiokafka", "kafka", "pymongo", "uvicorn.access", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
