"""Workers may die, be killed or talk nonsense: the pool says so, and nothing is left behind."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sxdiff.model import InputError
from sxdiff.work import pool as pool_module
from sxdiff.work.pool import BugError, Pool, TaskFailedError, WorkerDiedError

ROOT = Path(__file__).parent.parent.parent
_TRICKS = """
import os, signal, sys, time
from sxdiff.model import InputError
from sxdiff.work import tasks, worker

class Tasks(tasks.Tasks):
    def do_echo(self, task, _limits):
        return task["value"]
    def do_who(self, _task, _limits):
        return {"pid": os.getpid()}
    def do_slow(self, task, _limits):
        time.sleep(task["seconds"])
        return {"pid": os.getpid()}
    def do_die(self, task, _limits):
        os.kill(os.getpid(), task["signal"])
    def do_leave(self, _task, _limits):
        os._exit(0)
    def do_leave_once(self, task, _limits):
        if not os.path.exists(task["mark"]):
            open(task["mark"], "w").close()
            os._exit(0)
        return 2
    def do_nonsense(self, task, _limits):
        # what a worker that was taken over might say
        os.write(3, task["line"].encode() + b"\\n")
        time.sleep(60)
    def do_input(self, _task, _limits):
        raise InputError("the input")
    def do_bug(self, _task, _limits):
        raise KeyError("bug")
    def do_much(self, _task, _limits):
        return len(bytearray(8 << 30))
    def do_deep(self, _task, _limits):
        return self.do_deep(_task, _limits)
    def do_print(self, _task, _limits):
        print("stray")
        os.write(1, b"stray")
        return "printed"
    def do_progress(self, _task, _limits):
        self._progress(20 << 20)
        self._progress(1)
        return None

tasks.Tasks = Tasks
worker.run()
"""


@pytest.fixture(autouse=True)
def _tricks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that can be told to misbehave; everything around the tasks is the real thing."""
    start = pool_module._START.replace("from sxdiff.work.worker import run; run()", "exec(TRICKS)")
    assert "TRICKS" in start
    monkeypatch.setattr(pool_module, "_START", f"TRICKS = {_TRICKS!r}\n{start}")


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert not children(), "a worker is left"


def children() -> list[int]:
    """Processes that this one started and that are still there, zombies included."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def echo(value: Any) -> dict[str, Any]:
    return {"task": "echo", "value": value}


def test_answers_come_in_the_order_of_the_tasks(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 2) as pool:
        values = [*range(50), "text", None, [1, [2]], "\udcff\0\n", "x" * 300_000]
        assert pool.all([echo(value) for value in values]) == values
        assert len(children()) == 2
        assert pool.all([]) == []


def test_no_worker_starts_before_there_is_work(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 4) as pool:
        assert not children()
        pool.all([echo(1)])
        assert len(children()) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_killed_worker_takes_only_its_task_with_it(tmp_path: Path, number: int) -> None:
    with Pool(str(tmp_path), 2) as pool:
        tasks = [echo(n) for n in range(20)]
        tasks[7] = {"task": "die", "signal": int(number)}
        found = dict(pool.run(tasks))
        died = found.pop(7)
        assert isinstance(died, WorkerDiedError)
        assert signal.Signals(number).name in str(died)
        assert found == {n: n for n in range(20) if n != 7}
        assert pool.all([echo("goes on")]) == ["goes on"]


def test_a_worker_killed_while_idle_is_replaced(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 1) as pool:
        ((_, answer),) = pool.run([{"task": "who"}])
        os.kill(answer["pid"], signal.SIGKILL)
        time.sleep(0.2)
        # the write to it fails, or reading from it does: either way the task is told to have died
        answers = [found for _, found in pool.run([echo(1)])]
        assert answers == [1] or isinstance(answers[0], WorkerDiedError)
        assert pool.all([echo(2)]) == [2]


def test_a_worker_that_ends_without_an_answer_has_died(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 1) as pool:
        ((_, answer),) = pool.run([{"task": "leave"}])
        assert isinstance(answer, WorkerDiedError)


def test_what_must_be_answered_is_asked_twice(tmp_path: Path) -> None:
    """Something else may have ended the first worker; a second one ends the run, in one line."""
    mark = tmp_path / "was here"
    with Pool(str(tmp_path), 1) as pool:
        assert pool.all([echo(1), {"task": "leave_once", "mark": str(mark)}, echo(2)]) == [1, 2, 2]
        with pytest.raises(WorkerDiedError, match=r"^a\.tar: the worker ended with 0"):
            pool.all([{"task": "leave", "name": "a.tar"}])


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", "{}", "1", '"text"', "\xff\xfe", "[" * 5000, '{"progress":"x"}', '{"a":1}'],
)
def test_a_worker_that_talks_nonsense_has_died(tmp_path: Path, line: str) -> None:
    with Pool(str(tmp_path), 1) as pool:
        answers = [found for _, found in pool.run([{"task": "nonsense", "line": line}, echo(5)])]
        assert isinstance(answers[0], WorkerDiedError)
        assert answers[1] == 5


def test_errors_are_values_of_their_kind(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 1) as pool:
        tasks = [{"task": name} for name in ("input", "bug", "much", "deep", "unheard_of")]
        found = dict(pool.run([*tasks, echo("lives on")]))
    assert isinstance(found[0], InputError)
    assert isinstance(found[1], BugError)
    assert "KeyError" in str(found[1])
    assert isinstance(found[2], TaskFailedError)
    assert found[2].why == "out of memory"
    assert isinstance(found[3], TaskFailedError)
    assert isinstance(found[4], BugError)
    assert found[5] == "lives on"


def test_a_task_can_name_its_worker(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 2) as pool:
        first = pool.all([{"task": "slow", "seconds": 0.1}, {"task": "slow", "seconds": 0.1}])
        assert len({answer["pid"] for answer in first}) == 2
        again = pool.all([{"task": "who", "worker": one["worker"]} for one in first * 5])
        assert [one["pid"] for one in again] == [one["pid"] for one in first * 5]
        # one that is dead has no tasks of its own any more: another does them
        os.kill(first[0]["pid"], signal.SIGKILL)
        time.sleep(0.2)
        dict(pool.run([{"task": "who", "worker": first[0]["worker"]}]))
        (other,) = pool.all([{"task": "who", "worker": first[0]["worker"]}])
        assert other["pid"] != first[0]["pid"]


def test_who_waits_for_its_worker_lets_others_pass(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 2) as pool:
        first = pool.all([{"task": "slow", "seconds": 0.1}, {"task": "slow", "seconds": 0.1}])
        busy = first[0]["worker"]
        tasks = [
            {"task": "slow", "seconds": 0.5, "worker": busy},
            {"task": "who", "worker": busy},
            echo("passes"),
        ]
        assert [number for number, _ in pool.run(tasks)] == [2, 0, 1]


def test_answers_that_nobody_wants_answer_no_later_question(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 2) as pool:
        for _, answer in pool.run([echo("quick"), {"task": "slow", "seconds": 0.3}]):
            assert answer == "quick"
            break
        assert pool.all([echo(1), echo(2), echo(3)]) == [1, 2, 3]


def test_stray_output_is_no_answer(tmp_path: Path) -> None:
    with Pool(str(tmp_path), 1) as pool:
        assert pool.all([{"task": "print"}, echo(1)]) == ["printed", 1]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    with Pool(str(tmp_path), 1, told.append) as pool:
        pool.all([{"task": "progress"}])
    assert told == [20 << 20]


def test_an_error_ends_workers_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Pool(str(tmp_path), 2) as pool:
        for _ in pool.run([echo(1), {"task": "slow", "seconds": 60}]):
            raise KeyboardInterrupt
    assert time.monotonic() - start < 30


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from sxdiff.work.pool import Pool\n"
        "from tests.work.test_pool import children\n"
        f"with Pool({str(tmp_path)!r}, 1) as pool:\n"
        "    for _ in pool.run([{'task': 'unheard_of'}]):\n"
        "        print(*children(), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == -signal.SIGKILL
    (worker,) = map(int, done.stdout.split())
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}/cmdline").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_find_the_package_where_the_parent_did(tmp_path: Path) -> None:
    """Also in a place that isolated interpreters do not look at, such as PYTHONPATH."""
    shutil.copytree(ROOT / "sxdiff", tmp_path / "site" / "sxdiff")
    with (tmp_path / "site" / "sxdiff" / "work" / "tasks.py").open("a") as stream:
        stream.write("\nTasks.do_where = lambda *_: __file__\n")
    program = (
        "import sys\n"
        f"sys.path = [path for path in sys.path if path != {str(ROOT)!r}]\n"
        "from sxdiff.work.pool import Pool\n"
        f"with Pool({str(tmp_path)!r}, 1) as pool:\n"
        "    print(*pool.all([{'task': 'where'}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "site"))


def test_the_protocol_is_json_lines(tmp_path: Path) -> None:
    """Checked from outside, as the architecture promises it."""
    with subprocess.Popen(
        [sys.executable, "-c", "from sxdiff.work.worker import run; run()", tmp_path, "w0_"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        (tmp_path / "f").write_bytes(b"abc")
        task = {"task": "hash", "name": "f", "blob": [str(tmp_path / "f"), 1, 2]}
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert answer == {"result": "sha256:" + hashlib.sha256(b"bc").hexdigest()}
        process.stdin.close()
        assert process.wait(timeout=30) == 0
