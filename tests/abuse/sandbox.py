"""A process that the kernel kills as soon as it asks for a socket of any family.

Source: seccomp(2), `linux/seccomp.h`, `linux/bpf_common.h`; numbers of the calls from
`asm/unistd_64.h` and `asm-generic/unistd.h`.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

__all__ = ["CALLS", "forbid_network", "supported"]

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER_MODE = 22, 38, 2
_KILL_PROCESS, _ALLOW = 0x80000000, 0x7FFF0000
_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # where they stand in struct seccomp_data
_X32 = 0x40000000  # numbers from here on are the same calls by another door

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CALLS = {
    "x86_64": {
        "socket": 41, "connect": 42, "sendto": 44, "sendmsg": 46, "bind": 49, "listen": 50,
        "socketpair": 53, "sendmmsg": 307, "io_uring_setup": 425,
    },
    "aarch64": {
        "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "connect": 203,
        "sendto": 206, "sendmsg": 211, "sendmmsg": 269, "io_uring_setup": 425,
    },
}  # fmt: skip
"""Every call that a socket needs (`io_uring` can open one too), by machine."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def supported() -> str:
    """Why the filter cannot be had here; empty where it can."""
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return f"no numbers of the calls for {sys.platform} on {platform.machine()}"
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - no imports here
        if "Seccomp:" not in status.read():
            return "the kernel has no seccomp"
    return ""


def forbid_network() -> None:
    """Install the filter in this process, for its threads and children to come.

    Call it before anything else is imported: no thread must exist yet.

    Raises:
        OSError: The kernel does not allow it.
    """
    machine = platform.machine()
    program = _filter(_AUDIT[machine], sorted(CALLS[machine].values()))
    library = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(program, len(program))
    address = ctypes.cast(instructions, ctypes.c_void_p)
    description = _Program(len(program) // 8, address)
    zero = ctypes.c_ulong(0)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER_MODE), ctypes.byref(description), zero, zero),
    ):
        if library.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _filter(audit: int, numbers: list[int]) -> bytes:
    """Kill where the architecture is another one or the number is among those given."""
    kill_after = len(numbers) + 1
    program = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 0, kill_after + 2, audit),
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, kill_after, 0, _X32),
        *((_JUMP_EQUAL, kill_after - 1 - at, 0, number) for at, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
