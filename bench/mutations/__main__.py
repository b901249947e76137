"""python -m bench.mutations [--cases N] [--seed N] [--form RE] [--start N]
python -m bench.mutations --seed N --case N [--keep DIR]

Compares images with mutated ones and judges each report by a second reading of both. Prints what
came of it by form and by kind of mutation, and every survivor: a mutation after which something is
said that is not so. Ends with 1 where there are survivors, or where it was interrupted: then the
tables are of what was done until then.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable

from bench.mutations.cases import Case, put
from bench.mutations.images import FORMS
from bench.mutations.run import Found, run_all

OUTCOMES = ("refused", "differs", "equal", "same bytes", "survivor")
"""What may come of a mutation: exit code 2; 1; 0, and rightly so; 0, for nothing has changed; a
report that is wrong."""


def numbers(cases: int, start: int, form: str) -> list[int]:
    """The numbers of so many cases of the forms that match."""
    wanted = {number for number, name in enumerate(FORMS) if re.search(form, name)}
    if not wanted:
        return []
    many = range(start, start + (cases // len(wanted) + 1) * len(FORMS))
    return [number for number in many if number % len(FORMS) in wanted][:cases]


def table(title: str, found: Iterable[Found], key: Callable[[Found], str]) -> str:
    """How many cases came to each outcome, as a table in Markdown."""
    counts: dict[str, Counter[str]] = {}
    for one in found:
        counts.setdefault(key(one), Counter())[one.outcome] += 1
    rows = [*sorted(counts.items()), ("all", sum(counts.values(), Counter[str]()))]
    lines = [
        f"| {title} | cases | {' | '.join(OUTCOMES)} |",
        f"| --- |{' ---: |' * (len(OUTCOMES) + 1)}",
    ]
    for name, outcomes in rows:
        numbers_of = [sum(outcomes.values()), *(outcomes[outcome] for outcome in OUTCOMES)]
        lines.append(f"| {name} | {' | '.join(f'{number:,}' for number in numbers_of)} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.mutations")
    parser.add_argument("--cases", type=int, default=1000, help="how many [1000]")
    parser.add_argument("--seed", type=int, default=1, help="other cases for another seed [1]")
    parser.add_argument("--form", default="", help="only forms that match this expression")
    parser.add_argument("--start", type=int, default=0, help="the number of the first case [0]")
    parser.add_argument("--case", type=int, help="only the case of this number")
    parser.add_argument("--keep", help="with --case: leave both inputs in this new directory")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.case is not None:
        wanted = [options.case]
    else:
        wanted = numbers(options.cases, options.start, options.form)
    if options.keep and options.case is not None:
        os.makedirs(options.keep)
        built = Case(options.seed, options.case).built
        put(built.a, os.path.join(options.keep, "a"))
        put(built.b, os.path.join(options.keep, "b"))
    found: list[Found] = []
    interrupted = False
    folder = tempfile.mkdtemp()
    try:
        for one in run_all(options.seed, wanted, folder):
            found.append(one)
            for wrong in one.wrong:
                print(f"{Case(options.seed, one.number)}: {wrong}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{len(found)} of {len(wanted)}", end="", file=sys.stderr)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        shutil.rmtree(folder)
    print(table("form", found, lambda one: FORMS[one.number % len(FORMS)]))
    print(table("mutation", found, lambda one: f"{one.stage}: {one.operation}"))
    assumed = sum(one.assumed for one in found)
    survivors = sum(one.outcome == "survivor" for one in found)
    print(f"{len(found):,} mutations of seed {options.seed}, {assumed} told as assumed")
    print(f"{survivors} survivors" if survivors else "no survivor")
    return int(bool(survivors) or interrupted or not found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
