"""One run of a command: wall time, CPU time, and the memory of all its processes together."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

STEP = 0.01
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Run:
    """`rss` counts a page once for each process that maps it, `pss` once in all.

    `pss` is 0 where it was not taken. `largest` is the kernel's own peak of the one largest
    process. All in bytes; `cpu` is user and system time of the command and its children.
    """

    status: int
    wall: float
    cpu: float
    rss: int
    pss: int
    largest: int
    timed_out: bool = False


def _tree(root: int) -> list[int]:
    found, at = [root], 0
    while at < len(found):
        try:
            for task in os.listdir(f"/proc/{found[at]}/task"):
                children = Path(f"/proc/{found[at]}/task/{task}/children").read_text()
                found += map(int, children.split())
        except OSError:
            pass  # it ended meanwhile
        at += 1
    return found


def _rss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _pss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) << 10
    except PermissionError:
        return _rss(pid)  # only root may look at workers: never less than their share
    except OSError:
        pass
    return 0


class _Sampler(threading.Thread):
    def __init__(self, root: int, pss: bool) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._with_pss = pss
        self._done = threading.Event()
        self.rss = self.pss = 0

    def run(self) -> None:
        while not self._done.wait(STEP):
            pids = _tree(self._root)
            self.rss = max(self.rss, sum(map(_rss, pids)))
            if self._with_pss:
                self.pss = max(self.pss, sum(map(_pss, pids)))

    def stop(self) -> None:
        self._done.set()
        self.join()


def run(
    command: Sequence[str],
    *,
    pss: bool = False,
    limit: float = 3600,
    cwd: Path | None = None,
    errors: IO[bytes] | int = subprocess.DEVNULL,
) -> Run:
    """Runs the command with its output thrown away, but for what it says to `errors`.

    Taking `pss` slows it down a little.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        cwd=cwd,
        start_new_session=True,
    )
    sampler = _Sampler(process.pid, pss)
    sampler.start()
    timed_out = threading.Event()

    def end() -> None:
        timed_out.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(limit, end)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    timer.cancel()
    sampler.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(
        process.returncode,
        wall,
        usage.ru_utime + usage.ru_stime,
        sampler.rss,
        sampler.pss,
        usage.ru_maxrss << 10,
        timed_out.is_set(),
    )
