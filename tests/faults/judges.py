"""Which code makes and judges a run: rows keep its hash, so that those of an older one show it."""

import hashlib
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
OF = {
    "simulation": ("sim",),
    "honesty": ("sim", "honesty"),
    "crash-points": ("crash", "driver/sites.py"),
    "driver-errors": ("crash", "driver"),
}
OF_SCENARIOS = ("checker", "load", "scenarios", "trial.py")
"""Of all that break real processes."""


@cache
def judges(scenario: str) -> str:
    """The hash of every module of this kind of run but its tests."""
    places = [HERE / place for place in OF.get(scenario, OF_SCENARIOS)]
    files = [
        one for place in places for one in (place.rglob("*.py") if place.is_dir() else [place])
    ]
    found = hashlib.sha256()
    for file in sorted(files):
        if not file.name.startswith("test_"):
            found.update(f"{file.relative_to(HERE)}\n".encode() + file.read_bytes())
    return found.hexdigest()[:12]
