"""ar: GNU, BSD and thin archives, and damaged ones."""

from pathlib import Path

import pytest

from sxdiff.formats.archives.ar import Ar
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

ARTEFACTS = Path(__file__).parent.parent / "artefacts"


def parts(path: Path) -> list[Fact | Member]:
    return list(Ar().dissect(Blob(str(path), 0, path.stat().st_size), Limits()))


def facts(found: list[Fact | Member], kind: str) -> dict[str, object]:
    return {part.name: part.value for part in found if part.kind == kind and isinstance(part, Fact)}


def header(name: bytes, size: int, mtime: bytes = b"0") -> bytes:
    return b"%-16s%-12s%-6s%-6s%-8s%-10d`\n" % (name, mtime, b"0", b"0", b"644", size)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "x.a"


def test_gnu() -> None:
    found = parts(ARTEFACTS / "small-u.a")
    assert list(facts(found, "ar.mtime")) == ["/", "//", "small.o", "a_member_with_a_long_name.o"]
    assert facts(found, "ar.mtime")["small.o"] == 1767323045
    assert facts(found, "ar.mode")["small.o"] == "100644"
    members = {part.name: part for part in found if isinstance(part, Member)}
    assert [name for name, member in members.items() if member.opaque] == ["/", "//"]
    content = members["small.o"].content
    assert isinstance(content, Blob)
    assert content.read() == (ARTEFACTS / "small-x86_64.o").read_bytes()


def test_thin_archives_hold_no_content() -> None:
    found = parts(ARTEFACTS / "small-thin.a")
    members = [part.name for part in found if isinstance(part, Member)]
    assert members == ["/", "//"]
    sizes = [part for part in found if part.kind == "ar.size" and part.name == "small.o"]
    assert [size.derived for size in sizes] == [False]


def test_bsd_names_and_padding(archive: Path) -> None:
    """The name lies before the content, padded with NUL; odd members end in a newline."""
    name = b"a name with spaces\0\0"
    data = b"!<arch>\n" + header(b"#1/20", 25) + name + b"12345" + b"\n"
    archive.write_bytes(data + header(b"b", 2) + b"ok")
    found = parts(archive)
    assert list(facts(found, "ar.name")) == ["a name with spaces", "b"]
    assert facts(found, "ar.long_name") == {"a name with spaces": "a name with spaces\0\0"}
    assert facts(found, "ar.padding") == {"a name with spaces": "0a"}
    (first, _second) = [part for part in found if isinstance(part, Member)]
    assert first.at == (88, 5)


def test_duplicate_names_are_numbered(archive: Path) -> None:
    archive.write_bytes(b"!<arch>\n" + 2 * (header(b"x/", 2) + b"ok"))
    assert list(facts(parts(archive), "ar.size")) == ["x", "x #2"]


def test_numbers_that_say_less_than_their_bytes_are_told_as_text(archive: Path) -> None:
    archive.write_bytes(b"!<arch>\n" + header(b"x/", 0, b"007"))
    assert facts(parts(archive), "ar.mtime") == {"x": "007"}


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        header(b"x/", 3) + b"ok",
        header(b"x/", 2)[:-2] + b"??ok",
        header(b"/5", 0),
        header(b"//", 2) + b"x\n" + header(b"/9", 0),
        header(b"//", 2) + b"xx" + header(b"/0", 0),
        header(b"#1/9", 3) + b"abc",
        header(b"x/", 2).replace(b"2 ", b"-1") + b"ok",
    ],
)
def test_damaged(archive: Path, data: bytes) -> None:
    archive.write_bytes(b"!<arch>\n" + data)
    with pytest.raises(FormatError):
        parts(archive)
