"""`telar backup` and `telar restore`: the whole store of one machine as one file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli import usage
from deploy.local.archive import BackupError, Manifest
from deploy.local.backup import backup as write
from deploy.local.command import line
from deploy.local.fetch import NotFetched
from deploy.local.folders import Folders
from deploy.local.report import Report
from deploy.local.restore import restore as put_back


def backup(folder: Path, file: Path, *, as_json: bool) -> int:
    """Write it, and say what is in it."""

    def work(report: Report) -> dict[str, Any]:
        manifest = write(Folders(folder), file.absolute(), report)
        report.say(f"{file}: {_about(manifest)}, and the keys: keep it where secrets are kept")
        return _facts(file, manifest)

    return _told(work, as_json=as_json)


def restore(folder: Path, file: Path, *, as_json: bool) -> int:
    """Put it in the place of what is there."""

    def work(report: Report) -> dict[str, Any]:
        manifest, aside = put_back(Folders(folder), file.absolute(), report)
        report.say(f"Restored {_about(manifest)}")
        if aside:
            report.say(f"What was here before lies in {aside}: delete it when you need it no more")
        up = line("telar up", folder)
        report.say(f"`{up}` starts it; the services send everything to Kafka again")
        return _facts(file, manifest) | {"aside": str(aside) if aside else None}

    return _told(work, as_json=as_json)


def _told(work: Callable[[Report], dict[str, Any]], *, as_json: bool) -> int:
    report = Report()
    try:
        facts = work(report)
    except KeyboardInterrupt:
        return usage.INTERRUPTED
    except (BackupError, NotFetched) as problem:
        report.console.print(f"✗ {problem}", style="red", markup=False)
        if as_json:
            print(json.dumps({"error": getattr(problem, "code", "not-fetched")}))
        return usage.FAILED
    if as_json:
        print(json.dumps(facts, indent=1))
    return usage.OK


def _about(manifest: Manifest) -> str:
    databases = len({one.database for one in manifest.collections})
    return f"{manifest.documents} documents of {databases} databases as of {manifest.at}"


def _facts(file: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "file": str(file.absolute()),
        "at": manifest.at,
        "documents": manifest.documents,
        "bytes": file.stat().st_size,
        "databases": sorted({one.database for one in manifest.collections}),
    }
