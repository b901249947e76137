"""Reports to look at: one small with everything in it that a report can hold."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sxdiff.model import Claim, Difference, Node, Problem, Route, Value
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.findings import Binding

Finish = Callable[..., Report]

AMD64 = "linux/amd64"
HOSTILE = "evil\u202etxt.exe\x1b[2J\n<script>alert(1)</script>\x9b\u2066'\"&"
"""A file name that would turn around, clear the screen, break the line and run a script."""


def digest(character: str) -> str:
    return "sha256:" + character * 64


def platform(name: str, a: str | None, b: str | None, equal_at: str = "nothing") -> dict[str, Any]:
    sides: list[Any] = [
        character
        and {
            "manifest": digest(character),
            "config": digest(character),
            "layers": [
                {
                    "digest": digest(character),
                    "diff_id": digest(character),
                    "size": 10,
                    "created_by": "COPY . / # buildkit",
                }
            ],
        }
        for character in (a, b)
    ]
    only_in = "b" if a is None else "a" if b is None else None
    return {
        "platform": name,
        "image": None,
        "equal_at": equal_at,
        "only_in": only_in,
        "a": sides[0],
        "b": sides[1],
    }


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[ReportBuilder]:
    with ReportBuilder(str(tmp_path)) as one:
        yield one


@pytest.fixture
def finish() -> Finish:
    """Finishes a builder with plain surroundings; keywords replace them."""

    def finished(builder: ReportBuilder, **changes: Any) -> Report:
        surroundings: dict[str, Any] = {
            "options": {"require": "manifest", "ref": None, "platforms": []},
            "inputs": [
                {
                    "side": side,
                    "name": f"{side}.tar",
                    "form": "oci-archive",
                    "compression": None,
                    "size": 12_345_678,
                    "sha256": side * 64,
                    "digest": digest(side),
                }
                for side in "ab"
            ],
            "equal_at": "nothing",
            "met": False,
            "platforms": [platform(AMD64, "1", "2")],
            "files": {"compared": 24_010, "differing": 8, "only_in_a": 0, "only_in_b": 1},
        }
        return builder.finish(**(surroundings | changes))

    return finished


@pytest.fixture
def full_report(builder: ReportBuilder, finish: Finish) -> Report:
    """Every field used, hostile names and values among them."""
    layer = (AMD64, "layer 1")
    for index in range(3):
        name = f"usr/share/file{index}"
        times = (Value(1_700_000_000, (136, 12)), Value(1_700_003_600 + index, (136, 12)))
        builder.add((*layer, name), "tar", Difference("tar.mtime", *times, bytes=4), name, True)
    rodata = Difference(
        "elf.section.content",
        Value("Nov 22 2026 20:14:01", (8196, 20), "built Nov 22 2026 20:14:01\\x00"),
        Value("Nov 22 2026 20:15:33", (8196, 20), "built Nov 22 2026 20:15:33\\x00"),
        bytes=5,
        symbol="build_date",
        source="main.c:12",
    )
    build_id = Difference("elf.note.build_id", Value("a" * 40), Value("b" * 40), derived=True)
    hello = Node(
        "a name that the route replaces",
        "elf",
        nodes=(
            Node(".rodata", "elf.section", (rodata,)),
            Node(
                ".note.gnu.build-id",
                "elf.note",
                (build_id,),
                problems=(Problem(("desc",), "format", f"odd {HOSTILE}", "read as bytes"),),
            ),
        ),
    )
    builder.add_node((*layer, "usr/bin/hello"), hello, "usr/bin/hello", True)
    only = Difference("file.only_in_b", None, Value(f"regular file {HOSTILE}"))
    builder.add((*layer, HOSTILE), "file", only, HOSTILE, True)
    lines = Difference(
        "text.lines",
        Value("ID=1", line=4, size=4, digest="blake3:" + "0" * 64),
        Value(True, line=4),
        diff=f"--- a\n+++ b\n@@ -4 +4 @@\n-ID=1\n+ID={HOSTILE}\n",
        bytes=1,
    )
    builder.add((*layer, "etc/os-release"), "text", lines, "etc/os-release", False)
    created = Difference(
        "config.created", Value("1970-01-01T00:00:01Z"), Value(None), where=("created",), bytes=20
    )
    builder.add((AMD64, "config"), "config", created, None, True)
    of_config = Difference(
        "manifest.config",
        Value(digest("1")),
        Value(digest("2")),
        derived=True,
        derived_from=((AMD64, "config"),),
        bytes=64,
    )
    builder.add((AMD64, "manifest"), "manifest", of_config, None, True)
    builder.problem(Problem((AMD64, "layer 1", "x.zip"), "limit", "too deep", "compared as bytes"))
    return finish(builder)


class Known:
    """Stands in for what knows causes."""

    def judged(self, bindings: list[Binding]) -> list[tuple[Binding, Route | None]]:  # noqa: ARG002
        return []

    def words(self, cause: str, producers: str) -> dict[str, Any]:  # noqa: ARG002
        return {
            "title": f"Title of {cause}",
            "family": "time",
            "why": f"It writes __DATE__ & <i>{cause}</i> into what it makes.",
            "fix": "set SOURCE_DATE_EPOCH to the time of the last change, or leave the time out of"
            " what is shipped; -ffile-prefix-map=$PWD=. is for paths, and <b>never</b> for times",
            "references": ["https://example.org/a", "https://example.org/b?c&d"],
        }

    def ties(self, bindings: list[Binding]) -> str:  # noqa: ARG002
        return ""

    def proof(self, suspect: str) -> str:
        return f"build {suspect} twice"


Explained = Callable[..., Report]


@pytest.fixture
def explained(builder: ReportBuilder, finish: Finish) -> Explained:
    """A report of some causes, `files` of each; with `looks` also what only looks like one."""

    def made(
        causes: int = 1, files: int = 2, *, looks: bool = False, verified: bool = True, **more: Any
    ) -> Report:
        for number in range(causes):
            for file in range(files):
                path = f"usr/lib/{number}/{file}"
                claim = Claim(f"cause-{number}", "/build/one", f"/srv/{HOSTILE}")
                root = Difference("k", Value("1"), Value("2"), bytes=1, claims=(claim,))
                follows = Difference("k.size", Value(1), Value(2), derived=True)
                node = Node("", "f", (root, follows), verified=verified)
                builder.add_node((AMD64, "layer 1", path), node, path, True)
        if looks:
            alike = Difference("text", Value("x"), Value("y"), suspect="hash-order")
            builder.add((AMD64, "layer 1", "etc/x"), "text", alike, "etc/x", True)
        return finish(builder, diagnosis=Known(), **more)

    return made
