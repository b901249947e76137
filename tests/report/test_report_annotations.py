"""The workflow commands, read as the runner of forge actions reads them."""

import re
from collections.abc import Callable
from typing import NamedTuple

from sxdiff.model import Difference, Value
from sxdiff.report import annotations, words
from sxdiff.report.build import Report, ReportBuilder

Finish = Callable[..., Report]
Explained = Callable[..., Report]

LAYER = ("linux/amd64", "layer 1")
HOSTILE = (
    "::error::x\n::set-env name=PATH::x\r\n##[add-path]x,line=1%0A::stop-commands::t\u2028\u202e"
)


class _Command(NamedTuple):
    level: str
    properties: dict[str, str]
    message: str


def _read(report: Report) -> list[_Command]:
    """As the runner does: a command a line, whose properties end at `::`, then unescaped."""
    text = "".join(annotations.chunks(report))
    assert text.endswith("\n")
    lines = re.split(r"\r\n|[\n\r\v\f\x85\u2028\u2029]", text.removesuffix("\n"))
    return [_command(line) for line in lines]


def _command(line: str) -> _Command:
    assert line.startswith("::")
    head, message = line[2:].split("::", 1)
    level, properties = head.split(" ", 1)
    pairs = dict(one.split("=", 1) for one in properties.split(","))
    return _Command(level, {name: _plain(value) for name, value in pairs.items()}, _plain(message))


def _plain(text: str) -> str:
    for escaped, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, plain)
    return text


def test_unexplained_kinds_are_errors_with_an_example(full_report: Report) -> None:
    commands = _read(full_report)
    assert {one.level for one in commands} == {"error"}
    verdict, *rest = commands
    assert verdict.message.startswith("differ: equal at nothing (manifest asked for)")
    assert len(rest) == len(full_report.header["findings"][0]["kinds"])
    rodata = next(one for one in rest if "elf.section.content" in one.properties["title"])
    assert rodata.properties["file"] == "usr/bin/hello"
    assert "a: Nov 22 2026 20:14:01\nb: Nov 22 2026 20:15:33" in rodata.message


def test_causes_are_warnings_with_their_fix(explained: Explained) -> None:
    levels = [(one.level, one.properties["title"]) for one in _read(explained(2, looks=True))]
    assert levels == [
        ("error", "sxdiff"),
        ("error", "unexplained: text"),
        ("warning", "Title of cause-0 [cause-0]"),
        ("warning", "Title of cause-1 [cause-1]"),
    ]


def test_a_warning_tells_what_varied_and_the_fix(explained: Explained) -> None:
    warning = _read(explained(1))[1]
    assert f"2 differences, as in layer 1{words.STEP}usr/lib/0/0" in warning.message
    assert "fix: set SOURCE_DATE_EPOCH to the time" in warning.message


def test_a_verdict_as_asked_for_is_one_notice(explained: Explained) -> None:
    (notice,) = _read(explained(2, looks=True, equal_at="manifest", met=True))
    assert notice.level == "notice"
    assert notice.message.startswith("equal at manifest")


def test_no_text_of_an_image_starts_a_command(builder: ReportBuilder, finish: Finish) -> None:
    sides = Value(HOSTILE + "1"), Value(HOSTILE + "2")
    builder.add((*LAYER, HOSTILE), "f", Difference("kind", *sides), HOSTILE, True)
    report = finish(builder)
    text = "".join(annotations.chunks(report))
    assert all(one.isprintable() and one.startswith("::error ") for one in text.splitlines())
    _, error = _read(report)
    assert error.properties.keys() == {"file", "title"}
    assert error.properties["file"].startswith(r"::error::x\u{a}::set-env name=PATH::x\u{d}")
    assert "line=1%0A::stop-commands" in error.properties["file"]


def test_ten_of_a_level_and_the_last_tells_the_rest(
    builder: ReportBuilder, explained: Explained
) -> None:
    for number in range(30):
        difference = Difference(f"kind{number:02}", Value("1"), Value("2"))
        builder.add((*LAYER, f"f{number}"), "f", difference, f"f{number}", True)
    commands = _read(explained(40))
    assert [one.level for one in commands] == ["error"] * 10 + ["warning"] * 10
    assert commands[9].message.startswith("and 22 more: kind08, kind09, ")
    assert commands[19].message.startswith("and 31 more: cause-17, ")


def test_exactly_ten_are_all_told(explained: Explained) -> None:
    commands = _read(explained(10))
    assert [one.level for one in commands] == ["error"] + ["warning"] * 10
    assert "more" not in commands[-1].message.split(":")[0]


def test_what_is_accepted_is_no_error(explained: Explained) -> None:
    report = explained(2, looks=True)
    differences = [{**one, "accepted": "cause-0" in one["causes"]} for one in report.differences()]
    told = Report(report.header, differences.__iter__, report.examples)
    assert [one.properties["title"] for one in _read(told)] == [
        "sxdiff",
        "unexplained: text",
        "Title of cause-1 [cause-1]",
    ]


def test_a_report_gives_the_same_bytes_again(full_report: Report) -> None:
    assert [*annotations.chunks(full_report)] == [*annotations.chunks(full_report)]
