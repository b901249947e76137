"""The in-toto Statement: what the framework asks of one, and what sxdiff states."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from sxdiff.model import InputError
from sxdiff.report import attest
from sxdiff.report.build import Report, ReportBuilder

Finish = Callable[..., Report]
Explained = Callable[..., Report]


def _statement(report: Report) -> Any:
    """A statement as the in-toto Attestation Framework v1 says it must be."""
    text = "".join(attest.chunks(report))
    assert text.isascii()
    statement = json.loads(text)
    assert text == json.dumps(statement, indent=2, sort_keys=True) + "\n"
    # spec/v1/statement.md
    assert statement.keys() == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert re.fullmatch(r"urn:[a-z0-9][a-z0-9-]+:\S+", statement["predicateType"])
    assert statement["subject"]
    names = [one["name"] for one in statement["subject"]]
    assert len({*names}) == len(names)
    for one in statement["subject"]:
        # spec/v1/digest_set.md: lower-case hexadecimal digits
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in one["digest"].values())
        assert one["digest"].keys() == {"sha256"}
    return statement


def test_the_subject_is_the_manifests_of_both_sides(full_report: Report) -> None:
    assert _statement(full_report)["subject"] == [
        {"name": "a: linux/amd64", "digest": {"sha256": "1" * 64}},
        {"name": "b: linux/amd64", "digest": {"sha256": "2" * 64}},
    ]


def test_it_states_verdict_tool_options_and_findings(explained: Explained) -> None:
    report = explained(1, looks=True, equal_at="contents")
    predicate = _statement(report)["predicate"]
    assert predicate["equal_at"] == "contents"
    assert predicate["met"] is False
    assert predicate["tool"] == report.header["tool"]
    assert predicate["options"]["require"] == "manifest"
    assert predicate["summary"] == report.header["summary"]
    assert [
        (one["cause"], one["confirmed"], one["differences"]) for one in predicate["findings"]
    ] == [
        ("unexplained", False, 1),
        ("cause-0", True, 2),
    ]
    (platform,) = predicate["platforms"]
    assert platform["a"] == {"manifest": f"sha256:{'1' * 64}", "config": f"sha256:{'1' * 64}"}


def test_equal_images_are_stated_as_equal(builder: ReportBuilder, finish: Finish) -> None:
    predicate = _statement(finish(builder, equal_at="manifest", met=True))["predicate"]
    assert (predicate["equal_at"], predicate["met"]) == ("manifest", True)
    assert predicate["findings"] == []


def test_without_a_manifest_the_config_is_stated_and_else_the_file(
    builder: ReportBuilder, finish: Finish
) -> None:
    report = finish(builder)
    report.header["platforms"][0]["a"]["manifest"] = None
    report.header["platforms"][0]["b"] = {"manifest": None, "config": None, "layers": []}
    assert _statement(report)["subject"] == [
        {"name": "a: linux/amd64", "digest": {"sha256": "1" * 64}},
        {"name": "b: b.tar", "digest": {"sha256": "b" * 64}},
    ]


def test_nothing_is_stated_of_what_has_no_digest(builder: ReportBuilder, finish: Finish) -> None:
    report = finish(builder, platforms=[])
    report.header["inputs"][1]["sha256"] = None
    with pytest.raises(InputError, match=r"nothing to attest: b\.tar"):
        "".join(attest.chunks(report))


def test_names_are_exact_and_none_of_them_acts(builder: ReportBuilder, finish: Finish) -> None:
    name = "linux/\u202e\x1b[2J"
    report = finish(builder)
    report.header["platforms"][0]["platform"] = name
    assert _statement(report)["subject"][0]["name"] == f"a: {name}"
    assert all(one.isprintable() for one in "".join(attest.chunks(report)).split("\n"))


def test_what_is_accepted_is_stated(explained: Explained) -> None:
    report = explained(1)
    report.header["accepted"] = [{"cause": "cause-0", "path": "usr/*", "reason": "known"}]
    (one,) = _statement(report)["predicate"]["accepted"]
    assert (one["cause"], one["path"], one["reason"]) == ("cause-0", "usr/*", "known")
