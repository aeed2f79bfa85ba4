"""What mongod needs from the system: tried out, installed where that is allowed, else named."""

import os
import platform
import shutil
import subprocess

from deploy.local import mongo
from deploy.local.report import Report

# By the library that the loader misses. Newer distributions renamed the packages, and their
# package manager still understands these names.
_PACKAGES = {
    "libcurl.so": ("libcurl4", "libcurl"),
    "libssl.so": ("libssl3", "openssl-libs"),
    "libcrypto.so": ("libssl3", "openssl-libs"),
    "liblzma.so": ("liblzma5", "xz-libs"),
}


class Missing(Exception):
    """The system lacks something; the message is one line that says what to install."""


def ensure(report: Report) -> None:
    """Make sure that mongod can run, by installing what it lacks if root may."""
    if not mongo.is_packaged():
        raise Missing(
            f"No mongod is packaged for {platform.system()} on {platform.machine()}: "
            "run Telar on 64-bit Linux (x86_64), for instance in a virtual machine"
        )
    lacking, before, problem = trouble(), "", ""
    # The loader names one library at a time.
    while lacking != before and (packages := _debian_packages(lacking)) and _may_install():
        with report.step(f"System packages: {', '.join(packages)}"):
            problem = _install(packages)
        lacking, before = trouble(), lacking
    if lacking:
        raise Missing(advice(lacking) + (f" (tried: {problem})" if problem else ""))


def trouble() -> str:
    """What the loader says when mongod cannot start, or nothing."""
    done = _run(str(mongo.binary()), "--version")
    return "" if done.returncode == 0 else done.stderr.strip()


def advice(lacking: str) -> str:
    """One line that says what to do about it."""
    if "GLIBC" in lacking:
        return "mongod needs glibc 2.34 or newer: Debian 12, Ubuntu 22.04, Fedora 35 or later"
    if packages := _debian_packages(lacking):
        others = [other for library, (_, other) in _PACKAGES.items() if library in lacking]
        return (
            f"mongod lacks a system library. Debian, Ubuntu: sudo apt-get install "
            f"{' '.join(packages)}; Fedora: sudo dnf install {' '.join(others)}"
        )
    return f"mongod does not start: {lacking.splitlines()[0]}"


def _debian_packages(lacking: str) -> list[str]:
    found = {debian for library, (debian, _) in _PACKAGES.items() if library in lacking}
    return sorted(found)


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install(packages: list[str]) -> str:
    """What is wrong if it fails. An image often has no package lists yet: tried with fresh ones."""
    install = ("apt-get", "install", "--yes", "--no-install-recommends", *packages)
    done = _run(*install)
    if done.returncode != 0:
        _run("apt-get", "update")
        done = _run(*install)
    said = done.stderr.strip().splitlines()
    return said[-1] if done.returncode != 0 and said else ""


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return subprocess.run(  # noqa: S603 - our own command lines
        command, env=environment, capture_output=True, text=True, check=False
    )
