"""Runs `telar` as anybody would: in a process of its own, against a folder."""

import asyncio
import sys
from pathlib import Path


async def telar(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code, and what was printed; what was said aside where nothing was printed."""
    return await run(sys.executable, "-P", "-m", "cli", *words, "--data-dir", str(folder))


async def run(*command: str) -> tuple[int, str]:
    """The same of any command."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode() or err.decode()
