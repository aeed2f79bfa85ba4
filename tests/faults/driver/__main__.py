"""The driver errors: `python -m tests.faults.driver`, and `--help`."""

from tests.faults.crash import campaign
from tests.faults.crash.campaign import Campaign
from tests.faults.crash.run import run
from tests.faults.driver.sites import sites

CHANCES = 3
"""How often an error that did not happen is tried again: here none may be left out, and some calls
come by chance alone.
"""


def unreached(done: Campaign) -> list[str]:
    """Sites that no call ever reached, and errors that never happened there."""
    hits = done.hits()
    never = [place for place in done.services if not hits[place]]
    found = sites() - {site for site, _, _ in hits}
    return [*sorted(found), *sorted(f"{site}: {kind} {error}" for site, kind, error in never)]


if __name__ == "__main__":
    vars(campaign)["RETRIES"] = CHANCES
    title = "Driver calls that err, never answer, or succeed and then err"
    run("driver-errors", title, "error", 1, unreached)
