"""A process that may die: reads tasks as JSON lines, one in, one out.

Started by the pool as an isolated interpreter with SPOOL, PREFIX and SETTINGS. Everything that
reads what an image holds runs here; the parent survives whatever happens to it. No pickle goes
either way.
"""

import gc
import importlib.util
import json
import os
import sys
import traceback
from typing import Any

from sxdiff.model import FormatError, InputError, Limits
from sxdiff.work import isolation
from sxdiff.work.spool import machine_error

_LATE = ("sxdiff.compare.closer", "sxdiff.image.unpack", "sxdiff.work.scan", "sxdiff.work.walk")
"""What tasks import, and with it nearly all of sxdiff; its own module comes first."""


def main() -> None:
    """Answer tasks until standard input ends.

    SETTINGS, all optional: `inputs` are the paths that may be read, `parent` is the process that
    asks, `limits` are those that are not as usual.
    """
    directory, prefix, *more = sys.argv[1:]
    settings = json.loads(more[0]) if more else {}
    inputs = settings.get("inputs", [])
    limits = Limits(**settings.get("limits", {}))
    isolation.limit(limits.memory_bytes, limits.spool_bytes)
    _keep_compiled()
    missing = isolation.enter(directory, inputs, settings.get("parent", os.getppid()))
    sys.setrecursionlimit(2000)
    # a description makes many small objects and no cycles: rarer collections save a third
    gc.set_threshold(100_000, 50, 50)
    # the protocol has standard output to itself: a stray print must not break it
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    from sxdiff.work.tasks import Tasks  # noqa: PLC0415 - after the limits are set

    def progress(count: int) -> None:
        _say(answers, {"progress": count})

    tasks = Tasks(directory, prefix, progress, limits, missing)
    for line in sys.stdin.buffer:
        _say(answers, _answer(tasks, json.loads(line)))


def _keep_compiled() -> None:
    """Behind the walls Python can't keep what it compiles: where it never has, it does so now."""
    first = importlib.util.find_spec(_LATE[0])
    if first is not None and first.cached and not os.path.exists(first.cached):
        for name in _LATE:
            importlib.import_module(name)


def _answer(tasks: "Any", task: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": tasks.run(task["task"], task)}
    except InputError as error:
        return {"input_error": str(error)}
    except FormatError as error:
        return {"input_error": f"{task.get('name', task['task'])}: {error}"}
    except MemoryError:
        return {"failed": "out of memory"}
    except RecursionError:
        return {"failed": "nested too deeply"}
    except Exception as error:
        refused = machine_error(error)
        if refused is not None:
            name = f"{task['name']}: " if "name" in task else ""
            return {"input_error": f"{name}{refused}"}
        return {"bug": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}


def _say(answers: Any, answer: dict[str, Any]) -> None:
    data = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
    view = memoryview(data)
    while view:
        view = view[answers.write(view) :]


def run() -> None:
    """`main` for a process of its own."""
    status = 0
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        # the parent has gone or tells the user itself
        status = 130
    # all is said, and what it leaves in the spool is the parent's: nothing is to be tidied up first
    os._exit(status)
