"""Nobody decides on what is her own, nor on what she handed in for somebody else."""

from shared.model import Context, Forbidden
from shared.types import Id


def bar(person_id: Id, helped_by: Id | None, now: Context) -> None:
    """403 for the woman whose money it is, for who acts for her, and for who applied for her."""
    if now.acts_for(person_id):
        raise Forbidden("award-to-oneself")
    if now.actor == helped_by:
        raise Forbidden("helper-may-not-decide")
