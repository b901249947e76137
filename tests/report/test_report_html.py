"""The page: whole without the network, and an image cannot make it do anything."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest

from sxdiff.model import Claim, Difference, Value
from sxdiff.report import html
from sxdiff.report.build import Report, ReportBuilder

Finish = Callable[..., Report]

_VOID = {"meta", "br", "input", "col"}


class _Page(HTMLParser):
    """Checks that elements nest, and keeps tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.style = ""
        self.script = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        elif self.open and self.open[-1] == "script":
            self.script += data
        else:
            self.text += data


@pytest.fixture
def page(full_report: Report) -> str:
    return "".join(html.chunks(full_report))


def test_the_page_nests_and_loads_nothing(page: str) -> None:
    parsed = _Page(page)
    assert not {"img", "link", "iframe", "object", "embed", "base"} & {*parsed.tags}
    assert parsed.tags.count("script") == parsed.tags.count("style") == 1
    names = {name for name, _ in parsed.attributes}
    assert not {"src", "style", "srcset", "action", "formaction"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "url(" not in parsed.style
    assert "@import" not in parsed.style


def test_links_go_to_places_in_the_page_that_are_there(page: str) -> None:
    attributes = _Page(page).attributes
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len({*ids})
    links = {value for name, value in attributes if name == "href"}
    assert {f"#{one}" for one in ids} >= links


def test_the_policy_allows_just_the_one_style_and_the_one_script(page: str) -> None:
    parsed = _Page(page)
    style, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (parsed.style, parsed.script)
    )
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1] == (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}';"
        " base-uri 'none'; form-action 'none'"
    )
    assert page.index(policy[0]) < page.index("<style")


def test_hostile_names_are_shown_and_do_nothing(page: str) -> None:
    assert page.count("<script") == 1
    assert re.fullmatch(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*", page)
    text = _Page(page).text
    assert r"evil\u{202e}txt.exe\u{1b}[2J\u{a}<script>alert(1)</script>\u{9b}\u{2066}'" in text


def test_the_page_tells_verdict_digests_values_and_problems(page: str) -> None:
    text = _Page(page).text
    for told in (
        "differ: equal at nothing (manifest asked for)",
        "sha256:" + "1" * 64,
        "sha256:" + "2" * 64,
        "1700003600 (2023-11-14 23:13:20 UTC)",
        "build_date",
        "main.c:12",
        "too deep; compared as bytes",
        "hidden by an upper layer",
        "ID=1",
    ):
        assert told in text


def test_every_difference_has_its_place(full_report: Report, page: str) -> None:
    ids = [value for name, value in _Page(page).attributes if name == "id"]
    told = [value for value in ids if value and re.fullmatch(r"d\d+", value)]
    assert told == [one["id"] for one in full_report.differences()]


@pytest.fixture
def large(builder: ReportBuilder, finish: Finish) -> Iterator[Report]:
    for number in range(30):
        difference = Difference(f"k{number}", Value("v" * 50_000), Value(number))
        builder.add(("p", f"f{number:02}"), "f", difference, f"f{number:02}", True)
    return iter([finish(builder)])


def test_the_tree_is_cut_and_says_so_but_findings_are_whole(large: Iterator[Report]) -> None:
    report = next(large)
    page = "".join(html.chunks(report))
    whole = _Page(page)
    assert len([name for name, value in whole.attributes if name == "id" and _is_id(value)]) == 30
    assert "48,000 characters left out" in whole.text
    without_tree = len("".join(html.chunks(report, size=0)).encode())
    size = (without_tree + len(page.encode())) // 2
    page = "".join(html.chunks(report, size=size))
    assert without_tree < len(page.encode()) <= size
    parsed = _Page(page)
    shown = [name for name, value in parsed.attributes if name == "id" and _is_id(value)]
    assert 0 < len(shown) < 25
    assert f"{30 - len(shown)} of the unexplained are left out" in parsed.text
    assert all(f"k{number}" in parsed.text for number in range(30))


def _is_id(value: str | None) -> bool:
    return value is not None and re.fullmatch(r"d\d+", value) is not None


def test_what_is_unexplained_has_room_before_what_is_explained(
    builder: ReportBuilder, finish: Finish
) -> None:
    for number in range(200):
        claims = () if number == 150 else (Claim("tar-mtime", "1", "2"),)
        difference = Difference("tar.mtime", Value(1), Value(2), bytes=1, claims=claims)
        builder.add(("p", f"f{number:03}"), "tar", difference, f"f{number:03}", True)
    report = finish(builder)
    least = len("".join(html.chunks(report, size=0)).encode())
    page = "".join(html.chunks(report, size=least + 20_000))
    assert '<li id="d151" class="u' in page
    assert '<li id="d200" class="e' not in page
    assert len(page.encode()) <= least + 20_000


def test_a_deep_tree_exhausts_no_stack(builder: ReportBuilder, finish: Finish) -> None:
    route = tuple(map(str, range(3000)))
    for depth in (*range(1, 3000, 3), 3000):
        difference = Difference("k", Value(1), Value(2))
        builder.add(route[:depth], "f", difference, None, True)
    page = "".join(html.chunks(finish(builder)))
    assert _Page(page).tags.count("details") > 990


def test_equal_images_make_a_page_too(builder: ReportBuilder, finish: Finish) -> None:
    page = "".join(html.chunks(finish(builder, equal_at="manifest", met=True)))
    assert "equal at manifest" in _Page(page).text
    assert "The images do not differ." in page


def test_a_cause_has_its_card(explained: Callable[..., Report]) -> None:
    page = "".join(html.chunks(explained(2, looks=True)))
    parsed = _Page(page)
    for told in (
        "Title of cause-1",
        "cause-1",
        "explained",
        "/build/one",
        "/srv/evil",
        "2 consequences with it",
        "It writes __DATE__ & <i>cause-1</i> into what it makes.",
        "<b>never</b> for times",
        "1 difference looks like hash-order, not proved. To see: build hash-order twice.",
    ):
        assert told in parsed.text
    assert parsed.tags.count("script") == 1


def test_only_references_of_causes_are_links(explained: Callable[..., Report]) -> None:
    parsed = _Page("".join(html.chunks(explained(2))))
    links = [value or "" for name, value in parsed.attributes if name == "href"]
    assert [link for link in links if not link.startswith("#")] == [
        "https://example.org/a",
        "https://example.org/b?c&d",
    ] * 2
    assert parsed.tags.count("a") == len(links)


@pytest.mark.parametrize("verified", [False, True])
def test_the_page_says_what_would_be(explained: Callable[..., Report], verified: bool) -> None:
    told = _Page("".join(html.chunks(explained(verified=verified)))).text
    assert "Without what is explained: equal at manifest" in told
    assert ("not verified byte by byte" in told) != verified


def _layers(report: Report, **of: object) -> None:
    """Says so of the layers of both sides."""
    for side in "ab":
        report.header["platforms"][0][side]["layers"][0] |= of


def test_where_in_a_layer_members_differ(full_report: Report) -> None:
    """One strip where both sides are the same; none where an old report does not say."""
    told = "where members that differ lie in the layer"
    assert told not in "".join(html.chunks(full_report))
    _layers(full_report, unpacked=10_000, touched=[[2_000, 1_000]])
    page = "".join(html.chunks(full_report))
    assert page.count(told) == 1
    assert '<rect class="t" x="200" width="100" height="12">' in page
    full_report.header["platforms"][0]["b"]["layers"][0]["touched"] = [[0, 1_000]]
    page = "".join(html.chunks(full_report))
    assert [page.count(f"{told} of {side}") for side in "ab"] == [1, 1]
