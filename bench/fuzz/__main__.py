"""`python -m bench.fuzz [TARGET ...]`: fuzz each target for some seconds with Atheris.

Inputs that break a law are kept in `.fuzz/broken/`, one for each place where it broke; the exit
code is then 1. What reached something new is kept in `.fuzz/corpus/` and used again.
"""

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HOME = Path(os.environ.get("FUZZ_HOME", ROOT / ".fuzz"))
BROKEN = HOME / "broken"
FIGURES = HOME / "figures.jsonl"
"""One line for each run of a target."""

_MODULES = sorted(ROOT.glob("sxdiff/**/[!_]*.py"))
_GUIDES = {
    "archive": ["sxdiff.image", "sxdiff.formats.tar"],
    "layer": ["sxdiff.work", "sxdiff.formats.tar"],
    "unpack": ["sxdiff.image"],
    "graph": ["sxdiff.image"],
    "json": ["sxdiff.formats.json", "sxdiff.image.document"],
    "report": ["sxdiff.report", "sxdiff.wire"],
    "look": ["sxdiff.compare", "sxdiff.formats"],
    "finders": ["sxdiff.causes"],
}
"""The code by which a target is guided, where that is not its family of formats. Only this is
prepared for it: that takes time."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--minimise", action="store_true", help="only: keep the fewest inputs")
    options = parser.parse_args()
    if options.child:
        _fuzz(options.child, options.targets)
        return 0
    from bench.fuzz.targets import TARGETS  # noqa: PLC0415 - the child imports it instrumented

    bad = 0
    for name in options.targets or TARGETS:
        if options.minimise:
            _minimise(name)
        else:
            bad += _run(name, options.seconds)
    return 1 if bad else 0


def _run(name: str, seconds: int) -> int:
    """Fuzz one target; the number of places where a law was broken."""
    begin = time.monotonic()
    found = HOME / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    before = set(BROKEN.glob(f"{name}-*"))
    first = last = executions = 0
    while (left := seconds - (time.monotonic() - begin)) > 1:
        with _seeds(name) as folder:
            words = [f"-max_total_time={left:.0f}", f"-artifact_prefix={BROKEN}/{name}-native-"]
            output = _child(name, [*words, str(found), folder])
        covered = re.findall(r"cov: (\d+)", output)
        first, last = first or int(covered[0]), max(last, int(covered[-1]))
        counts = re.findall(r"number_of_executed_units: (\d+)|^#(\d+)", output, re.MULTILINE)
        executions += int(next(filter(None, counts[-1])))
    wall = time.monotonic() - begin
    new = sorted(set(BROKEN.glob(f"{name}-*")) - before)
    figures = {"target": name, "seconds": round(wall), "executions": executions}
    figures |= {"first": first, "last": last, "broken": len(new)}
    with FIGURES.open("a") as file:
        file.write(json.dumps(figures) + "\n")
    print(f"{name:12} {wall:6.0f} s {executions:9} executions, edges {first} to {last}", flush=True)
    for path in new:
        print(f"  {path}", flush=True)
    return len(new)


@contextlib.contextmanager
def _seeds(name: str) -> Iterator[str]:
    """A folder with what the target starts from."""
    from bench.fuzz.seeds import seeds  # noqa: PLC0415
    from bench.fuzz.targets import TARGETS  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        for data in seeds(TARGETS[name]):
            (Path(folder) / hashlib.sha1(data).hexdigest()).write_bytes(data)  # noqa: S324
        yield folder


def _child(name: str, words: list[str]) -> str:
    BROKEN.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "bench.fuzz", "--child", name, "--", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    (HOME / f"{name}.log").write_text(output)
    if "cov: " not in output:
        raise SystemExit(output[-4000:])
    return output


def _minimise(name: str) -> None:
    """Of what was found, keep the fewest inputs that reach the same."""
    found, fewer = HOME / "corpus" / name, HOME / "fewer" / name
    fewer.mkdir(parents=True, exist_ok=True)
    with _seeds(name) as folder:
        _child(name, ["-merge=1", str(fewer), folder, str(found)])


def _fuzz(name: str, words: list[str]) -> None:
    """In a process of its own: Atheris never returns."""
    import atheris  # noqa: PLC0415 - an extra

    guides = tuple(_GUIDES.get(name, [f"sxdiff.formats.{name}"]))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in _MODULES]
    guiding = [one for one in names if f"{one}.".startswith(tuple(f"{each}." for each in guides))]
    others = sorted(set(names) - set(guiding))
    with atheris.instrument_imports(include=["sxdiff"], exclude=others):
        for module in guiding:
            importlib.import_module(module)
        from bench.fuzz import mutations, targets  # noqa: PLC0415

    target = targets.TARGETS[name]

    def one(data: bytes) -> None:
        try:
            targets.run(target, data)
        except Exception as error:
            _keep(name, data, error)

    def change(data: bytes, size: int, seed: int) -> bytes:
        chance = random.Random(seed)  # noqa: S311 - seeded, not secret
        if chance.random() < 0.3:
            return bytes(atheris.Mutate(data, size))
        return mutations.changed(name, data, chance, any_change)[:size]

    def any_change(data: bytes, chance: random.Random) -> bytes:
        if data and chance.random() < 0.5:
            return bytes(atheris.Mutate(data, len(data) + chance.choice((0, 8, 64))))
        return mutations.damaged(data, chance)

    fixed = ["-max_len=70000", "-len_control=0", "-timeout=120", "-rss_limit_mb=4000"]
    # with -merge the library starts itself anew, by a shell
    again = f"{shlex.quote(sys.executable)} -m bench.fuzz --child {name} --"
    atheris.Setup([again, *fixed, "-print_final_stats=1", *words], one, custom_mutator=change)
    with targets.bounded():
        atheris.Fuzz()


def _keep(name: str, data: bytes, error: Exception) -> None:
    """Keep an input that broke a law, if it is the smallest that did so there."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if f"{os.sep}sxdiff{os.sep}" in frame.filename] or frames
    where = f"{Path(inside[-1].filename).stem}-{inside[-1].lineno}"
    path = BROKEN / f"{name}-{type(error).__name__}-{where}"
    if path.exists() and path.stat().st_size <= len(data):
        return
    path.write_bytes(data)
    print(f"BROKEN {path}\n{''.join(traceback.format_exception(error))[-3000:]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
