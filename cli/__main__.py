"""Starts the `telar` command."""

import sys

from cli import usage
from cli.app import app


def main() -> None:
    """Run the command; what the system refuses is said in one line."""
    try:
        app(prog_name="telar")
    except OSError as problem:
        sys.exit(f"✗ {usage.in_words(problem)}")


if __name__ == "__main__":
    main()
