"""What two artefacts cannot prove is suspected at its place, and confirmed nowhere."""

import json
from pathlib import Path

import pytest

from bench.causes import judge, pairs
from sxdiff.report import json as json_report
from sxdiff.run import Options, compare
from tests.local import LocalPool

_UNPROVED = [one["id"] for one in pairs.with_pairs(differs=True) if "unproved" in one]


@pytest.mark.parametrize("name", _UNPROVED)
def test_a_cause_that_nothing_proves(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    case = pairs.pair(pairs.by_id(name))
    paths = tmp_path / "a.tar", tmp_path / "b.tar"
    for path, data in zip(paths, case.build(), strict=True):
        path.write_bytes(data)
    with compare(str(paths[0]), str(paths[1]), Options(), None) as report:
        told = json.loads("".join(json_report.chunks(report)))
    assert case.expected[0].unproved
    assert all(judge.at_its_place(one, told) for one in case.expected)
    assert told["summary"]["differences"]["unexplained"]


def test_some_are_left() -> None:
    assert len(_UNPROVED) > 10
