"""The pool: worker processes, what each is doing, and their answers as they come."""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any

from sxdiff import ending
from sxdiff.model import InputError, Limits
from sxdiff.work.spool import Spool, check_size

Task = dict[str, Any]
Progress = Callable[[int], None]


_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1));"
    " from sxdiff.work.worker import run; run()"
)
_ANSWERS = {"progress", "result", "input_error", "failed", "bug"}
_SPOOL_SECONDS = 1
"""Between two looks at the size of the spool."""
_SPOOL_ALWAYS = 64
"""Looks at it that come first, however soon."""
_PATIENCE = 4
"""A worker may take so many times the seconds of processor that its task has: others work too."""


class NoAnswerError(InputError):
    """There is no answer to a task; `why` is what its worker did, or what it met."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.why = why


class WorkerDiedError(NoAnswerError):
    """The worker that had this task ended without an answer."""


class TaskFailedError(NoAnswerError):
    """The task met a limit of its process (memory, recursion): its input may be too much."""


class BugError(Exception):
    """A worker met an error that nobody foresaw; a note on it holds the traceback."""


@dataclass
class _Worker:
    number: int
    process: "subprocess.Popen[bytes]"
    buffer: bytearray = field(default_factory=bytearray)
    ticket: int | None = None
    name: str = ""
    deadline: float | None = None


class Pool:
    """Up to `jobs` workers, started when there is work for them.

    `run` takes tasks in order and gives (number of the task, answer) as they finish; an answer
    is the result, or one of this module's exceptions, or InputError, as a value. A task may name
    the worker it must go to (`"worker": n`), where that worker keeps something for it, and how many
    seconds of processor it has (`"cpu_seconds": n`). Workers can read the `inputs` and the spool,
    and no other file but Python's.
    """

    def __init__(
        self,
        spool: str,
        jobs: int,
        progress: Progress | None = None,
        *,
        debug: bool = False,
        limits: dict[str, int] | None = None,
        inputs: Sequence[str] = (),
    ) -> None:
        self._spool = spool
        self.jobs = jobs
        self._progress = progress
        self._debug = debug
        self._spool_bytes = Limits(**(limits or {})).spool_bytes
        self._spool_checked = 0.0
        self._spool_checks = 0
        self._settings = json.dumps(
            {"inputs": inputs, "limits": limits or {}, "parent": os.getpid()}
        )
        self._workers: dict[int, _Worker] = {}
        self._started = 0
        self._selector = selectors.DefaultSelector()
        self._left = ending.leave_to(self._kill)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in list(self._workers.values()):
            self._end(worker, kill=error is not None)
        self._selector.close()
        ending.forget(self._left)

    def _kill(self) -> None:
        for worker in self._workers.values():
            worker.process.kill()
        for worker in self._workers.values():
            with suppress(ChildProcessError):
                os.waitpid(worker.process.pid, 0)  # Popen.wait may be what the signal interrupted

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Any]]:
        """Do all tasks; answers come in the order in which they finish."""
        waiting: deque[tuple[int, Task]] = deque(enumerate(tasks))
        running = 0
        try:
            while waiting or running:
                running += self._hand_out(waiting)
                for ticket, answer in self._wait():
                    running -= 1
                    yield ticket, answer
        except GeneratorExit:
            # nobody wants the rest: what still runs must not answer a later question
            for worker in [w for w in self._workers.values() if w.ticket is not None]:
                self._end(worker, kill=True)
            raise

    def all(self, tasks: list[Task]) -> list[Any]:
        """Do all tasks; answers in the order of the tasks. The first error is raised.

        Where a worker dies its task is tried once more: it may have been somebody else's fault.
        """
        answers = self.answers(tasks)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def answers(self, tasks: list[Task]) -> list[Any]:
        """As `all`, with errors as values."""
        answers: list[Any] = [None] * len(tasks)
        for number, answer in self.run(tasks):
            answers[number] = answer
        again = [n for n, answer in enumerate(answers) if isinstance(answer, WorkerDiedError)]
        for number, answer in self.run([tasks[n] for n in again]):
            answers[again[number]] = answer
        return answers

    def _hand_out(self, waiting: "deque[tuple[int, Task]]") -> int:
        """Give each idle worker a task; how many were given."""
        given = 0
        for _ in range(len(waiting)):
            number, task = waiting[0]
            worker = self._idle(task.get("worker"))
            if worker is None:
                waiting.rotate(-1)  # one that must wait for its worker lets others pass
                continue
            waiting.popleft()
            worker.ticket, worker.name = number, str(task.get("name", task["task"]))
            seconds = task.get("cpu_seconds")
            worker.deadline = monotonic() + seconds * _PATIENCE if seconds else None
            line = json.dumps(task, separators=(",", ":")).encode() + b"\n"
            pipe = worker.process.stdin
            assert pipe is not None  # noqa: S101 - Popen was given PIPE
            try:
                pipe.write(line)
                pipe.flush()
            except BrokenPipeError:
                pass  # it has died: reading from it says so
            given += 1
        return given

    def _idle(self, wanted: int | None) -> _Worker | None:
        if wanted is not None and wanted in self._workers:
            worker = self._workers[wanted]
            return worker if worker.ticket is None else None
        for worker in self._workers.values():
            if worker.ticket is None:
                return worker
        return self._start() if len(self._workers) < self.jobs else None

    def _start(self) -> _Worker:
        number, prefix = self._started, f"w{self._started}_"
        self._started += 1
        with ending.together():
            process = subprocess.Popen(
                # isolated, but with this process's path, so that it finds what was found here
                [
                    *(sys.executable, "-I", "-c", _START, json.dumps(_import_path())),
                    *(self._spool, prefix, self._settings),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={
                    "TZ": "UTC",
                    "LC_ALL": _locale(),
                    "TMPDIR": self._spool,
                    "SQLITE_TMPDIR": self._spool,
                },
                stderr=None if self._debug else subprocess.DEVNULL,
                bufsize=0,
                process_group=0,  # Ctrl-C is for the parent, which ends its workers
            )
            worker = _Worker(number, process)
            self._workers[number] = worker
        assert process.stdout is not None  # noqa: S101 - Popen was given PIPE
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def _wait(self) -> Iterator[tuple[int, Any]]:
        deadlines = [one.deadline for one in self._workers.values() if one.deadline is not None]
        wait = max(0.0, min(deadlines) - monotonic()) if deadlines else None
        for key, _ in self._selector.select(wait):
            worker: _Worker = key.data
            data = os.read(key.fd, 1 << 20)
            if not data:
                yield from self._died(worker, None)
                continue
            worker.buffer += data
            if b"\n" not in data:
                continue
            *lines, rest = bytes(worker.buffer).split(b"\n")
            worker.buffer = bytearray(rest)
            for line in lines:
                answer = _answer(line)
                if answer is None:
                    yield from self._died(worker, "does not speak the protocol")
                    break
                if "progress" in answer:
                    if self._progress:
                        self._progress(answer["progress"])
                    continue
                ticket, worker.ticket, worker.deadline = worker.ticket, None, None
                if ticket is not None:
                    yield ticket, _value(answer, worker.number, worker.name)
        self._check_spool()
        for worker in list(self._workers.values()):
            if worker.deadline is not None and worker.deadline <= monotonic():
                yield from self._died(worker, None)

    def _check_spool(self) -> None:
        now = monotonic()
        # the first times always, so that what a small run may use does not hang on its speed
        if self._spool_checks < _SPOOL_ALWAYS or now - self._spool_checked > _SPOOL_SECONDS:
            self._spool_checks += 1
            self._spool_checked = now
            check_size(self._spool, self._spool_bytes)

    def _died(
        self, worker: _Worker, why: str | None
    ) -> Iterator[tuple[int, "WorkerDiedError | TaskFailedError"]]:
        """End a worker; the error of its task: one that had no time left would have none again."""
        ticket, late = worker.ticket, worker.deadline and worker.deadline <= monotonic()
        self._end(worker, kill=True)
        code = worker.process.returncode
        if ticket is None:
            return
        if late or code == -signal.SIGXCPU:
            yield ticket, TaskFailedError(worker.name, "took too long")
        else:
            yield ticket, WorkerDiedError(worker.name, f"the worker {why or _end_of(code)}")

    def _end(self, worker: _Worker, *, kill: bool) -> None:
        process = worker.process
        assert process.stdin is not None and process.stdout is not None  # noqa: S101
        self._selector.unregister(process.stdout)
        process.stdin.close()
        if kill:
            process.kill()
        process.wait()
        process.stdout.close()
        del self._workers[worker.number]


def isolation() -> tuple[list[str], bool]:
    """How workers are walled in on this machine: a line for each thing that one has tried, and
    whether nothing is missing."""
    with Spool.create(None) as spool, Pool(spool.directory, 1) as pool:
        (found,) = pool.all([{"task": "isolation"}])
    lines = [f"{name} is missing here" for name in found["missing"]]
    for what, denied in found["tried"]:
        lines.append(f"a worker {'cannot' if denied else 'CAN'} {what}")
    return lines, not found["missing"] and all(denied for _, denied in found["tried"])


def _end_of(code: int) -> str:
    """What an exit code says of a process."""
    try:
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    except ValueError:
        return f"was killed by signal {-code}"


def _import_path() -> list[str]:
    return [os.path.abspath(path) for path in sys.path if path]


def _locale() -> str:
    """The worker must turn names of files into the same text, and back."""
    if sys.getfilesystemencoding() == "utf-8":
        return "C.UTF-8"
    settings = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return next(filter(None, settings), "C.UTF-8")


def _answer(line: bytes) -> dict[str, Any] | None:
    """What a worker says; None where hostile content has taken it over and it talks nonsense."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(answer, dict) and len(answer.keys() & _ANSWERS) == 1
    return answer if known and isinstance(answer.get("progress", 0), int) else None


def _value(answer: dict[str, Any], worker: int, name: str = "task") -> Any:
    if "result" in answer:
        result = answer["result"]
        if isinstance(result, dict):
            result["worker"] = worker
        return result
    if "input_error" in answer:
        return InputError(answer["input_error"])
    if "failed" in answer:
        return TaskFailedError(name, answer["failed"])
    error = BugError(answer["bug"])
    error.add_note(answer["traceback"])
    return error
