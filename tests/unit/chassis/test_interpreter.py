"""The settings of the interpreter and of the C library beneath it."""

import platform
import subprocess
import sys

import pytest

_HEAPS = """
import ctypes, sys, threading
from shared.chassis import interpreter
if sys.argv[1:] == ["shared"]:
    interpreter.share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fdopen.restype = ctypes.c_void_p
at_once = threading.Barrier(4)
def take():
    at_once.wait(10)
    libc.malloc(1000)
    at_once.wait(10)
threads = [threading.Thread(target=take) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join(10)
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def heaps(*arguments: str) -> int:
    """Into how many heaps four threads of a process allocate."""
    argv = [sys.executable, "-c", _HEAPS, *arguments]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout
    return told.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has one heap")
def test_threads_share_one_heap() -> None:
    assert heaps() > 1
    assert heaps("shared") == 1
