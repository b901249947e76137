"""The files around the program say what is true."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import sxdiff
from fixtures.__main__ import SUMS, TRY, TRY_CASE, sums
from fixtures.recipes import CASES
from sxdiff.model import RUNGS
from tests.formats_page import PAGE, page

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SKIPPED = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if not SKIPPED & set(path.relative_to(ROOT).parts)
)


def test_readme_commands_exist() -> None:
    verbs = set(re.findall(r"\./dev (\w+)", README.read_text()))
    assert {"try", "test"} <= verbs
    script = (ROOT / "dev").read_text()
    for verb in verbs:
        assert re.search(rf"^    {verb}\)$", script, re.MULTILINE), verb


def test_readme_shows_the_report_of_the_pair_to_try() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from sxdiff.cli import main; main()", TRY / "a.tar", TRY / "b.tar"],
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    assert run.returncode == 1, run.stderr.decode()
    shown = re.search(
        r"^<!-- report: begin .*?^```\n(.*?)^```\n", README.read_text(), re.MULTILINE | re.DOTALL
    )
    assert shown
    assert shown[1] == run.stdout.decode(), "./dev reports writes it anew"


def test_the_page_of_formats_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "./dev reports writes it anew"


@pytest.mark.parametrize("script", ["dev", ".ci/run"])
def test_scripts_parse(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    shell = "sh" if script == "dev" else "bash"
    subprocess.run([shell, "-n", ROOT / script], check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for target in _links(page.read_text()):
        path, _, anchor = target.partition("#")
        other = page.parent / path if path else page
        assert other.exists(), target
        if anchor and other.suffix == ".md":
            assert anchor in set(_anchors(other.read_text())), target


def _links(text: str) -> Iterator[str]:
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


def _anchors(text: str) -> Iterator[str]:
    """Names of the headings as code hosts make them."""
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def test_changelog_tells_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[?{re.escape(sxdiff.__version__)}\b", changelog, re.MULTILINE)


def test_license_is_the_one_that_is_said() -> None:
    assert _project()["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text


def test_lock_covers_what_the_project_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
        *project["build-system"]["requires"],
    ]
    lock = (ROOT / "requirements.lock").read_text()
    for requirement in wanted:
        name = re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")
        assert re.search(rf"^{re.escape(name)}==\S+", lock, re.MULTILINE), name
    # where packages come from is the user's own setting
    assert "://" not in lock
    assert not re.search(r"^--", lock, re.MULTILINE)


def test_no_file_names_the_machine_it_was_written_on() -> None:
    try:
        listed = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    places = {str(ROOT).encode(), os.path.expanduser("~").encode()}
    # a short place such as /root occurs in images that the tests make
    places = {place for place in places if place.count(b"/") > 1}
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            data = path.read_bytes()
            assert not any(place in data for place in places), name


def test_fixtures_are_built_byte_for_byte() -> None:
    assert sums() == SUMS.read_text()


def test_fixtures_are_small_and_named() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    for case in CASES:
        assert case.equal_at in RUNGS, case.name
        a, b = case.build()
        assert len(a) + len(b) < 100_000, case.name
        assert (a == b) == (case.equal_at == "archive"), case.name


def test_the_pair_to_try_is_the_recipes() -> None:
    (case,) = (case for case in CASES if case.name == TRY_CASE)
    assert case.build() == ((TRY / "a.tar").read_bytes(), (TRY / "b.tar").read_bytes())
