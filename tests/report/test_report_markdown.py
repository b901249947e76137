"""The Markdown: fits an issue, tells what it cut, and nothing of an image becomes markup."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from sxdiff.model import Difference, Problem, Value
from sxdiff.report import markdown
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.escape import escape, inert

Finish = Callable[..., Report]
Explained = Callable[..., Report]

OURS = {"h2", "h3", "p", "ul", "li", "code", "pre", "strong", "details", "summary", "a"}
OURS |= {"table", "thead", "tbody", "tr", "th", "td"}

HOSTILE = (
    "</details></code></pre><script>alert(1)</script>",
    "`a``b```c````",
    "```\n</details>\n# head\n```",
    "a|b\\|c",
    "![x](http://example.org/x.png) [y](javascript:1) <http://example.org> www.example.org",
    "@someone @org/team #1 GH-2 owner/name#3 !4 :tada: PROJ-5 0123456789abcdef someone@example.org",
    "$x$ $`y`$ **b** ~~s~~ _e_ [^1] - [ ] &amp; \\",
    "/close\n/label ~x\n> quote\n1. one\n    code",
    "\u202egnp.exe\u2066\x1b[2J\x00\x07\ud800\u3164",
    "",
    " ",
    " padded ",
)
LINKS = re.compile(r"<https://example\.org/[ab](?:\?c&d)?>")


class _Page(HTMLParser):
    """What a forge makes of the text: elements that nest, and the text in and out of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        flags = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.code = ""
        self.plain = ""
        self.feed(cmarkgfm.github_flavored_markdown_to_html(text, flags))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.code += data
        elif "a" not in self.open:
            self.plain += data


def _is_harmless(text: str) -> _Page:
    """A forge finds no mention, reference, emoji, address or formula outside of code."""
    page = _Page(text)
    assert {*page.tags} <= OURS
    assert not re.search(r"[@#!~$&%^<>\[\]{}|*_`\\/]|\w+-\d|:\w+:|www\.|[0-9a-f]{7}", page.plain)
    assert all(line.isprintable() for line in text.split("\n"))
    links = [value for name, value in page.attributes if name == "href"]
    assert {*links} <= {"https://example.org/a", "https://example.org/b?c&d"}
    assert {name for name, _ in page.attributes} <= {"href", "lang"}
    return page


def _hostile(builder: ReportBuilder, finish: Finish) -> Report:
    for number, text in enumerate(HOSTILE):
        where = ("linux/amd64", "layer 1", text or "x", text or "y")
        sides = Value(f"{text}1"), Value(f"{text}2")
        builder.add(
            where,
            "f",
            Difference(f"k{text}".replace("\ud800", ""), *sides, symbol=text),
            text,
            True,
        )
        diff = f"--- a\n+++ b\n@@ -1 +1 @@\n-{text}1\n+{text}2\n"
        builder.add(where, "f", Difference(f"l{number}", *sides, diff=diff), text, True)
        builder.problem(Problem(where, "limit", f"odd {text}", f"read {text}"))
    report = finish(builder)
    for one in report.header["platforms"]:
        one["platform"] = HOSTILE[3]
    for one in report.header["inputs"]:
        one["name"] = HOSTILE[1]
    return report


@pytest.mark.parametrize("form", [markdown.chunks, markdown.summary])
def test_hostile_names_make_no_markup(
    builder: ReportBuilder, finish: Finish, form: Callable[[Report], list[str]]
) -> None:
    _is_harmless("".join(form(_hostile(builder, finish))))


def test_hostile_names_are_told_whole(builder: ReportBuilder, finish: Finish) -> None:
    page = _is_harmless("".join(markdown.chunks(_hostile(builder, finish))))
    for text in HOSTILE[:8]:
        for line in text.split("\n"):
            assert escape(line) in page.code


@pytest.mark.parametrize("form", [markdown.chunks, markdown.summary])
def test_hostile_words_of_a_report_make_no_markup(
    explained: Explained, form: Callable[[Report], list[str]]
) -> None:
    report = explained(2, looks=True)
    finding = report.header["findings"][1]
    for text in HOSTILE:
        finding |= {"cause": text, "title": text, "fix": text, "why": text, "evidence": text}
        finding["references"] = [text, "javascript:alert(1)", "https://example.org/a"]
        report.header["accepted"] = [{"cause": text, "path": text, "reason": text, "expired": True}]
        _is_harmless("".join(form(report)))


@given(st.text(min_size=1).filter(str.strip))
def test_a_code_span_tells_any_text_and_ends_where_it_should(text: str) -> None:
    page = _Page(f"x {markdown.code(text)} y")
    assert page.code == escape(text)
    assert page.plain == "x  y\n"


@given(st.lists(st.text(), min_size=1))
def test_a_code_block_tells_any_lines_and_ends_where_it_should(lines: list[str]) -> None:
    page = _Page(f"x\n\n{markdown.block(lines)}\n\ny")
    assert page.code == "\n".join(inert(escape(line)) for line in lines) + "\n"
    assert page.tags == ["p", "pre", "code", "p"]


@given(st.text(alphabet=st.sampled_from("aB1 `@#:$_*<>()[]-~!/\\.,;\u202e\n")))
def test_prose_tells_its_words_and_no_markup(text: str) -> None:
    page = _is_harmless(f"**Fix:** {markdown.prose(text)}")
    assert page.tags[:2] == ["p", "strong"]
    assert {*page.tags[2:]} <= {"code"}


def test_words_of_a_fix_stay_as_they_are() -> None:
    told = markdown.prose(
        "set A_B to one (gcc 8 and later), or -f=$PWD=. or assert() (-x), then go"
    )
    assert told == (
        "set `A_B` to one (gcc 8 and later), or `-f=$PWD=.` or `assert()` (`-x`), then go"
    )


def test_it_tells_verdict_digests_values_and_problems(full_report: Report) -> None:
    page = _is_harmless("".join(markdown.chunks(full_report)))
    assert page.plain.startswith("sxdiff: differ: equal at nothing (manifest asked for)\n")
    for told in (
        "sha256:" + "1" * 64,
        "sha256:" + "2" * 64,
        "1700003600 (2023-11-14 23:13:20 UTC)",
    ):
        assert told in page.code
    for told in ("-ID=1", "main.c:12", "build_date", "usr/share/file0"):
        assert told in page.code
    assert "read as bytes" in page.plain
    assert page.tags.count("details") == 1


def test_it_tells_what_would_be(explained: Explained) -> None:
    report = explained()
    for form in (markdown.chunks, markdown.summary):
        page = _is_harmless("".join(form(report)))
        assert "Without what is explained: equal at manifest, verified" in page.plain


def test_a_cause_has_what_varied_why_fix_and_links(explained: Explained) -> None:
    page = _is_harmless("".join(markdown.chunks(explained(1, files=30, looks=True))))
    assert "Why: It writes" in page.plain.replace("\n", " ")
    assert "/build/one / /srv/evil" in page.code
    assert "SOURCE_DATE_EPOCH" in page.code
    assert page.tags.count("a") == 2
    assert "1 looks like , not proved. To see: build" in page.plain
    assert "usr/lib/0/26" in page.code
    assert "and 10 more places" in page.plain


def test_the_summary_has_no_examples(explained: Explained) -> None:
    report = explained(3, looks=True)
    text = "".join(markdown.summary(report))
    page = _is_harmless(text)
    assert "pre" not in page.tags
    assert "details" not in page.tags
    assert page.code.count("SOURCE_DATE_EPOCH") == 3
    assert len(text) < len("".join(markdown.chunks(report)))


def _measured(text: str) -> int:
    """The most that a forge could count: UTF-16, with the line ends of a form."""
    return len(text.replace("\n", "\r\n").encode("utf-16-le")) // 2


def test_a_long_report_fits_an_issue_and_says_what_is_cut(
    builder: ReportBuilder, explained: Explained
) -> None:
    for number in range(60):
        value = "\U0001f600" * 500
        difference = Difference(f"kind{number}", Value(value + "1"), Value(value + "2"))
        builder.add(("linux/amd64", "layer 1", f"f{number}"), "f", difference, f"f{number}", True)
    report = explained(400)
    text = "".join(markdown.chunks(report))
    assert 50_000 < _measured(text) <= 65_536
    page = _is_harmless(text)
    told = re.search(r"Left out here, for it would be too long: (\d+) sections", page.plain)
    assert told
    assert int(told[1]) + page.tags.count("h3") == len(report.header["findings"])
    assert "Left out here" not in "".join(markdown.summary(report))


def test_many_platforms_are_cut_and_told(builder: ReportBuilder, finish: Finish) -> None:
    report = finish(builder)
    (one,) = report.header["platforms"]
    report.header["platforms"] = [one | {"platform": f"p{n}" + "\u4e00" * 900} for n in range(70)]
    text = "".join(markdown.chunks(report))
    assert _measured(text) <= 65_536
    assert "and 20 more platforms" in text


def test_equal_images_are_told_as_equal(builder: ReportBuilder, finish: Finish) -> None:
    report = finish(builder, equal_at="manifest", met=True)
    for form in (markdown.chunks, markdown.summary):
        page = _is_harmless("".join(form(report)))
        assert page.plain.startswith("sxdiff: equal at manifest")
        assert "h3" not in page.tags


def test_what_is_accepted_is_told(explained: Explained) -> None:
    report = explained(1)
    for form in (markdown.chunks, markdown.summary):
        assert "accepted" not in "".join(form(report)).lower()
    differences = [{**one, "accepted": True} for one in report.differences()]
    told = Report(
        report.header
        | {
            "accepted": [{"cause": "cause-0", "path": "usr/*", "reason": "known", "expired": False}]
        },
        differences.__iter__,
        report.examples,
    )
    for form in (markdown.chunks, markdown.summary):
        page = _is_harmless("".join(form(told)))
        assert "2 differences in 2 files, all accepted" in page.plain
        assert "Accepted: 1" in page.plain


def test_a_report_gives_the_same_bytes_again(full_report: Report) -> None:
    assert [*markdown.chunks(full_report)] == [*markdown.chunks(full_report)]
