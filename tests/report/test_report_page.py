"""The page in a real browser: it loads nothing, nothing of an image acts in it, its tools work,
and it can be read by everybody."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.tar import file, symlink
from sxdiff.model import Claim, Difference, Value
from sxdiff.report import html
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.run import Options, compare
from tests.report.conftest import HOSTILE

playwright = pytest.importorskip("playwright.sync_api")

Finish = Callable[..., Report]
Open = Callable[..., Any]

_SWITCHES = (
    "--no-sandbox",  # tests may run as root, where Chromium's own sandbox does not start
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("SXDIFF_REQUIRE_TOOLS"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=[*_SWITCHES])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a report; fails if it asked for anything or complained of anything."""
    contexts = []
    trouble: list[str] = []

    def open_page(report: Report, fragment: str = "", **options: Any) -> Any:
        path = tmp_path / "report.html"
        path.write_text("".join(html.chunks(report)), encoding="utf-8")
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: _ask(request.url))
        page.goto(f"{path.as_uri()}{fragment}")
        return page

    def _ask(url: str) -> None:
        if not url.startswith("file://"):
            trouble.append(f"asked for {url}")

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.fixture
def mixed(builder: ReportBuilder, finish: Finish) -> Report:
    """Sixty files over two layers: one in ten unexplained, the others of two causes."""
    for number in range(60):
        path = f"usr/share/file-{number:02}"
        where = ("linux/amd64", f"layer {1 + number % 2}", path)
        causes = () if number % 10 == 0 else ("tar-mtime" if number % 3 else "tar-uid-gid",)
        claims = tuple(Claim(cause, "1", "2") for cause in causes)
        value = Value(f"built ``` by {number}")
        difference = Difference("text", value, Value("built"), bytes=7, claims=claims)
        builder.add(where, "text", difference, path, True)
    return finish(builder)


def _shown(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "#differences li", "all => all.filter(one => one.checkVisibility()).map(one => one.id)"
    )
    return found


def _count(page: Any) -> str:
    return str(page.evaluate("document.querySelector('#tools output').value"))


def _until(page: Any, condition: str) -> None:
    """Waits until it is so. Playwright's own way to wait runs in the page, where its policy lets
    nothing run."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never so: {condition}")


def _until_count(page: Any, count: str) -> None:
    _until(page, f"document.querySelector('#tools output').value === '{count}'")


def test_without_scripts_all_of_it_can_be_read(opened: Open, mixed: Report) -> None:
    page = opened(mixed, java_script_enabled=False)
    assert page.locator("#tools").is_hidden()
    assert page.locator("h1").inner_text().startswith("differ: ")
    assert page.locator("#differences li").count() == 60
    page.locator("#differences summary").first.click()


def test_nothing_of_an_image_acts(opened: Open, full_report: Report) -> None:
    """Names full of markup, scripts, direction marks and control characters are text."""
    page = opened(full_report)
    assert page.locator("script").count() == page.locator("style").count() == 1
    assert (
        page.locator("img, iframe, object, embed, form:not(#tools), [onclick], [style]").count()
        == 0
    )
    page.locator("#tools [name=open]").click()
    # not inner_text: what lies below the window is not laid out
    names = page.locator("#differences").text_content() or ""
    assert "<script>alert(1)</script>" in names
    assert "\\u{202e}txt.exe\\u{1b}[2J" in names
    assert not set(HOSTILE) & {"\u202e", "\x1b", "\x9b"} & set(page.content())
    page.locator("#tools [name=q]").fill("<script>")
    page.wait_for_timeout(150)
    assert _count(page).endswith(f"of {page.locator('#differences li').count()}")


_NASTY = (
    "</code></li></ul><script>alert(1)</script><img src=x onerror=alert(2)>",
    "<style>*{display:none}</style><a href=javascript:alert(3)>go</a>",
    "\u202eexe.txt\u2066 \u200b\u00ad \ufeff",
    "\x1b[2J\x9b31m\x07\r\x00",
    "]]>--><!-- {{ 7 * 7 }} {% raw %} ${7*7} &lt;b&gt; \" ' `",
)


def test_an_image_full_of_markup_makes_a_plain_page(opened: Open, tmp_path: Path) -> None:
    """Names, contents, link targets, labels and instructions that all try, and broken UTF-8."""
    sides = []
    for side in "ab":
        members = [
            file(b"broken-\xff\xfe-" + side.encode() + b"\xc3", b"\xff\xc3(" + side.encode())
        ]
        for number, text in enumerate(_NASTY):
            name = text.replace("/", "%").replace("\0", "")
            members += [
                file(f"{number}-{name}", f"{text}\n{side} {text}\n"),
                file(f"{number}-{name}.json", json.dumps({text: [text, f"{side}{text}"]})),
                symlink(f"{number}-link", f"{side}{name}"),
            ]
        labels = {text: f"{side} {text}" for text in _NASTY}
        made = replace(layer(members), created_by=" ".join(_NASTY))
        item = image([made], runtime={"Labels": labels}, annotations=labels)
        path = tmp_path / f"{side}.tar"
        path.write_bytes(oci_archive(item))
        sides.append(str(path))
    a, b = sides
    with compare(a, b, Options(), None) as report:
        page = opened(report)
    page.locator("#tools [name=open]").click()
    assert page.locator("script").count() == page.locator("style").count() == 1
    assert page.locator("main img, main style, main script, [onerror], [src]").count() == 0
    links = page.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")
    assert all(link.startswith(("#", "https://")) for link in links)
    text = page.locator("#differences").text_content()
    assert "<script>alert(1)</script>" in text
    assert "\\u{202e}exe.txt" in text
    assert "broken-\\xff\\xfe-" in text
    assert "{{ 7 * 7 }}" in text
    raw = page.content()
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00-\x08\x0b-\x1f\x7f-\x9f]", raw)


def test_filters_show_what_they_say(opened: Open, mixed: Report) -> None:
    page = opened(mixed)
    unexplained = [one["id"] for one in mixed.differences() if not one["explained"]]
    page.locator("#tools [name=state]").select_option("u")
    _until_count(page, "6 of 60")
    assert _shown(page) == unexplained
    page.locator("#tools [name=state]").select_option("")
    page.locator("#tools [name=cause]").select_option(label="tar-uid-gid")
    page.locator("#tools [name=q]").fill("FILE-2")
    expected = [
        one["id"]
        for one in mixed.differences()
        if one["causes"] == ["tar-uid-gid"] and "file-2" in one["path"]
    ]
    _until_count(page, f"{len(expected)} of 60")
    assert _shown(page) == expected
    page.locator("#tools [name=q]").fill("")
    page.locator("#tools [name=cause]").select_option("")
    page.locator("#tools [name=where]").select_option(label="linux/amd64 › layer 2")  # noqa: RUF001 - as the page parts steps
    _until_count(page, "30 of 60")
    assert len(_shown(page)) == 30


def test_a_link_survives_reloading(opened: Open, mixed: Report) -> None:
    page = opened(mixed)
    page.locator("#tools [name=state]").select_option("u")
    _until(page, "location.hash.includes('state=u')")
    page.reload()
    assert len(_shown(page)) == 6
    page.keyboard.press("n")
    first = page.evaluate("location.hash")
    assert re.fullmatch(r"#d\d+&state=u", first)
    page.keyboard.press("n")
    second = page.evaluate("location.hash")
    assert second not in ("", first)
    page.reload()
    target = second[1:].partition("&")[0]
    assert target in _shown(page)
    _until(page, f"document.getElementById('{target}').getBoundingClientRect().top >= 0")
    _until(page, f"document.getElementById('{target}').getBoundingClientRect().top < innerHeight")


def test_next_unexplained_goes_round_and_takes_the_focus(opened: Open, mixed: Report) -> None:
    page = opened(mixed)
    seen = []
    for _ in range(7):
        page.locator("#tools [name=next]").click()
        seen.append(page.evaluate("document.activeElement.closest('li').id"))
    unexplained = [one["id"] for one in mixed.differences() if not one["explained"]]
    assert seen == [*unexplained, unexplained[0]]


def test_a_difference_is_copied_as_markdown(opened: Open, mixed: Report) -> None:
    page = opened(mixed, permissions=["clipboard-read", "clipboard-write"])
    page.locator("#tools [name=open]").click()
    page.locator("#d1").hover()
    page.locator("#d1 button").click()
    _until(page, "document.querySelector('#d1 button').textContent === 'Copied'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("d1, text; ")
    # a fence that the content cannot close
    assert "\n````\nlinux/amd64 › layer 1 › usr/share/file-00\n" in copied  # noqa: RUF001 - as the page parts steps
    assert "\na: built ``` by 0\nb: built\n````\n" in copied


def test_keys_reach_the_tools(opened: Open, mixed: Report) -> None:
    page = opened(mixed)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("file-33")
    _until_count(page, "1 of 60")


@pytest.mark.parametrize(
    ("which", "width", "scheme"),
    [
        ("full_report", 360, "dark"),
        ("full_report", 1400, "light"),
        ("explained", 360, "light"),
        ("explained", 1400, "dark"),
    ],
)
def test_everybody_can_read_it(
    opened: Open, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    """axe finds nothing, and no window is too narrow."""
    report = request.getfixturevalue(which)
    if which == "explained":
        report = report(3, looks=True)
    page = opened(report, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.locator("#tools [name=open]").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    found = page.evaluate(f"() => {{ {axe}; return axe.run() }}")
    told = [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]]
    assert told == []


def test_ten_thousand_differences_load_and_filter_soon(
    opened: Open, builder: ReportBuilder, finish: Finish
) -> None:
    """The bar is a second; a machine that does other things gets some more."""
    for number in range(10_000):
        path = f"usr/lib/python3/site-packages/package_{number % 400:03}/module_{number:05}.py"
        where = ("linux/amd64", f"layer {1 + number % 3}", path)
        claims = (Claim("tar-mtime", "1", "2"),) if number % 10 else ()
        difference = Difference("tar.mtime", Value(number), Value(2), bytes=3, claims=claims)
        builder.add(where, "tar", difference, path, True)
    page = opened(finish(builder))
    page.wait_for_selector("#tools:not([hidden])")
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    took = page.evaluate(
        """() => new Promise((done) => {
            const told = document.querySelector("#tools output");
            const state = document.querySelector("#tools [name=state]");
            const before = told.value;
            const start = performance.now();
            state.value = "u";
            state.dispatchEvent(new Event("input", { bubbles: true }));
            const look = () =>
                told.value === before
                    ? setTimeout(look, 1)
                    : requestAnimationFrame(() => done(performance.now() - start));
            look();
        })"""
    )
    assert _count(page) == "1,000 of 10,000"
    assert loaded < 5000
    assert took < 3000
