"""glibc's allocator keeps what training frees."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEASURE = """
import ctypes, sys
from edgekd.distill.training.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def resident():
    return int(open("/proc/self/statm").read().split()[1])
size = 200 << 20
block = libc.malloc(size)
libc.memset(block, 1, size)
held = resident()
libc.free(block)
print(resident() / held)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's: run it on Linux")
@pytest.mark.parametrize(("how", "least", "most"), [("kept", 0.9, 1.1), ("usual", 0.0, 0.7)])
def test_freed_memory_stays_with_the_process(how: str, least: float, most: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, how], capture_output=True, text=True, check=True
    )
    assert least <= float(done.stdout) <= most
