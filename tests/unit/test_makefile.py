"""`make setup` where the first try broke off, and in any folder. Python is played by a script."""

import os
import subprocess
from pathlib import Path

import pytest

from tools.paths import ROOT

# It makes itself the Python of the environment; as venv does, before there is a pip.
PYTHON = """\
#!/bin/sh
case "$*" in
*sysconfig*) echo "$PWD/.venv/lib" ;;
"-m venv"*)
  mkdir -p .venv/bin .venv/lib && cp "$0" .venv/bin/python
  test ! -e no-pip && touch .venv/pip ;;
"-m pip --version") test -e .venv/pip ;;
"-m pip install"*)
  test -e .venv/pip || exit 1
  case "$*" in *force-reinstall*) rm -f .venv/bin/uv ;; esac
  test -e .venv/bin/uv || { echo "#!/bin/sh" > .venv/bin/uv; chmod +x .venv/bin/uv; } ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a check out"
    (folder / "requirements").mkdir(parents=True)
    for name in ("uv", "run", "dev"):
        (folder / "requirements" / f"{name}.txt").touch()
    (folder / "Makefile").write_text((ROOT / "Makefile").read_text())
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    return folder


def setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "setup", "PYTHON=./python"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_with_spaces_can_be_installed(checkout: Path) -> None:
    done = setup(checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / ".venv" / "lib" / "telar.pth").read_text() == f"{checkout}\n"


def test_an_environment_without_pip_is_made_again(checkout: Path) -> None:
    (checkout / "no-pip").touch()
    assert setup(checkout).returncode != 0
    (checkout / "no-pip").unlink()
    done = setup(checkout)
    assert done.returncode == 0, done.stderr


def test_what_is_left_of_uv_is_replaced(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "uv").touch()
    done = setup(checkout)
    assert done.returncode == 0, done.stderr


def test_what_is_installed_is_not_installed_again(checkout: Path) -> None:
    setup(checkout)
    done = setup(checkout)
    assert (done.returncode, done.stdout) == (0, "make: Nothing to be done for 'setup'.\n")
