"""How a store or a bus fails; the tree is drawn in the package."""


class StoreError(Exception):
    """The store could not do what was asked."""


class Conflict(StoreError):
    """Another transaction was first; nothing was written, run it again."""


class UniqueViolated(StoreError):
    """A unique index (other than `_id`) refused a document; nothing was written."""

    def __init__(self, collection: str, doc_id: str, index: str) -> None:
        super().__init__(f"{collection}: index {index}")
        self.collection, self.doc_id, self.index = collection, doc_id, index


class OutcomeUnknown(StoreError):
    """The commit was sent and its answer never came."""


class StoreUnavailable(StoreError):
    """No server answered in time; nothing is known to be written."""


class BusError(Exception):
    """Not every record was acknowledged, or no broker answered in time."""
