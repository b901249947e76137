"""The report is sorted, counted and bounded, whatever order things come in."""

import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxdiff.model import Claim, Difference, InputError, Node, Problem, Route, Value
from sxdiff.report import json
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.findings import Binding
from sxdiff.report.keys import key_of, route_of
from tests.sample import so_many

Finish = Callable[..., Report]

routes = st.lists(st.text("\0\1\2a/é\U0001f600", max_size=4), max_size=4).map(tuple)


@given(routes)
def test_a_key_gives_its_route_back(route: Route) -> None:
    assert route_of(key_of(route)) == route


@given(routes, routes)
def test_keys_order_as_lists_of_strings(a: Route, b: Route) -> None:
    assert (key_of(a) < key_of(b)) == ([*a] < [*b])


@given(routes, routes)
def test_keys_below_a_route_begin_with_its_key(a: Route, b: Route) -> None:
    assert key_of(b).startswith(key_of(a)) == (b[: len(a)] == a)


def _plain(kind: str = "file.content", **fields: Any) -> Difference:
    return Difference(kind, Value(1), Value(2), **fields)


def test_differences_are_sorted_by_where_then_as_they_came(
    builder: ReportBuilder, finish: Finish
) -> None:
    wheres = [("p", "b"), ("p",), ("p", "a", "x"), ("p", "a"), ("p", "ab"), ("p", "a\x01")] * 2
    for number, where in enumerate(wheres):
        builder.add(where[:1], "f", _plain(where=where[1:], bytes=number), None, True)
    told = [*finish(builder).differences()]
    expected = sorted(enumerate(wheres), key=lambda item: [*item[1]])
    assert [(one["bytes"], tuple(one["where"])) for one in told] == expected
    assert [one["id"] for one in told] == [f"d{number}" for number in range(1, 13)]


def test_the_order_of_adding_does_not_matter(tmp_path: Path, finish: Finish) -> None:
    entries = [(("linux/amd64", f"layer {n % 3}", f"f{n}"), f"f{n}") for n in range(200)]
    texts = []
    for seed in range(3):
        random.Random(seed).shuffle(entries)
        (tmp_path / str(seed)).mkdir()
        with ReportBuilder(str(tmp_path / str(seed))) as builder:
            for where, path in entries:
                builder.add(where, "tar", _plain("tar.mtime", bytes=1), path, True)
            texts.append("".join(json.chunks(finish(builder))))
    assert texts[0] == texts[1] == texts[2]


def test_differences_can_be_gone_through_again_and_within(full_report: Report) -> None:
    once = [*full_report.differences()]
    again = [(one, two) for one in full_report.differences() for two in full_report.differences()]
    assert again == [(one, two) for one in once for two in once]


def test_a_node_is_told_under_its_route_without_its_own_name(full_report: Report) -> None:
    where = next(
        one["where"] for one in full_report.differences() if one["kind"] == "elf.section.content"
    )
    assert where == ["linux/amd64", "layer 1", "usr/bin/hello", ".rodata"]


def test_a_derived_difference_names_its_roots(full_report: Report) -> None:
    told = {one["kind"]: one for one in full_report.differences()}
    assert told["elf.note.build_id"]["derived_from"] == [told["elf.section.content"]["id"]]
    assert told["manifest.config"]["derived_from"] == [told["config.created"]["id"]]


def test_at_most_three_roots_of_each_route_in_order(builder: ReportBuilder, finish: Finish) -> None:
    for layer in ("layer 2", "layer 1", "layer 10"):
        for number in range(5):
            builder.add(("p", layer, f"f{number}"), "f", _plain(), None, True)
        builder.add(("p", layer, "f0"), "f", _plain(derived=True), None, True)
    derived_from = (("p", "layer 2"), ("p", "layer 1"), ("p", "none"))
    builder.add(("p",), "f", _plain("z", derived=True, derived_from=derived_from), None, True)
    told = [*finish(builder).differences()]
    of = {one["id"]: one["where"] for one in told}
    assert [of[one] for one in told[0]["derived_from"]] == [
        ["p", layer, f"f{number}"] for layer in ("layer 1", "layer 2") for number in range(3)
    ]
    assert not any(told[int(one[1:]) - 1]["derived"] for one in told[0]["derived_from"])


def test_the_counts_are_a_partition(full_report: Report) -> None:
    told = [*full_report.differences()]
    summary = full_report.header["summary"]
    counts = summary["differences"]
    assert counts["total"] == len(told)
    assert counts["total"] == counts["explained"] + counts["unexplained"] + counts["derived"]
    assert counts["derived"] == sum(one["derived"] for one in told)
    size = sum(one["bytes"] for one in told if not one["derived"])
    assert summary["bytes"] == {"differing": size, "explained": 0, "unexplained": size}


def test_unexplained_is_one_finding_by_kind(full_report: Report) -> None:
    (finding,) = full_report.header["findings"]
    roots = [one for one in full_report.differences() if not one["derived"]]
    assert finding["cause"] == "unexplained"
    assert not finding["confirmed"]
    assert finding["platforms"] == ["linux/amd64"]
    assert [*finding["differences"]] == [one["id"] for one in roots]
    assert len(finding["differences"]) == len(roots)
    assert finding["evidence"] == "7 differences in 6 files"
    kinds = finding["kinds"]
    assert [kind["kind"] for kind in kinds] == [
        "tar.mtime",
        "elf.section.content",
        "file.only_in_b",
        "text.lines",
        "config.created",
    ]
    for kind in kinds:
        same = [one for one in roots if one["kind"] == kind["kind"]]
        assert kind["differences"] == len(same)
        assert kind["files"] == len({one["path"] for one in same} - {None})
        assert full_report.examples[kind["example"]] == same[0]


def test_named_causes_come_after_the_unexplained_by_files(
    builder: ReportBuilder, finish: Finish
) -> None:
    for cause, files in (("few", 1), ("many", 3)):
        for number in range(files):
            path = f"{cause}{number}"
            builder.add(("p", path), "f", _plain(claims=(Claim(cause),), bytes=2), path, True)
    builder.add(("p", "x"), "f", _plain(bytes=5), None, True)
    report = finish(builder)
    assert [one["cause"] for one in report.header["findings"]] == ["unexplained", "many", "few"]
    assert report.header["summary"]["bytes"] == {"differing": 13, "explained": 8, "unexplained": 5}
    assert [one["explained"] for one in report.differences()] == [True] * 4 + [False]


def test_an_example_is_visible_if_one_is(builder: ReportBuilder, finish: Finish) -> None:
    for name, visible in (("a", False), ("b", True), ("c", True)):
        builder.add(("p", name), "f", _plain(), name, visible)
    (finding,) = finish(builder).header["findings"]
    assert finding["kinds"][0]["example"] == "d2"


def test_a_readable_example_comes_before_numbers_in_hex(
    builder: ReportBuilder, finish: Finish
) -> None:
    for name, values in (("a", ("10", "17")), ("b", ("/build/a", "/build/b")), ("c", ("x", "y"))):
        a, b = map(Value, values)
        builder.add(("p", name), "f", Difference("k", a, b), name, True)
    (finding,) = finish(builder).header["findings"]
    assert finding["kinds"][0]["example"] == "d2"


def test_several_images_of_an_archive_are_told_apart(
    builder: ReportBuilder, finish: Finish
) -> None:
    platforms: list[dict[str, Any]] = []
    for image in ("x:1", "y:2"):
        builder.add((image, "linux/amd64", "layer 1", "f"), "f", _plain(), "f", True)
        platforms.append(
            {
                "platform": "linux/amd64",
                "image": image,
                "equal_at": "nothing",
                "only_in": None,
                "a": None,
                "b": None,
            }
        )
    (finding,) = finish(builder, platforms=platforms).header["findings"]
    assert finding["platforms"] == ["linux/amd64"]
    assert finding["evidence"] == "2 differences in 2 files"


def test_one_file_in_two_layers_counts_once(builder: ReportBuilder, finish: Finish) -> None:
    for platform in ("linux/amd64", "linux/arm64"):
        for layer in ("layer 1", "layer 2"):
            for part in ("x", "y"):
                builder.add((platform, layer, "f", part), "f", _plain(), "f", True)
    (finding,) = finish(builder).header["findings"]
    assert finding["evidence"] == "8 differences in 2 files"


def test_equal_images_have_no_findings(builder: ReportBuilder, finish: Finish) -> None:
    report = finish(builder, equal_at="archive", met=True)
    assert report.header["findings"] == []
    assert [*report.differences()] == []


def test_problems_are_sorted_and_told_once(builder: ReportBuilder, finish: Finish) -> None:
    names = [("b", "k", "m"), ("a", "k", "n"), ("a", "k", "m"), ("a", "j", "z"), ("b", "k", "m")]
    for step, kind, message in names:
        builder.problem(Problem((step,), kind, message, "went on"))
    node = Node("", "f", problems=(Problem(("in",), "k", "m", "went on"),))
    builder.add_node(("a",), Node("", "f", nodes=(node,)), None, True)
    problems = finish(builder).header["problems"]
    told = [(one["where"], one["kind"], one["message"]) for one in problems]
    assert told == sorted(told)
    assert len(told) == len(problems) == 5


def test_a_text_that_is_no_unicode_is_told_as_bytes(builder: ReportBuilder, finish: Finish) -> None:
    builder.add(("a\udcff", "\ud800"), "f", Difference("k", Value("\udcfe"), None), "a\udcff", True)
    builder.problem(Problem(("\udcff",), "k", "\udcfd", "r"))
    document = "".join(json.chunks(finish(builder))).encode().decode()
    for expected in (r'"a\\xff"', r'"\\xed\\xa0\\x80"', r'"\\xfe"', r'"\\xfd"'):
        assert expected in document


def test_a_spool_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.sqlite3"):
        ReportBuilder(str(tmp_path / "absent"))


def test_many_differences_take_little_memory_and_time(
    builder: ReportBuilder, finish: Finish, tmp_path: Path
) -> None:
    """200,000 differences (or a part of them), a tenth of them derived from a whole layer."""
    count = so_many(50_000, 200_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    for at in range(count):
        path = f"usr/share/{at % 1000:04}/{at:06}"
        layer = ("linux/amd64", f"layer {at % 3}")
        derived = at % 10 == 0
        difference = Difference(
            "tar.mtime",
            Value(at, (512 * at, 12)),
            Value(at + 1, (512 * at, 12)),
            bytes=1,
            derived=derived,
            derived_from=(layer,) if derived else (),
        )
        builder.add((*layer, path), "tar", difference, path, True)
    report = finish(builder)
    with (tmp_path / "report.json").open("w") as file:
        file.writelines(json.chunks(report))
    assert report.header["summary"]["differences"]["total"] == count
    assert time.process_time() - start < 60  # some 12 s here; quadratic would be hours
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 80 << 10  # KiB


class _Known:
    """A diagnosis that lets one binding fall and knows where another comes from."""

    def judged(self, bindings: list[Binding]) -> Iterator[tuple[Binding, Route | None]]:
        for one in bindings:
            if one.a == "falls":
                yield one, None
            if one.a == "follows":
                yield one, ("p", "root")

    def words(self, cause: str, producers: str) -> dict[str, Any]:
        words = {"title": f"Title of {cause}", "family": "time", "why": "Because."}
        return words | {"fix": f"for {producers}", "references": ["https://example.org/"]}

    def ties(self, bindings: list[Binding]) -> str:
        return "a is known" if bindings[0].a == "1" else ""

    def proof(self, suspect: str) -> str:
        return f"see {suspect}"


def test_a_finding_says_what_varied_and_what_to_change(
    builder: ReportBuilder, finish: Finish
) -> None:
    for name, claim in (("x", Claim("c", "1", "2")), ("y", Claim("c", "1", "2"))):
        told = (_plain(claims=(claim,)), _plain(kind="k.size", derived=True))
        node = Node(name, "f", told, producer="GCC 12")
        builder.add_node(("linux/amd64", name), node, name, True)
    (finding,) = finish(builder, diagnosis=_Known()).header["findings"]
    assert finding["title"] == "Title of c"
    assert finding["evidence"] == "1 / 2 (a is known): 2 differences in 2 files"
    assert (finding["why"], finding["fix"]) == ("Because.", "for GCC 12")
    assert finding["consequences"] == 2
    assert finding["confirmed"]


def test_a_claim_that_does_not_stand_is_a_suspicion(builder: ReportBuilder, finish: Finish) -> None:
    builder.add(("p", "x"), "f", _plain(claims=(Claim("c", "falls", "2"),)), "x", True)
    builder.add(("p", "y"), "f", _plain(suspect="s"), "y", True)
    report = finish(builder, diagnosis=_Known())
    (finding,) = report.header["findings"]
    assert finding["cause"] == "unexplained"
    assert finding["suspects"] == [
        {"cause": "c", "differences": 1, "proof": "see c"},
        {"cause": "s", "differences": 1, "proof": "see s"},
    ]
    first, second = report.differences()
    assert (first["causes"], first["suspect"], first["explained"]) == ([], "c", False)
    assert second["suspect"] == "s"


def test_what_another_file_proves_is_a_consequence(builder: ReportBuilder, finish: Finish) -> None:
    builder.add(("p", "root"), "f", _plain(), "root", True)
    builder.add(
        ("p", "sum"), "f", _plain(claims=(Claim("c", "follows", "2", "digest"),)), "s", True
    )
    report = finish(builder, diagnosis=_Known())
    _, second = report.differences()
    assert second["derived"]
    assert second["derived_from"] == ["d1"]
    assert report.header["summary"]["differences"]["derived"] == 1


@pytest.mark.parametrize(
    ("kind", "path", "where", "rung"),
    [
        ("text", "x", ("p", "layer 1", "x"), "nothing"),
        ("tar.mtime", "x", ("p", "layer 1", "x"), "contents"),
        ("tar.header", "x", ("p", "layer 1", "x"), "rootfs"),
        ("config.value", None, ("linux/amd64", "config"), "rootfs"),
        ("layer.gzip.mtime", None, ("linux/amd64", "layer 1"), "config"),
        ("index.value", None, ("index",), "manifest"),
    ],
)
def test_the_counterfactual_is_what_the_unexplained_leaves(
    builder: ReportBuilder, finish: Finish, kind: str, path: str | None, where: Route, rung: str
) -> None:
    builder.add(where, "f", _plain(kind=kind), path, True)
    told = finish(builder).header["summary"]["counterfactual"]
    assert told == {"equal_at": rung, "verified": True}


def test_without_the_unexplained_all_would_be_equal(builder: ReportBuilder, finish: Finish) -> None:
    """But it is verified only where every file that differs was."""
    found = _plain(claims=(Claim("c", "1", "2"),))
    builder.add_node(("p", "x"), Node("x", "f", (found,), verified=True), "x", True)
    told = finish(builder).header["summary"]["counterfactual"]
    assert told == {"equal_at": "manifest", "verified": True}
