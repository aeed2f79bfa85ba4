"""What git says of the working copy."""

import subprocess

from tools.paths import ROOT


def git(*words: str) -> str:
    """What git answers, or nothing where there is no git, no history or no such name."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=ROOT, check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
