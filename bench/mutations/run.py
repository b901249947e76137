"""Compares the pairs of many cases, one after the other, in processes that may die.

No worker is started for a pair: the same tasks are done in the process that compares, so that a
hundred thousand pairs take minutes, not days. Each process does some cases and is then replaced.
"""

import gc
import json
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import sxdiff.run
from bench.mutations.cases import TOGETHER, Built, Case, put
from bench.mutations.images import FORMS, Recipe
from bench.mutations.judge import assumed, faults, truth
from bench.mutations.oracle import RUNGS, Reading, raw
from sxdiff.model import InputError
from sxdiff.report.forms import FORMS as VIEWS
from sxdiff.report.forms import Manner
from sxdiff.run import Options, compare
from tests.local import LocalPool

BATCH = TOGETHER * len(FORMS)
"""Cases of one process."""
SECONDS = 20
"""Of CPU, for one comparison."""
SPACE = 4 << 30
"""Bytes of memory, as a worker has them."""
VIEWED = 200
"""One report of so many is written in every form."""


@dataclass(frozen=True)
class Found:
    """What came of a case; `wrong` is what makes it a survivor. `assumed` where all that is told
    is what one file can't prove."""

    number: int
    stage: str
    operation: str
    outcome: str
    wrong: list[str]
    assumed: bool = False


class TooLongError(BaseException):
    """A comparison that does not end."""


class Originals:
    """What images are before they are mutated, written and read once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known: dict[Recipe, tuple[str, Reading]] = {}

    def get(self, built: Built) -> tuple[str, Reading]:
        """Where it lies, and the second reading of it."""
        if built.original not in self._known:
            path = os.path.join(self._folder, str(len(self._known)))
            put(built.a, path)
            self._known[built.original] = (path, Reading(path))
        return self._known[built.original]


def run(case: Case, originals: Originals, folder: str) -> Found:
    """Compare one pair below `folder`, which is empty, and judge what is said of it."""
    built = case.built
    a, reading = originals.get(built)
    b, spool = os.path.join(folder, "b.tar"), os.path.join(folder, "spool")
    put(built.b, b)
    os.mkdir(spool)
    require = RUNGS[case.number % 7] if case.number % 2 else None
    options = Options(spool=spool, require=None if require == "nothing" else require)
    outcome, wrong, known = "survivor", list[str](), False
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with compare(a, b, options, None) as report:
            views = VIEWS if case.number % VIEWED == 0 else VIEWS[:1]
            texts = {one.name: "".join(one.write(report, Manner(verbose=True))) for one in views}
        told = json.loads(texts["json"])
        right = truth(reading, b)
        wrong += faults(case, told, right)
        known = assumed(told)
        outcome = "equal" if told["met"] else "differs"
        if right == "archive":
            outcome = "same bytes"
    except InputError as error:
        outcome = "refused"
        if "\n" in str(error):
            wrong.append("is told in more than a line")
        if reading.raw == raw(b):
            wrong.append(f"refused, though both are the same: {error}")
    except TooLongError:
        wrong.append(f"takes more than {SECONDS} s")
    except Exception:
        wrong.append(traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if os.listdir(spool):
        wrong.append("leaves something in the spool")
    return Found(
        case.number,
        built.stage,
        built.operation,
        "survivor" if wrong else outcome,
        wrong,
        known,
    )


def run_all(seed: int, numbers: list[int], folder: str) -> Iterator[Found]:
    """The cases of these numbers, each batch in a process of its own below `folder`. A case that
    kills its process is a survivor, and the next ones have another."""
    rest = list(numbers)
    while rest:
        top = os.path.join(folder, "batch")
        os.mkdir(top)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            _child(seed, rest[:BATCH], writer, top)
        os.close(writer)
        done = 0
        try:
            with os.fdopen(reader) as answers:
                for line in answers:
                    yield Found(**json.loads(line))
                    done += 1
        except BaseException:  # interrupted
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            _, status = os.waitpid(child, 0)
            shutil.rmtree(top)
        if done < len(rest[:BATCH]):
            code = os.waitstatus_to_exitcode(status)
            built = Case(seed, rest[done]).built
            wrong = [f"its process ended with {code}"]
            yield Found(rest[done], built.stage, built.operation, "survivor", wrong)
            done += 1
        del rest[:done]


def _child(seed: int, numbers: list[int], writer: int, top: str) -> None:
    """Do the cases and end the process."""
    status = 1
    try:
        setattr(sxdiff.run, "Pool", LocalPool)  # noqa: B010 - no name that mypy knows there
        signal.signal(signal.SIGPROF, _too_long)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        gc.set_threshold(100_000, 50, 50)  # as a worker does
        os.mkdir(os.path.join(top, "originals"))
        originals = Originals(os.path.join(top, "originals"))
        with os.fdopen(writer, "w") as answers:
            for number in numbers:
                folder = os.path.join(top, "case")
                os.mkdir(folder)
                found = run(Case(seed, number), originals, folder)
                print(json.dumps(asdict(found)), file=answers, flush=True)
                shutil.rmtree(folder)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _too_long(*_: object) -> None:
    raise TooLongError
