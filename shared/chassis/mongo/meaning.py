"""What PyMongo's errors mean to the core."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import errors
from pymongo.errors import PyMongoError

from shared.chassis.mongo import queries
from shared.chassis.ports import Conflict, StoreError, StoreUnavailable

_CLOSED = errors.InvalidOperation
_NO_ANSWER = (errors.ConnectionFailure, errors.ExecutionTimeout, errors.WTimeoutError, _CLOSED)


@contextmanager
def translated(*but: type[PyMongoError]) -> Iterator[None]:
    """Whatever the driver raises inside comes out as a `StoreError`, except `but` these."""
    try:
        yield
    except but:
        raise
    except PyMongoError as error:
        raise meaning(error) from None


def meaning(error: PyMongoError) -> StoreError:
    """Never its text, which may show values of a document."""
    name, code = type(error).__name__, getattr(error, "code", None)
    if isinstance(error, _NO_ANSWER) or code == queries.NO_MAJORITY_YET:
        return StoreUnavailable(name)
    if error.has_error_label("TransientTransactionError") or code in queries.RUN_AGAIN:
        return Conflict(name)
    return StoreError(f"{name} {code}")
