"""What a driver really raises at a call: before it did anything, and after the server did it.

A call that never answers is told by PyMongo after its socket timeout; aiokafka waits for ever.
"""

from collections.abc import Callable, Mapping

from aiokafka import errors as kafka
from pymongo import errors as mongo

from shared.chassis.mongo import MongoTransaction

Make = Callable[[], Exception]
Errors = Mapping[str, Make]
"""Errors by name."""

TRANSIENT, UNKNOWN = "TransientTransactionError", "UnknownTransactionCommitResult"


def _mongo(kind: type[mongo.PyMongoError], code: int | None = None, label: str = "") -> Make:
    def make() -> Exception:
        error = kind("injected", code) if code is not None else kind("injected")  # pyrefly: ignore
        if label:
            error._add_error_label(label)
        return error

    return make


def _kafka(kind: type[Exception]) -> Make:
    return lambda: kind("injected")


_LOST: Errors = {
    "AutoReconnect": _mongo(mongo.AutoReconnect),
    "NetworkTimeout": _mongo(mongo.NetworkTimeout),
}
_READ: Errors = {
    **_LOST,
    "NotPrimaryError": _mongo(mongo.NotPrimaryError),
    "ServerSelectionTimeoutError": _mongo(mongo.ServerSelectionTimeoutError),
    "ExecutionTimeout": _mongo(mongo.ExecutionTimeout, 50),
    "OperationFailure": _mongo(mongo.OperationFailure, 8000),
}
_WRITTEN: Errors = {**_LOST, "WTimeoutError": _mongo(mongo.WTimeoutError, 64)}
_IN_TRANSACTION: Errors = {
    "AutoReconnect": _mongo(mongo.AutoReconnect, None, TRANSIENT),
    "WriteConflict": _mongo(mongo.OperationFailure, 112, TRANSIENT),
    "NoSuchTransaction": _mongo(mongo.OperationFailure, 251, TRANSIENT),
    "NotPrimaryError": _mongo(mongo.NotPrimaryError, None, TRANSIENT),
    "OperationFailure": _mongo(mongo.OperationFailure, 8000),
}
_COMMIT_UNKNOWN: Errors = {
    "AutoReconnect": _mongo(mongo.AutoReconnect, None, UNKNOWN),
    "NetworkTimeout": _mongo(mongo.NetworkTimeout, None, UNKNOWN),
    "WTimeoutError": _mongo(mongo.WTimeoutError, 64, UNKNOWN),
}
_COMMIT: Errors = {
    **_COMMIT_UNKNOWN,
    "WriteConflict": _mongo(mongo.OperationFailure, 112, TRANSIENT),
    "NoSuchTransaction": _mongo(mongo.OperationFailure, 251, TRANSIENT),
}

_BROKER: Errors = {
    "KafkaConnectionError": _kafka(kafka.KafkaConnectionError),
    "KafkaTimeoutError": _kafka(kafka.KafkaTimeoutError),
    "ConnectionError": _kafka(ConnectionResetError),
    "NodeNotReadyError": _kafka(kafka.NodeNotReadyError),
}
_SEND: Errors = {
    "KafkaTimeoutError": _kafka(kafka.KafkaTimeoutError),
    "NotLeaderForPartitionError": _kafka(kafka.NotLeaderForPartitionError),
    "OutOfOrderSequenceNumber": _kafka(kafka.OutOfOrderSequenceNumber),
    "ProducerFenced": _kafka(kafka.ProducerFenced),
    "ConnectionError": _kafka(ConnectionResetError),
}
_POLL: Errors = {
    "OffsetOutOfRangeError": lambda: kafka.OffsetOutOfRangeError({}),
    "CorruptRecordException": _kafka(kafka.CorruptRecordException),
    "ConsumerStoppedError": _kafka(kafka.ConsumerStoppedError),
    "UnknownMemberIdError": _kafka(kafka.UnknownMemberIdError),
}
_NOTE: Errors = {
    "CommitFailedError": _kafka(kafka.CommitFailedError),
    "IllegalStateError": _kafka(kafka.IllegalStateError),
    "UnknownMemberIdError": _kafka(kafka.UnknownMemberIdError),
    "KafkaConnectionError": _kafka(kafka.KafkaConnectionError),
}
_PLACE: Errors = {
    "IllegalStateError": _kafka(kafka.IllegalStateError),
    "KafkaTimeoutError": _kafka(kafka.KafkaTimeoutError),
}
_GROUP: Errors = {
    **_BROKER,
    "GroupCoordinatorNotAvailableError": _kafka(kafka.GroupCoordinatorNotAvailableError),
}

_BEFORE: Mapping[str, Errors] = {
    "commit_transaction": _COMMIT,
    "send_batch": _SEND,
    "getmany": _POLL,
    "commit": _NOTE,
    "committed": _GROUP,
    "position": _PLACE,
    "list_consumer_group_offsets": _GROUP,
}
_AFTER: Mapping[str, Errors] = {
    "commit_transaction": _COMMIT_UNKNOWN,
    "update_one": _WRITTEN,
    "update_many": _WRITTEN,
    "create_indexes": _WRITTEN,
    "create_collection": _WRITTEN,
    "drop_collection": _WRITTEN,
}


def before(site: str) -> Errors:
    """What the call of this site may raise without having done anything."""
    method = site.rpartition(" ")[2]
    if method in _BEFORE:
        return _BEFORE[method]
    if site.startswith("kafka."):
        return _BROKER
    return _IN_TRANSACTION if MongoTransaction.__name__ in site else _READ


def after(site: str) -> Errors:
    """What it may raise although it was done: a definite error of the server is none of these."""
    method = site.rpartition(" ")[2]
    if method in _AFTER:
        return _AFTER[method]
    if site.startswith("kafka."):
        return before(site)
    if MongoTransaction.__name__ in site:
        return {"AutoReconnect": _IN_TRANSACTION["AutoReconnect"]}
    return _LOST


def silent(site: str) -> Errors:
    """How a call that is never answered ends: for PyMongo in an error, else not at all."""
    if site.startswith("kafka."):
        return {"never": TimeoutError}
    errors = after(site)
    return {"NetworkTimeout": errors.get("NetworkTimeout", errors["AutoReconnect"])}


KINDS: Mapping[str, Callable[[str], Errors]] = {
    "raises": before,
    "never answers": silent,
    "succeeds, then raises": after,
}
