"""The terminal: a screenful that says what is wrong, and no character of an image that acts."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxdiff.model import RUNGS, Claim, Difference, Problem, Value
from sxdiff.report import text, words
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.escape import escape

Finish = Callable[..., Report]

_COLOR = re.compile(r"\x1b\[[0-9;]*m")


def _lines(report: Report, **options: Any) -> list[str]:
    return "".join(text.chunks(report, **options)).splitlines()


@given(st.text())
def test_an_escaped_text_is_printable_in_ascii_or_visible(value: str) -> None:
    assert escape(value).isprintable()


@given(st.text("\\u{}5c\n\u202e a"), st.text("\\u{}5c\n\u202e a"))
def test_different_texts_never_look_alike_by_escaping(a: str, b: str) -> None:
    assert (escape(a) == escape(b)) == (a == b)


@pytest.mark.parametrize("code", [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F])
def test_bidirectional_marks_are_shown(code: int) -> None:
    assert escape(f"a{chr(code)}b") == f"a\\u{{{code:x}}}b"


@pytest.mark.parametrize(
    "value",
    [
        *"\0\t\n\x1b\x7f\x9b\xa0\xad\u200b\u2028\u3164\ufe0f\ufeff\ue000",
        *"\ud800\U000e0041\U000e0100\U0010ffff",
    ],
    ids=ascii,
)
def test_what_cannot_be_seen_is_shown(value: str) -> None:
    assert escape(value) == f"\\u{{{ord(value):x}}}"


def test_plain_text_stays_as_it_is() -> None:
    for plain in ("usr/bin/hello world", "naïve", "日本語", "\\x00 \\n", "e\u0301"):
        assert escape(plain) == plain


@pytest.mark.parametrize("verbose", [False, True])
def test_no_control_character_reaches_the_terminal(full_report: Report, verbose: bool) -> None:
    for line in _lines(full_report, verbose=verbose):
        assert line.isprintable(), line
    for line in "".join(text.chunks(full_report, verbose=verbose, color=True)).split("\n"):
        assert _COLOR.sub("", line).isprintable(), line


@pytest.mark.parametrize("verbose", [False, True])
def test_color_adds_nothing_but_color(full_report: Report, verbose: bool) -> None:
    plain = "".join(text.chunks(full_report, verbose=verbose))
    colored = "".join(text.chunks(full_report, verbose=verbose, color=True))
    assert plain != colored
    assert _COLOR.sub("", colored) == plain


def test_the_screen(full_report: Report) -> None:
    ones, twos = "1" * 64, "2" * 64
    assert (
        _lines(full_report)
        == [
            "differ: equal at nothing (manifest asked for)",
            "Files differ in content or type, or are on one side only.",
            "linux/amd64  equal at nothing",
            f"  a  sha256:{ones}",
            f"  b  sha256:{twos}",
            "",
            "8 of 24,010 files differ, 1 only in b",
            "7 of 9 differences unexplained, 2 follow from others, 38 bytes",
            "",
            "tar.mtime × 3 in 3 files, as in layer 1 › usr/share/file0",  # noqa: RUF001
            "  a  1700000000 (2023-11-14 22:13:20 UTC)",
            "  b  1700003600 (2023-11-14 23:13:20 UTC)",
            "elf.section.content in layer 1 › usr/bin/hello › .rodata",  # noqa: RUF001
            "  a  Nov 22 2026 20:14:01",
            "  b  Nov 22 2026 20:15:33",
            "and 3 more kinds: file.only_in_b 1, text.lines 1, config.created 1",
            "",
            "2 problems",
            *_lines(full_report)[18:-2],
            "",
            "-v lists every difference, --html FILE makes a page of them",
        ]
    )


def test_the_tree_has_every_difference_once(full_report: Report) -> None:
    lines = _lines(full_report, verbose=True)
    tree = lines[lines.index("linux/amd64") :]
    leaves = [line.split("  follows")[0].split("  in ")[0].split("  hidden")[0] for line in tree]
    for difference in full_report.differences():
        assert leaves.count("  " * len(difference["where"]) + difference["kind"]) >= 1
    kinds = [one["kind"] for one in full_report.differences()]
    assert sum(line.strip() in kinds for line in leaves) == len(kinds)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("asked", [*RUNGS[:-1], None])
def test_the_first_line_is_the_verdict(
    builder: ReportBuilder, finish: Finish, rung: str, asked: str | None
) -> None:
    met = asked is not None and RUNGS.index(rung) <= RUNGS.index(asked)
    first, *rest = _lines(finish(builder, options={"require": asked}, equal_at=rung, met=met))
    assert first.startswith(f"equal at {rung}: " if met else "differ: equal ")
    assert rung in first
    assert met or asked is None or f"({asked} asked for)" in first
    assert all(len(line) <= 80 for line in [first, *rest])


def test_many_things_make_one_screen(builder: ReportBuilder, finish: Finish) -> None:
    long = "very/long/" * 40
    for kind in range(60):
        for number in range(3):
            value = f"{long}{number}"
            difference = Difference(f"kind.{kind:02}", Value(value + "a"), Value(value + "b\n"))
            builder.add(("p0", "layer", long, str(number)), "f", difference, long, True)
    for number in range(50):
        builder.problem(Problem(("p0", long, str(number)), "limit", "m" * 100, "r" * 100))
    platforms: list[dict[str, Any]] = [
        {
            "platform": f"p{number}",
            "image": None,
            "equal_at": "nothing",
            "only_in": None if number % 2 else "a",
            "a": {"manifest": "sha256:" + "1" * 64, "config": None, "layers": []},
            "b": {"manifest": f"sha256:{number % 4:064}", "config": None, "layers": []},
        }
        for number in range(12)
    ]
    lines = _lines(finish(builder, platforms=platforms))
    assert len(lines) <= text.SCREEN_LINES
    assert all(len(line) <= 80 for line in lines)
    assert any(line.startswith("kind.00") for line in lines)
    assert any(line.endswith("…") and "more kinds" in line for line in lines)
    assert "  and 48 more" in lines


def test_where_two_long_values_part_stays_in_sight(builder: ReportBuilder, finish: Finish) -> None:
    head, tail = "x" * 500, "y" * 500
    builder.add(
        ("p",), "f", Difference("k", Value(f"{head}1{tail}"), Value(f"{head}2{tail}")), None, True
    )
    lines = _lines(finish(builder))
    assert any(line.startswith("  a  …") and "x1y" in line for line in lines)
    assert any(line.startswith("  b  …") and "x2y" in line for line in lines)


def test_wide_characters_count_twice(builder: ReportBuilder, finish: Finish) -> None:
    name = "日本語" * 40
    builder.add(("p", name), "f", Difference("k", Value(name), None), name, True)
    for line in _lines(finish(builder)):
        assert text._columns(line) <= 80


def test_equal_images_take_few_lines(builder: ReportBuilder, finish: Finish) -> None:
    report = finish(builder, equal_at="archive", met=True, platforms=[])
    assert _lines(report) == ["equal at archive: the two inputs are the same, byte for byte"]


@pytest.mark.parametrize(
    ("kind", "value", "date"),
    [
        ("tar.mtime", 0, "1970-01-01 00:00:00 UTC"),
        ("tar.mtime", "1700000000.5", "2023-11-14 22:13:20 UTC"),
        ("gzip.mtime", 253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ("gzip.mtime", 253_402_300_800, None),
        ("tar.mtime", -1, None),
        ("tar.mtime", "yesterday", None),
        ("tar.uid", 1000, None),
        ("elf.runtime", 7, None),
    ],
)
def test_times_have_their_date_beside(kind: str, value: int | str, date: str | None) -> None:
    assert words.date_of(kind, value) == date


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (9_999, "9,999 bytes"),
        (10_000, "10 kB"),
        (99_960, "100 kB"),
        (999_400, "999 kB"),
        (999_600, "1 MB"),
        (12_345_678, "12.3 MB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes(number: int, told: str) -> None:
    assert words.size(number) == told


Explained = Callable[..., Report]


def test_a_cause_is_a_block(explained: Explained) -> None:
    lines = _lines(explained())
    start = lines.index("Title of cause-0 [cause-0] × 2 in 2 files")  # noqa: RUF001
    told = lines[start:]
    assert told[1].startswith(r"  /build/one / /srv/evil\u{202e}txt.exe")
    assert told[2] == "  in layer 1 › usr/lib/0/0; 2 consequences with it"  # noqa: RUF001
    assert (
        told[3] == "  fix: set SOURCE_DATE_EPOCH to the time of the last change, or leave the time"
    )
    assert told[4].startswith("       out of what is shipped; ")
    assert told[4].endswith(" …")
    assert told[-1] == (
        "-v lists all, --html FILE makes a page of it, sxdiff explain CAUSE tells more"
    )
    assert "0 of 4 differences unexplained, 2 explained, 2 follow from others, 2 bytes" in lines


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("causes", [1, 2, 3, 4, 5, 6, 9, 40])
def test_any_number_of_causes_makes_one_screen(
    explained: Explained, causes: int, looks: bool
) -> None:
    lines = _lines(explained(causes, looks=looks))
    assert len(lines) <= text.SCREEN_LINES
    assert all(len(line) <= 80 for line in lines)
    heads = [line for line in lines if line.startswith("Title of ")]
    fixes = [line for line in lines if line.startswith("  fix: ")]
    assert len(heads) == len(fixes) >= min(causes, 3)
    rest = [line for line in lines if "more cause" in line]
    assert len(rest) == (len(heads) < causes)
    assert not rest or rest[0].startswith(f"and {causes - len(heads)} more cause")
    if looks:
        assert lines.index(next(line for line in lines if line.startswith("text "))) < (
            lines.index(heads[0])
        )


def test_verbose_says_why_and_where_to_read_on(explained: Explained) -> None:
    told = "\n".join(_lines(explained(12, looks=True), verbose=True))
    for number in range(12):
        assert f"Title of cause-{number} [cause-{number}]" in told
        assert f"  why: It writes __DATE__ & <i>cause-{number}</i> into what it makes." in told
    assert told.count("  see: https://example.org/b?c&d") == 12
    assert "<b>never</b> for" in told
    assert "looks like hash-order, not proved" in told
    assert "more cause" not in told


def test_what_only_looks_like_a_cause_says_what_would_show_it(explained: Explained) -> None:
    assert "  1 looks like hash-order; to see: build hash-order twice" in _lines(
        explained(looks=True)
    )


@pytest.mark.parametrize("verified", [False, True])
def test_what_would_be_without_the_causes(explained: Explained, verified: bool) -> None:
    lines = _lines(explained(verified=verified))
    seen = "verified byte by byte" if verified else "not verified byte by byte"
    assert f"Without what is explained: equal at manifest, {seen}." in lines


def test_nothing_is_said_of_what_would_be_no_better(explained: Explained) -> None:
    assert not [one for one in _lines(explained(looks=True)) if one.startswith("Without what")]


def test_the_line_of_counts_is_not_cut(builder: ReportBuilder, finish: Finish) -> None:
    for number in range(1200):
        derived = number % 2 == 0
        claims = (Claim("c"),) if number % 3 else ()
        one = Difference("k", Value(1), Value(2), bytes=9, derived=derived, claims=claims)
        builder.add(("p", f"{number}"), "f", one, None, True)
    told = next(line for line in _lines(finish(builder)) if "unexplained" in line)
    assert told == "200 of 1,200 differences unexplained, 400 explained, 600 follow from others"
