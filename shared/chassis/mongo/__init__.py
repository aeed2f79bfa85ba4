"""MongoDB as the store of one service; nothing else imports Motor or PyMongo.

PyMongo says                              the core hears
----------------------------------------  ----------------------------------
TransientTransactionError, WriteConflict  Conflict: run it again
SnapshotUnavailable, SnapshotTooOld       Conflict: the next snapshot is younger
duplicate `_id`, no such version          Conflict: somebody was first
duplicate in another unique index         UniqueViolated, with the document
UnknownTransactionCommitResult            (the commit alone, again) OutcomeUnknown
no connection, no primary, no answer      StoreUnavailable
"""

from shared.chassis.mongo.store import MongoStore
from shared.chassis.mongo.transaction import MongoTransaction

__all__ = ["MongoStore", "MongoTransaction"]
