"""python -m bench.causes [--only PATTERN] [--group GROUP] [--jobs N] [--table FILE]."""

import argparse
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.causes import adversarial, images, pairs
from bench.causes.baselines import baselines
from bench.causes.cases import Case
from bench.causes.judge import ROOT, Result, run
from bench.causes.table import bars, table

GROUPS = {
    "pair": pairs.pairs,
    "image": images.pairs,
    "ten": images.ten,
    "drift": lambda: [*pairs.drift(), *images.drift()],
    "control": pairs.controls,
    "mixture": pairs.mixtures,
    "adversarial": adversarial.cases,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.causes")
    parser.add_argument("--only", help="cases whose name matches this regular expression")
    parser.add_argument("--group", action="append", choices=GROUPS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--checkout", default=str(ROOT), help="whose sxdiff to run [this one]")
    parser.add_argument("--table", help="write the result to this page, too")
    parser.add_argument("--no-baselines", action="store_true", help="measure only sxdiff")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each miss")
    options = parser.parse_args(arguments)
    cases: list[Case] = []
    for group, gather in GROUPS.items():
        if not options.group or group in options.group:
            cases += [
                one for one in gather() if not options.only or re.search(options.only, one.name)
            ]
    checkout = os.path.abspath(options.checkout)
    results: list[Result] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda one: run(one, checkout), cases):
            results.append(result)
            if options.verbose and result.misses:
                case = result.case
                print(f"{case.group} {case.name}: {'; '.join(result.misses)}", flush=True)
            elif sys.stderr.isatty():
                print(f"\r{len(results)} of {len(cases)}", end="", file=sys.stderr)
    beside = [] if options.no_baselines else baselines(cases, options.jobs)
    page = table(results, beside)
    print(page)
    if options.table:
        Path(options.table).write_text(page)
    return 0 if all(bar.met for bar in bars(results)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
