"""Texts that repeat one thing take time in proportion to their length, not to its square."""

from collections.abc import Iterator

import pytest

from bench.fuzz.targets import Target, bounded, run
from sxdiff.causes.catalogue import CAUSES
from sxdiff.causes.cause import Site, Tokens
from sxdiff.causes.diagnose import LONGEST, LONGEST_PATH, diagnose, suspect

FINDERS = {cause.tokens: cause.id for cause in reversed(CAUSES)}
UNITS = ("a", "0", " ", "/", ",", "a,", "\n", "a\n", "../", "=> ", "12:34:56 ", "tmp/a/", "a=")
ONCE_SQUARE = [
    ("kernel-banner", "12:34:56 "),
    ("oci-history-created-by", "12:34:56 "),
    ("temp-residue", "tmp/a/"),
    ("man-db-index-mtime", "=> "),
    ("npm-hidden-lockfile", "../"),
    ("interpreter-artifact-path", "/"),
    ("system-cache-order", ","),
    ("system-cache-order", "a,"),
]
"""Finders that took a time that grew with the square."""


@pytest.fixture(autouse=True)
def within_bounds() -> Iterator[None]:
    with bounded():
        yield


def find(tokens: Tokens, text: str, seconds: int) -> None:
    run(Target("", lambda _: [None for _ in tokens(text)].clear(), seconds=seconds), b"")


@pytest.mark.parametrize(("name", "unit"), ONCE_SQUARE)
def test_the_longest_text_is_looked_through(name: str, unit: str) -> None:
    for cause in CAUSES:
        if cause.id == name:
            find(cause.tokens, unit * (LONGEST // len(unit)), 5)


@pytest.mark.parametrize("unit", UNITS)
def test_every_cause_looks_through_a_long_text(unit: str) -> None:
    for tokens in FINDERS:
        find(tokens, unit * (LONGEST // 16 // len(unit)), 1)


@pytest.mark.parametrize("unit", ["tmp/", "tmp/a/", "a", "lib/", "../"])
def test_a_path_that_no_build_meets_is_not_looked_at(unit: str) -> None:
    """Whatever a cause asks of paths: a tar header can hold megabytes."""
    path = unit * (4_000_000 // len(unit))
    for site in (
        Site("file.content", "1", "2", path),
        Site("zip.mtime", "1", "2", where=(path,)),
        Site("elf.symbol", "1", "2", symbol=path),
    ):
        assert diagnose(site) is None
        assert suspect(site) is None


def test_a_path_of_the_longest_length_is_looked_at() -> None:
    times = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"
    path = ("a" * 200 + "/") * 20
    assert diagnose(Site("text", *times, path))
    assert len(path) < LONGEST_PATH
