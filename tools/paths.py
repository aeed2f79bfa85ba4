"""Where things lie in the working copy."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
SCHEMAS = CONTRACTS / "schemas"
SERVICES = ROOT / "services"


def services() -> list[str]:
    """The services that can be composed, found by folder: those that have an `app.py`."""
    return sorted(path.parent.name for path in SERVICES.glob("*/app.py"))
