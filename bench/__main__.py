"""Measures sxdiff against the floor, and says which bars it meets.

The floor of a pair is two processes, each reading one side, inflating its layers (isal for gzip,
zstandard for zstd) and taking SHA-256 of the packed and the unpacked bytes. Runs alternate, so
that a slow spell of the machine meets both. Wall and CPU times are medians; memory is the
largest. Files are read once before, so that all runs find them in the page cache. The largest
process is never told as smaller than this one, whose peak its children inherit.
"""

import argparse
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.images import Spec, make, path
from bench.measure import Run, run

ROOT = Path(__file__).parent.parent
SIZES = {"0.1": 100_000_000, "1": 1_000_000_000, "4": 4_000_000_000}
MANY = 1_000_000
FEW = 100_000
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """Two images, what to compare sxdiff with, and the exit code it must give."""

    name: str
    a: Spec
    b: Spec
    status: int = 1
    floor: str = "full"
    """ "full", "lean" (unpack each layer once), "sum" (sha256sum A B)"""

    @property
    def is_copy(self) -> bool:
        return self.a == self.b

    def paths(self) -> tuple[str, str]:
        return str(path(self.a)), str(path(self.b, self.is_copy))


@dataclass(frozen=True, slots=True)
class Bar:
    what: str
    limit: float
    measured: float
    unit: str

    @property
    def met(self) -> bool:
        return self.measured <= self.limit

    def row(self) -> str:
        verdict = "met" if self.met else "NOT MET"
        return f"{self.what:58} {self.limit:9.2f} {self.measured:9.2f} {self.unit:3} {verdict}"


@dataclass(slots=True)
class Result:
    """All runs of one command on one pair. One wrong exit code makes all its figures infinite."""

    status: int
    runs: list[Run] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        return any(one.status != self.status for one in self.runs)

    @property
    def wall(self) -> float:
        return math.inf if self.wrong else statistics.median(one.wall for one in self.runs)

    @property
    def cpu(self) -> float:
        return math.inf if self.wrong else statistics.median(one.cpu for one in self.runs)

    @property
    def pss(self) -> float:
        return math.inf if self.wrong else max(one.pss for one in self.runs)


def cases(sizes: Sequence[str], full: bool) -> Iterator[Case]:
    for label in sizes:
        size = SIZES[label]
        for compression in ("gzip", "zstd"):
            plain = Spec(size, compression)
            if label == "4" and compression == "zstd":
                yield Case("4 GB zstd, one member", plain, Spec(size, compression, 1, 0, "middle"))
                continue
            name = f"{label} GB {compression}"
            yield Case(f"{name}, equal", plain, plain, 0, "sum")
            yield Case(f"{name}, one member", plain, Spec(size, compression, 1, 0, "middle"))
            if label != "4":
                yield Case(f"{name}, a late member", plain, Spec(size, compression, 1, 0, "end"))
            yield Case(f"{name}, every mtime", plain, Spec(size, compression, 1, 0, "mtimes"))
        if label != "4":
            ten = Spec(size, "gzip", 10)
            yield Case(
                f"{label} GB gzip, one layer of ten",
                ten,
                Spec(size, "gzip", 10, 0, "layer"),
                1,
                "lean",
            )
    if "1" in sizes:
        for count in (FEW, MANY):
            plain = Spec(0, "gzip", 1, count)
            yield Case(
                f"{count:,} members, one differs", plain, Spec(0, "gzip", 1, count, "middle")
            )
        if full:
            many = Spec(0, "gzip", 1, MANY)
            yield Case(f"{MANY:,} members, every mtime", many, Spec(0, "gzip", 1, MANY, "mtimes"))


def sxdiff() -> list[str]:
    beside = Path(sys.executable).with_name("sxdiff")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "sxdiff.cli"]


def floor(case: Case) -> list[str]:
    if case.floor == "sum":
        return ["sha256sum", *case.paths()]
    lean = ["--lean"] if case.floor == "lean" else []
    return [sys.executable, "-m", "bench.floor", *lean, *case.paths()]


def measure(
    case: Case, repeats: int, tool: Sequence[str], only_floor: bool
) -> tuple[Result, Result]:
    for one in case.paths():
        with open(one, "rb", buffering=0) as file:
            while file.read(16 << 20):
                pass
    print(f"\n{case.name}", flush=True)
    theirs, ours = Result(0), Result(case.status)
    for number in range(repeats):
        # the last run also takes PSS, which costs a little time; medians of three leave it out
        pss = number == repeats - 1
        _one(f"floor {case.floor}", floor(case), theirs, pss)
        if not only_floor:
            _one("sxdiff", [*tool, *case.paths()], ours, pss)
    return theirs, ours


def _one(name: str, command: Sequence[str], result: Result, pss: bool) -> None:
    one = run(command, pss=pss, cwd=ROOT)
    result.runs.append(one)
    print(_row(name, one) + _wrong(one, result.status), flush=True)


def _row(name: str, one: Run) -> str:
    pss = f"{one.pss / MB:7.0f}" if one.pss else "      -"
    return (
        f"  {name:12} wall {one.wall:7.2f} s  cpu {one.cpu:7.2f} s  rss {one.rss / MB:6.0f} MB"
        f"  pss {pss} MB  largest process {one.largest / MB:6.0f} MB"
    )


def _wrong(one: Run, status: int) -> str:
    if one.timed_out:
        return "  TIMED OUT"
    return "" if one.status == status else f"  EXIT CODE {one.status}, expected {status}"


def bars(results: dict[Case, tuple[Result, Result]]) -> Iterator[Bar]:
    """The bars of CONTRIBUTING.md, as far as what they need was measured."""
    for case, (theirs, ours) in results.items():
        if case.floor == "sum":
            what = f"{case.name}: 1.3 x sha256sum + 0.3 s"
            yield Bar(what, 1.3 * theirs.wall + 0.3, ours.wall, "s")
        elif case.floor == "lean":
            what = f"{case.name}: 1.6 x lean floor + 0.3 s"
            yield Bar(what, 1.6 * theirs.wall + 0.3, ours.wall, "s")
        elif case.a.size == SIZES["1"]:
            factor = 2.5 if case.b.touched == "mtimes" else 1.6
            yield Bar(f"{case.name}: times the floor", factor, ours.wall / theirs.wall, "x")
        limit = 500 if case.a.members else 200
        yield Bar(f"{case.name}: PSS of all processes", limit, ours.pss / MB, "MB")
    per_count = {
        case.a.members: ours.wall
        for case, (_, ours) in results.items()
        if case.b.touched == "middle"
    }
    if FEW in per_count and MANY in per_count:
        ratio = per_count[MANY] / per_count[FEW]
        # ten times the members, and a tenth of slack for a linear law
        yield Bar(f"{MANY:,} members over {FEW:,}: wall", 11, ratio, "x")


def small(tool: Sequence[str], repeats: int) -> Iterator[Bar]:
    version, pair = Result(0), Result(1)
    files = [str(ROOT / "fixtures" / "try" / f"{side}.tar") for side in "ab"]
    print("\nstart and small pair")
    for _ in range(max(repeats, 5)):
        _one("--version", [*tool, "--version"], version, False)
        _one("small pair", [*tool, *files], pair, False)
    yield Bar("sxdiff --version: wall", 0.15, version.wall, "s")
    yield Bar("small pair: CPU of all processes", 0.4, pair.cpu, "s")


def others(case: Case, limit: float) -> None:
    """Other tools on the same pair, where they are installed; no bar, for the reader."""
    a, b = case.paths()
    commands = {
        "diffoscope": ["diffoscope", "--no-progress", "--text", "-", a, b],
        "diffoci": ["diffoci", "diff", f"oci-archive://{a}", f"oci-archive://{b}"],
    }
    for name, command in commands.items():
        if shutil.which(name):
            print(f"\n{case.name}, {name} (at most {limit:.0f} s)")
            with tempfile.TemporaryDirectory() as folder:
                one = run(command, limit=limit, cwd=Path(folder))
            print(_row(name, one) + _wrong(one, 1))


def _machine() -> str:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {cpu}, Python {platform.python_version()}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--sizes", default=os.environ.get("BENCH_SIZES", "0.1,1"), help="in GB")
    parser.add_argument("--full", action="store_true", help="0.1, 1 and 4 GB, and more members")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each command")
    parser.add_argument("--only-floor", action="store_true", help="do not run sxdiff")
    parser.add_argument("--others-limit", type=float, default=300, help="seconds for other tools")
    arguments = parser.parse_args()
    sizes = list(SIZES) if arguments.full else [one.strip() for one in arguments.sizes.split(",")]
    if unknown := set(sizes) - set(SIZES):
        parser.error(f"no such size: {', '.join(unknown)}; there are {', '.join(SIZES)}")
    chosen = [case for case in cases(sizes, arguments.full) if arguments.only in case.name]
    make(
        [(one, False) for case in chosen for one in (case.a, case.b)]
        + [(case.b, True) for case in chosen if case.is_copy],
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    tool = sxdiff()
    print(_machine())
    found: list[Bar] = []
    if not arguments.only_floor:
        if subprocess.run([*tool, "--version"], capture_output=True, check=False).returncode:
            parser.exit(1, "bench: sxdiff does not start; --only-floor measures without it\n")
        if not arguments.only:
            found += small(tool, arguments.repeats)
    results = {}
    for case in chosen:
        repeats = 1 if case.a.size > SIZES["1"] else arguments.repeats
        results[case] = measure(case, repeats, tool, arguments.only_floor)
    if arguments.only_floor:
        return 0
    for case in chosen:
        if case.a.size == SIZES["0.1"] and case.name.endswith("gzip, one member"):
            others(case, arguments.others_limit)
    found += bars(results)
    print(f"\n{'bar':58} {'limit':>9} {'measured':>9}")
    for bar in found:
        print(bar.row())
    wrong = [case.name for case, (_, ours) in results.items() if ours.wrong]
    if wrong:
        print(f"\nwrong exit code: {', '.join(wrong)}")
    return int(bool(wrong) or not all(bar.met for bar in found))


if __name__ == "__main__":
    sys.exit(main())
