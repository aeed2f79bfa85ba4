"""The log lines of a service that runs in this process, as data."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from shared.chassis import logging as chassis_logging

Line = dict[str, Any]


@contextmanager
def captured(service: str) -> Iterator[Callable[[], list[Line]]]:
    """JSON lines written meanwhile; afterwards logging is as it was."""
    handlers, level = list(logging.root.handlers), logging.root.level
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        chassis_logging.configure(service, "json")
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        structlog.reset_defaults()
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
