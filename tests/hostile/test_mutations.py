"""The mutation law on a sample; `make soak` has many more: an image that was changed anywhere is
never called equal where it is not, and no cause is named that is not the one."""

from pathlib import Path

import pytest

from bench.mutations.cases import Case, put
from bench.mutations.images import FORMS, Content, Recipe, contents, make, shapes
from bench.mutations.judge import faults, truth
from bench.mutations.oracle import Reading, Unreadable
from bench.mutations.run import run_all
from fixtures.images import digest
from fixtures.tar import Member, file, tar

SAMPLE = 6 * len(FORMS)


def test_no_mutation_is_called_equal_or_explained_where_it_is_not(tmp_path: Path) -> None:
    found = list(run_all(6, list(range(SAMPLE)), str(tmp_path)))
    wrong = [f"{Case(6, one.number)}: {'; '.join(one.wrong)}" for one in found if one.wrong]
    assert not wrong
    # a sample in which all were refused, or none changed anything, would show nothing
    outcomes = [one.outcome for one in found]
    assert len(outcomes) == SAMPLE
    assert min(map(outcomes.count, ("refused", "differs", "equal", "same bytes"))) > SAMPLE // 50


def _unchanged(_stage: str, _number: int, value: object) -> object:
    return value


@pytest.mark.parametrize("form", FORMS)
def test_the_second_reading_knows_every_form(tmp_path: Path, form: str) -> None:
    for shape in shapes(form):
        path = tmp_path / shape
        put(make(Recipe(form, contents()[0], "gzip", shape), _unchanged), str(path))
        assert all(len(tree) == 11 for tree in Reading(str(path)).trees)
        assert truth(Reading(str(path)), str(path)) == "archive"


def _archive(folder: Path, name: str, *members: Member) -> str:
    recipe = Recipe("oci-archive", Content("x", (members,)), "gzip", "one")
    put(make(recipe, _unchanged), str(folder / name))
    return str(folder / name)


def test_the_second_reading_tells_the_rungs_apart(tmp_path: Path) -> None:
    one, two = file("one", "1"), file("two", "2")
    a = Reading(_archive(tmp_path, "a", one, two))
    for right, members in (
        ("archive", (one, two)),
        ("rootfs", (two, one)),
        ("contents", (one, two.but(mode=0o600))),
        ("nothing", (one, two.but(content=b"3"))),
        ("nothing", (one,)),
    ):
        assert truth(a, _archive(tmp_path, "b", *members)) == right
    broken = bytearray((tmp_path / "a").read_bytes())
    broken[broken.index(b"sha256:") + 9] ^= 1
    (tmp_path / "b").write_bytes(broken)
    assert truth(a, str(tmp_path / "b")) is None
    (tmp_path / "b").write_bytes(tar([file("x")])[:300])
    with pytest.raises(Unreadable):
        Reading(str(tmp_path / "b"))


def _report(**changes: object) -> dict[str, object]:
    counts = {"total": 1, "explained": 0, "unexplained": 1, "derived": 0}
    return {
        "equal_at": "nothing",
        "met": False,
        "options": {"require": "manifest"},
        "summary": {"differences": counts},
        "differences": [],
        **changes,
    }


def test_a_report_that_says_more_than_is_so_is_a_survivor() -> None:
    case = next(
        case for case in (Case(6, number) for number in range(999)) if case.built.stage == "content"
    )
    assert not list(faults(case, _report(), "nothing"))
    assert list(faults(case, _report(), "manifest")) == []  # it may say less
    for report in (
        _report(equal_at="rootfs"),
        _report(met=True),
        _report(equal_at="index"),
        _report(summary={"differences": dict.fromkeys(_counts(), 0)}),
        _report(differences=[_difference(path="etc/other", causes=["tar-mtime"])]),
        _report(differences=[_difference(where=["linux/amd64", "config"], causes=["x"])]),
    ):
        assert list(faults(case, report, "nothing")), report
    assert list(faults(case, _report(equal_at="contents"), None))


def _counts() -> list[str]:
    return ["total", "explained", "unexplained", "derived"]


def _difference(**changes: object) -> dict[str, object]:
    where = ["linux/amd64", "layer 1", "etc/other"]
    whole = {"where": where, "path": None, "kind": "x", "explained": True, "derived": False}
    return {**whole, "a": None, "b": None, **changes}


def test_cases_follow_from_their_number() -> None:
    for number in range(70):
        one, other = Case(6, number).built, Case(6, number).built
        assert (one.a, one.b, one.mutated) == (other.a, other.b, other.mutated)
    assert digest(repr(Case(6, 1).built.b).encode()) != digest(repr(Case(7, 1).built.b).encode())
