"""What a worker takes away from itself before it reads a byte of an image.

It may read the inputs, Python and the libraries, read and write the spool, and nothing else: no
other file, no network, no other process. Each wall that the kernel lacks is left out, and
`sxdiff --version --verbose` says so (docs/decisions/0009-isolation.md).

Sources: landlock(7), seccomp(2), capabilities(7), prctl(2); include/uapi/linux/landlock.h,
filter.h and seccomp.h of Linux.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

_OPEN_FILES: Final = 256

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS = 1, 4, 22, 38
"""prctl(2)."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System calls of Landlock, which have these numbers on every processor that Linux added since."""
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_FILE = (1 << bit for bit in (1, 2, 3, 5, 8))
_TRUNCATE: Final = 1 << 14
_FILES: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All that a ruleset can forbid of files, by the version that has it first."""
_NETWORK: Final = 3
"""bind and connect, of TCP; since version 4."""
_SCOPES: Final = 3
"""Abstract sockets and signals of others; since version 6."""
_READ: Final = _READ_FILE | _READ_DIR
_SPOOL: Final = _READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_FILE | _TRUNCATE

_INTERNET, _STREAM = 2, 1
_FILTER_MODE: Final = 2
_ALLOW, _KILL, _DENY = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32: Final = 0x40000000
"""Calls of x86-64 are there a second time, with this bit."""
_GENERIC: Final = {
    "setns": 268, "unshare": 97, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271,
    "socket": 198, "io_uring_setup": 425, "clone": 220, "clone3": 435, "execve": 221,
    "execveat": 281,
}  # fmt: skip
_CALLS: Final = {
    "x86_64": (0xC000003E, {
        "setns": 308, "unshare": 272, "ptrace": 101, "process_vm_readv": 310,
        "process_vm_writev": 311, "socket": 41, "io_uring_setup": 425, "clone": 56, "clone3": 435,
        "execve": 59, "execveat": 322, "fork": 57, "vfork": 58,
    }),
    "aarch64": (0xC00000B7, _GENERIC),
    "riscv64": (0xC00000F3, _GENERIC),
}  # fmt: skip
"""AUDIT_ARCH and the numbers of what is denied: sockets, processes, memory of others."""

_CAPABILITIES: Final = 0x20080522
_MAY_READ: Final = 1 << 2
"""CAP_DAC_READ_SEARCH: an input that only root may read stays readable for root."""

_LIBRARIES: Final = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
    "/nix/store", "/gnu/store",
)  # fmt: skip


def limit(memory: int, file_size: int) -> None:
    """Bounds of this process, that it can't raise again: address space, file size, files."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(hard, most)
        resource.setrlimit(what, (bound, bound))


def limit_seconds(seconds: int) -> None:
    """So many seconds of processor from now on; then the kernel ends this process."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    most = int(usage.ru_utime + usage.ru_stime) + 1 + seconds
    resource.setrlimit(
        resource.RLIMIT_CPU,
        (most if hard == resource.RLIM_INFINITY else min(hard, most), hard),
    )


def enter(spool: str, inputs: Iterable[str], parent: int) -> list[str]:
    """Give up all that a worker does not need, for good. What could not be had is named.

    `parent` is who started this process: with it this one ends.
    """
    if sys.platform != "linux":
        return ["Linux"]
    libc = ctypes.CDLL(None, use_errno=True)
    readable = [*inputs, *_libraries()]  # /proc is closed to who can't be looked at
    missing = []
    for name, step in (
        ("end with the parent", partial(_end_with, libc, parent)),
        ("no new privileges", partial(_set, libc, _SET_NO_NEW_PRIVS, 1)),
        ("not to be traced", partial(_set, libc, _SET_DUMPABLE, 0)),
        ("no capabilities", partial(_drop_capabilities, libc)),
        ("Landlock", partial(_landlock, libc, spool, readable)),
        ("seccomp", partial(_seccomp, libc)),
    ):
        try:
            step()
        except OSError:
            missing.append(name)
    return missing


def tried() -> list[tuple[str, bool]]:
    """What this process can't do, each tried: (what, whether it failed as it should)."""
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getppid()
    tries: tuple[tuple[str, Callable[[], object]], ...] = (
        ("read other files", partial(_read, "/etc/passwd")),
        ("list other directories", partial(os.listdir, "/")),
        ("write files", _touch),
        ("run programs", partial(os.execv, sys.executable, [sys.executable, "-c", ""])),
        ("start processes", _fork),
        ("open sockets", partial(_socket, libc)),
        ("signal other processes", partial(os.kill, parent, 0)),
    )
    found = []
    for name, action in tries:
        try:
            action()
        except OSError:
            found.append((name, True))
        else:
            found.append((name, False))
    return found


def _read(path: str) -> None:
    with open(path, "rb"):
        pass


def _touch() -> None:
    for directory in ("/tmp", "/var/tmp", os.getcwd()):  # noqa: S108 - it must not work there
        name = os.path.join(directory, f".sxdiff-{os.getpid()}")
        try:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except OSError:
            continue
        os.unlink(name)
        return
    raise PermissionError


def _socket(libc: ctypes.CDLL) -> None:
    os.close(_checked(libc.socket(_INTERNET, _STREAM, 0)))


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _set(libc: ctypes.CDLL, what: int, value: int) -> None:
    _checked(libc.prctl(what, ctypes.c_ulong(value), ctypes.c_ulong(0), 0, 0))


def _end_with(libc: ctypes.CDLL, parent: int) -> None:
    _set(libc, _SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before it could be said
        os._exit(1)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    header = struct.pack("Ii", _CAPABILITIES, 0)
    held = ctypes.create_string_buffer(24)
    _checked(libc.capget(header, held))
    effective, permitted = struct.unpack_from("II", held)
    kept = struct.pack("6I", effective & _MAY_READ, permitted & _MAY_READ, 0, 0, 0, 0)
    _checked(libc.capset(header, kept))


def _landlock(libc: ctypes.CDLL, spool: str, readable: Iterable[str]) -> None:
    version = _checked(libc.syscall(_CREATE_RULESET, None, 0, _VERSION))
    handled = max(bits for first, bits in _FILES.items() if first <= version)
    attributes = struct.pack("Q", handled)
    if version >= 4:
        attributes += struct.pack("Q", _NETWORK)
    if version >= 6:
        attributes += struct.pack("Q", _SCOPES)
    rules = _checked(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        _allow(libc, rules, spool, _SPOOL & handled)
        for path in dict.fromkeys(readable):
            with suppress(FileNotFoundError):  # nothing to read there
                _allow(libc, rules, path, _READ)
        _checked(libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Allow what lies at and below `path`; a file has no rights of directories."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):
            rights &= ~_READ_DIR
        rule = struct.pack("=Qi", rights, place)
        _checked(libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _libraries() -> list[str]:
    """Where Python, its packages and shared libraries lie. The directory that one happens to be
    in is not among them, though Python looks for modules there."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = [path for path in sys.path if path == package or not _is_here(path)]
    with open("/proc/self/maps") as maps:
        mapped = {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if "/" in line}
    found += sorted({os.path.dirname(path) for path in mapped if ".so" in path})
    return [*found, os.path.join(sys.base_prefix, "lib"), *_LIBRARIES]


def _is_here(path: str) -> bool:
    try:
        return os.path.samefile(path, ".")
    except OSError:
        return False


def _seccomp(libc: ctypes.CDLL) -> None:
    machine = os.uname().machine
    if machine not in _CALLS or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, "no filter for this processor")
    architecture, numbers = _CALLS[machine]
    denied = sorted(numbers.values())
    # (code, jump if true, if false, value); the last two are what becomes of a call
    code = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
    ]
    left = len(denied) + 1
    code.append((_AT_LEAST, left, 0, _X32))
    for position, number in enumerate(denied):
        code.append((_EQUAL, left - position - 1, 0, number))
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
    pointer = struct.pack("HP", len(code), ctypes.addressof(program))
    _checked(libc.prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER_MODE), pointer, 0, 0))
