"""What a process that decodes a stranger's file may still do: compute, for a while, in bounded memory.

Limits come from setrlimit; on Linux on x86-64 and ARM64 a seccomp filter (seccomp(2)) takes away files,
sockets and programs, too. Elsewhere the limits alone hold.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from typing import Final

CPU_S: Final = 20
MEMORY_BYTES: Final = 768 << 20  # beyond what the libraries take

_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# open, socket … execveat, openat2: whatever reaches a file by name, the network, another program or process.
_REFUSED: Final = {
    "x86_64": (
        2, 41, 42, 43, 49, 50, 53, 56, 57, 58, 59, 62, 76, 82, 83, 84, 85, 86, 87, 88, 90, 101, 165, 200, 234,
        257, 258, 263, 264, 265, 266, 288, 304, 310, 311, 316, 321, 322, 323, 425, 435, 437,
    ),
    "aarch64": (
        33, 34, 35, 36, 37, 38, 40, 45, 56, 117, 129, 130, 131, 198, 199, 200, 201, 202, 203, 220, 221, 242,
        265, 270, 271, 276, 280, 281, 282, 425, 435, 437,
    ),
}  # fmt: skip
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _ABOVE, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_X32 = 0x40000000  # the other numbering of calls on x86-64


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def enter() -> None:
    """From here on: no file, no socket, no other process, bounded memory and time. Import everything before.

    Raises:
        OSError: The kernel refuses the filter.
    """
    for limit, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 64 << 10),  # its last words
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(limit, (most, most))
    if sys.platform != "linux":
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        most = int(file.read().split()[0]) * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if platform.machine() in _REFUSED:
        _filter(platform.machine())


def _filter(machine: str) -> None:
    """Installs the seccomp filter; refused calls fail with EPERM."""
    refused = _REFUSED[machine]
    lines = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the call's number
        (_ABOVE, len(refused) + 1, 0, _X32),
        *((_EQUAL, len(refused) - at, 0, number) for at, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = _Program(len(lines), ctypes.cast(code, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        number = ctypes.get_errno()
        raise OSError(number, f"The seccomp filter was refused: {os.strerror(number)}")
