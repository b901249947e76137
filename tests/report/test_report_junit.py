"""The JUnit XML: valid by the schema of the xUnit plugin of Jenkins, and nothing in it acts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema

from sxdiff.model import Difference, Value
from sxdiff.report import junit
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.read import reading

Finish = Callable[..., Report]
Explained = Callable[..., Report]
Run = Callable[[Report], ElementTree.Element]

REPORTS = Path(__file__).parent.parent.parent / "reports"
LAYER = ("linux/amd64", "layer 1")
HOSTILE = "evil\u202e\x1b[2J\x00\ufffe]]></failure><x a=\"'&quot;\ud800"


@pytest.fixture(scope="session")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(Path(__file__).parent / "schemas" / "junit-10.xsd"))


@pytest.fixture
def read(schema: xmlschema.XMLSchema) -> Run:
    """The document, valid and with right counts."""

    def checked(report: Report) -> ElementTree.Element:
        text = "".join(junit.chunks(report))
        schema.validate(text)
        root = ElementTree.fromstring(text)  # noqa: S314 - it is ours
        for suite in root:
            cases = suite.findall("testcase")
            assert int(suite.attrib["tests"]) == len(cases)
            assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
            assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
            names = [case.attrib["name"] for case in cases]
            assert len({*names}) == len(names)
        return root

    return checked


def _results(root: ElementTree.Element) -> list[tuple[str, str, str]]:
    """(suite, case, tag of its result) of all cases."""
    return [
        (case.attrib["classname"], case.attrib["name"], case[0].tag if len(case) else "")
        for case in root.iter("testcase")
    ]


def test_a_suite_a_platform_and_a_case_a_directory(full_report: Report, read: Run) -> None:
    root = read(full_report)
    amd64 = "linux/amd64"
    results = _results(root)
    assert results[:2] == [
        ("image", "equal at manifest", "failure"),
        (amd64, "equal at manifest", "failure"),
    ]
    assert {tag for _, _, tag in results} == {"failure"}
    names = {name for suite, name, _ in results[2:] if suite == amd64}
    assert {"config", "/etc", "/usr/bin", "/usr/share"} < names
    assert len(names) == 5  # and that of the hostile name, which has a slash
    share = root.find(".//testcase[@name='/usr/share']/failure")
    assert share is not None
    assert share.attrib == {"message": "3 places: unexplained", "type": "unexplained"}
    assert "a: 1700000000 (2023-11-14 22:13:20 UTC)" in (share.text or "")


def test_nothing_in_it_is_a_time(full_report: Report, read: Run) -> None:
    for element in read(full_report).iter():
        assert not {"time", "timestamp", "hostname"} & {*element.attrib}


def test_equal_images_pass(builder: ReportBuilder, finish: Finish, read: Run) -> None:
    report = finish(builder, equal_at="manifest", met=True)
    report.header["platforms"][0]["equal_at"] = "manifest"
    assert _results(read(report)) == [
        ("image", "equal at manifest", ""),
        ("linux/amd64", "equal at manifest", ""),
    ]


def test_a_platform_that_is_equal_passes_beside_one_that_is_not(
    builder: ReportBuilder, finish: Finish, read: Run
) -> None:
    report = finish(builder)
    (one,) = report.header["platforms"]
    report.header["platforms"] = [
        one,
        one | {"platform": "linux/arm64", "equal_at": "index"},
        one | {"platform": "linux/s390x", "only_in": "a", "b": None},
    ]
    assert _results(read(report)) == [
        ("image", "equal at manifest", "failure"),
        ("linux/amd64", "equal at manifest", "failure"),
        ("linux/arm64", "equal at manifest", ""),
        ("linux/s390x", "equal at manifest", "failure"),
    ]


def test_what_does_not_matter_for_the_verdict_passes_and_is_told(
    explained: Explained, read: Run
) -> None:
    root = read(explained(1, looks=True, equal_at="contents", met=True))
    assert {tag for _, _, tag in _results(root)} == {"", "system-out"}
    told = root.find(".//testcase[@name='/usr/lib']/system-out")
    assert told is not None
    assert "cause-0: 1 difference in" in (told.text or "")


@pytest.mark.parametrize(
    ("accepted", "tag"), [({"cause-0"}, "failure"), ({"cause-0", "cause-1"}, "skipped")]
)
def test_what_is_accepted_is_skipped(
    explained: Explained, read: Run, accepted: set[str], tag: str
) -> None:
    report = explained(2, looks=True)
    differences = [
        {**one, "accepted": bool(accepted & {*one["causes"]})} for one in report.differences()
    ]
    told = Report(report.header, differences.__iter__, report.examples)
    assert _results(read(told)) == [
        ("image", "equal at manifest", "failure"),
        ("linux/amd64", "equal at manifest", "failure"),
        ("linux/amd64", "/etc", "failure"),
        ("linux/amd64", "/usr/lib", tag),
    ]


def test_a_platform_whose_differences_are_all_accepted_passes(
    explained: Explained, read: Run
) -> None:
    report = explained(1)
    differences = [{**one, "accepted": True} for one in report.differences()]
    told = Report(report.header, differences.__iter__, report.examples)
    assert _results(read(told)) == [
        ("image", "equal at manifest", "failure"),
        ("linux/amd64", "equal at manifest", ""),
        ("linux/amd64", "/usr/lib", "skipped"),
    ]


def test_hostile_names_are_text(builder: ReportBuilder, finish: Finish, read: Run) -> None:
    sides = Value(HOSTILE + "1"), Value(HOSTILE + "2")
    path = f"{HOSTILE}/f"
    builder.add((*LAYER, path), "f", Difference("kind", *sides), path, True)
    report = finish(builder)
    report.header["platforms"][0]["image"] = None
    root = read(report)
    assert {element.tag for element in root.iter()} == {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
    }
    text = "".join(junit.chunks(report))
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"evil\u{202e}\u{1b}[2J\u{0}\u{fffe}]]&gt;&lt;/failure&gt;" in text


def test_directories_and_places_are_bounded_and_the_rest_is_told(
    builder: ReportBuilder, finish: Finish, read: Run, monkeypatch: Any
) -> None:
    monkeypatch.setattr(junit, "CASES_TOLD", 3)
    monkeypatch.setattr(junit, "PLACES_TOLD", 2)
    for number in range(7):
        path = f"d{number}/f"
        builder.add((*LAYER, path), "f", Difference("k", Value("1"), Value("2")), path, True)
    root = read(finish(builder))
    names = [name for _, name, _ in _results(root)][2:]
    assert names == ["/d0", "/d1", "/d2", "other directories"]
    others = root.find(".//testcase[@name='other directories']/failure")
    assert others is not None
    assert others.attrib["message"] == "4 places: unexplained"
    assert (others.text or "").endswith("and 2 more places")


@pytest.mark.parametrize("name", ["stagex-shaped", "multi-arch-one-differs", "docker-archive"])
def test_a_real_report_is_valid(name: str, tmp_path: Path, read: Run) -> None:
    with reading(str(REPORTS / name / "report.json"), str(tmp_path)) as report:
        read(report)


def test_a_report_gives_the_same_bytes_again(full_report: Report) -> None:
    assert [*junit.chunks(full_report)] == [*junit.chunks(full_report)]
