"""The driver errors: `python -m tests.faults.driver`, and `--help`."""

from tests.faults.crash.campaign import Campaign
from tests.faults.crash.run import run
from tests.faults.driver.sites import sites


def unreached(campaign: Campaign) -> list[str]:
    """Sites that no call ever reached, and errors that never happened there."""
    hits = campaign.hits()
    never = [place for place in campaign.services if not hits[place]]
    found = sites() - {site for site, _, _ in hits}
    return [*sorted(found), *sorted(f"{site}: {kind} {error}" for site, kind, error in never)]


if __name__ == "__main__":
    title = "Driver calls that err, never answer, or succeed and then err"
    run("driver-errors", title, "error", 1, unreached)
