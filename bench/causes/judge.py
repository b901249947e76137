"""One case, run and judged: what the report says against what is known."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.causes.cases import Case, Expected

ROOT = Path(__file__).parent.parent.parent
RUNGS = ("archive", "index", "manifest", "config", "rootfs", "contents", "nothing")
LIMIT = 120
"""Seconds for one pair."""

HOSTILE = ("adversarial", "drift")
"""Groups of pairs that hold a real change: the report must leave something unexplained."""

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What the report of a case says, and all that is not as it should be."""

    case: Case
    code: int
    confirmed: tuple[str, ...] = ()
    top: bool = False
    places: int = 0
    verified: bool = False
    false: tuple[str, ...] = ()
    exact: bool = False
    fully_explained: bool = False
    bytes_differing: int = 0
    bytes_explained: int = 0
    misses: tuple[str, ...] = ()
    suspects: tuple[str, ...] = field(default=())


def run(case: Case, checkout: str = str(ROOT)) -> Result:
    """Compares the two images of a case with the sxdiff of a checkout and reads the report."""
    with tempfile.TemporaryDirectory(prefix="causes-") as name:
        work = Path(name)
        a, b = case.build()
        (work / "a.tar").write_bytes(a)
        (work / "b.tar").write_bytes(b)
        command = [sys.executable, "-m", "sxdiff", "a.tar", "b.tar", "--jobs", "1"]
        try:
            done = subprocess.run(
                [*command, "--json", "report.json"],
                cwd=work,
                env=os.environ | {"PYTHONPATH": checkout},
                capture_output=True,
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Result(case, 2, misses=(f"no report within {LIMIT} s",))
        path = work / "report.json"
        if done.returncode > 1 or not path.exists():
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            return Result(case, done.returncode, misses=("no verdict", *said))
        return judge(case, done.returncode, json.loads(path.read_text()))


def judge(case: Case, code: int, report: Report) -> Result:
    confirmed = tuple(one["cause"] for one in report["findings"] if one["confirmed"])
    false = tuple(one for one in confirmed if one not in case.allowed)
    leading = tuple(one for one in confirmed if one not in case.allowed or named(case, one))
    found = [at_its_place(one, report) for one in case.expected]
    top = bool(leading) and bool(case.expected) and leading[0] in case.expected[0].right
    if len(case.expected) > 1:
        top = bool(leading) and any(leading[0] in one.right for one in case.expected)
    summary = report["summary"]
    verified = is_verified(summary.get("counterfactual"), case.verified_at)
    misses = []
    if case.group == "control":
        if report["differences"] or code:
            misses.append(f"differs: exit {code}, {len(report['differences'])} differences")
    elif case.group not in HOSTILE:
        for one, there in zip(case.expected, found, strict=True):
            if not there:
                misses.append(f"{'/'.join(one.labels)} not found at its place")
        if not verified and not any(one.unproved for one in case.expected):
            misses.append(f"not verified: {summary.get('counterfactual')}")
    fully = bool(report["differences"]) and summary["differences"]["unexplained"] == 0
    if case.group in HOSTILE and fully:
        misses.append(f"fully explained as {', '.join(confirmed) or 'nothing'}")
    if false:
        misses.append(f"falsely confirmed: {', '.join(false)}")
    suspects = {one.get("suspect") for one in report["differences"]} - {None}
    return Result(
        case=case,
        code=code,
        confirmed=confirmed,
        top=top,
        places=sum(found),
        verified=verified,
        false=false,
        exact=all(found) and not false,
        fully_explained=fully,
        bytes_differing=summary["bytes"]["differing"],
        bytes_explained=summary["bytes"]["explained"],
        misses=tuple(misses),
        suspects=tuple(sorted(map(str, suspects))),
    )


def named(case: Case, cause: str) -> bool:
    """Whether a cause is an answer, not just something that follows from the answer."""
    return any(cause in one.right for one in case.expected)


def at_its_place(one: Expected, report: Report) -> bool:
    """Whether a difference lies where the cause left its trace, and is explained by it; where two
    artefacts cannot prove the cause it is enough that it is suspected there."""
    for difference in report["differences"]:
        names = {*difference["causes"], None if one.unproved is None else difference.get("suspect")}
        if not one.right & names:
            continue
        if one.platform and difference["where"][:1] != [one.platform]:
            continue
        if not one.paths or difference["path"] in one.paths:
            return True
    return False


def is_verified(counterfactual: Any, wanted: str) -> bool:
    """Whether both images are equal once what is confirmed is made the same in both."""
    if not counterfactual or not counterfactual["verified"]:
        return False
    return RUNGS.index(counterfactual["equal_at"]) <= RUNGS.index(wanted)
