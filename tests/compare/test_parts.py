"""Parts of formats that do not go together, fail, or are on one side only."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sxdiff.compare import closer
from sxdiff.formats.texts.pieces import section
from sxdiff.model import Blob, Fact, FormatError, Inside, Limits, Listing, Member, Row
from tests.look import Look, differences, looking, told


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


class Broken:
    """A text whose only part can't be looked into."""

    name = "broken"

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"broken\n")

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - small
        yield Fact("broken.head", "broken", (0, 7))
        rest = (7, blob.size - 7)
        yield section(blob, rest, "rest", (self.name, "broken.rest"), _raising)


def _raising(_: Blob) -> Iterable[Fact]:
    raise FormatError("no such part")


def test_a_broken_part_of_a_text_is_compared_by_lines(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken()
    monkeypatch.setattr(closer, "sniff_text", lambda _: broken)
    node = look(b"broken\none\ntwo\nthree\n", b"broken\none\nTWO!\nthree\n")
    assert told(node) == [("text", ("rest",), "two\n", "TWO!\n")]
    assert node and [one.resolution for one in node.problems] == ["compared as text"]
    (found,) = differences(node)
    assert found.a and found.b and (found.a.at, found.b.at) == ((11, 4), (11, 5))


def test_a_listing_and_facts_do_not_go_together(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Either(Broken):
        def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - small
            listed = Listing("broken", lambda part: [Row((0, part.size), "all")])
            facts = Inside("broken", lambda part: [Fact("broken.all", "all", (0, part.size))])
            inside = listed if blob.size % 2 else facts
            yield Member("rest", blob, (0, blob.size), "broken.rest", inside=inside)

    either = Either()
    monkeypatch.setattr(closer, "sniff_text", lambda _: either)
    for pair in ((b"broken\n", b"broken\nx"), (b"broken\nx", b"broken\n")):
        assert [kind for kind, *_ in told(look(*pair))] == ["broken.rest"]


def test_the_value_of_a_fact_on_one_side_only(look: Look) -> None:
    a = b"[s]\nk = 1\n"
    assert told(look(a, a + b"new = five\n")) == [
        ("ini.only_in_b", ("s", "new"), None, "new: five")
    ]
    rows = b"root:x:0:\naudio:x:29:user\n"
    # of several facts none is told for all
    assert told(look(rows, rows + b"new:x:5:\n")) == [("accounts.only_in_b", ("new",), None, "new")]


def test_bytes_of_a_rename(look: Look) -> None:
    archives = []
    for name in ("abcd", "wxyz"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), b"content of a member")
        archives.append(stream.getvalue())
    (found,) = differences(look(*archives))
    assert (found.kind, found.bytes) == ("zip.renamed", 8)
