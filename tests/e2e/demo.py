"""Runs `telar demo --json` as anybody would: in a process of its own, against a folder."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """How a demo ended, and the data that it printed."""

    code: int
    data: dict[str, Any]
    said: str


async def run_demo(folder: Path, women: int, patience: float = 180.0) -> Ran:
    """One whole programme through the public API."""
    command = (sys.executable, "-m", "cli", "demo", "--women", str(women), "--json")
    process = await asyncio.create_subprocess_exec(
        *command,
        "--data-dir",
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(patience):
            out, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    data = json.loads(out) if out.strip() else {}
    return Ran(process.returncode or 0, data, said.decode())
