"""zip: both directories, packings, order, and what other tools than zip(1) write."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sxdiff.formats.archives.zip import Zip
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member
from tests.look import Look, looking, told
from tests.tools import run, want

TEXT = b"".join(b"line %d\n" % number for number in range(300))


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def zipped(*entries: tuple[str, bytes], method: int = 8, level: int = 6, second: int = 6) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, second))
            archive.writestr(info, data, method, level)
    return stream.getvalue()


def parts(path: Path, data: bytes, limits: Limits | None = None) -> list[Fact | Member]:
    path.write_bytes(data)
    return list(Zip().dissect(Blob(str(path), 0, len(data)), limits or Limits()))


def test_one_time(look: Look) -> None:
    """Both directories hold it: told once."""
    found = look(zipped(("a", b"x"), ("b", TEXT)), zipped(("a", b"x"), ("b", TEXT), second=8))
    assert told(found) == [
        ("zip.mtime", ("a",), "2026-01-02 03:04:06", "2026-01-02 03:04:08"),
        ("zip.mtime", ("b",), "2026-01-02 03:04:06", "2026-01-02 03:04:08"),
    ]


def test_one_content(look: Look) -> None:
    """Its checksum and packed stream follow, and every offset behind it is where it should be."""
    found = look(
        zipped(("a", TEXT), ("b", b"y" * 99)), zipped(("a", TEXT + b"z"), ("b", b"y" * 99))
    )
    assert [(kind, where) for kind, where, _, _ in told(found)] == [("text", ("a",))]
    assert {kind for kind, _, _, _ in told(found, derived=True)} == {
        "zip.crc32",
        "zip.deflate",
        "zip.size",
    }


def test_another_level(look: Look) -> None:
    found = look(zipped(("a", TEXT), ("b", TEXT)), zipped(("a", TEXT), ("b", TEXT), level=1))
    assert {kind for kind, _, _, _ in told(found)} == {"zip.packing"}


def test_order(look: Look) -> None:
    one, two = ("a", TEXT), ("b", b"b")
    assert told(look(zipped(one, two), zipped(two, one))) == [("zip.order", (), "a\nb", "b\na")]


def test_a_renamed_entry(look: Look) -> None:
    found = look(zipped(("a", TEXT), ("c", b"c")), zipped(("b", TEXT), ("c", b"c")))
    assert told(found) == [("zip.renamed", ("a",), "a", "b")]


def test_comments_and_what_follows(look: Look) -> None:
    one = zipped(("a", TEXT))
    assert [each[0] for each in told(look(one + b"x", one + b"y"))] == ["untold"]
    commented = one[:-2] + b"\3\0abc"
    assert told(look(commented, commented[:-1] + b"d")) == [("zip.end.comment", (), "abc", "abd")]


def test_an_empty_archive(look: Look) -> None:
    assert [each[:2] for each in told(look(zipped(), zipped(("a", b"x"))))] == [
        ("zip.only_in_b", ("a",))
    ]


@pytest.mark.parametrize("method", [0, 8, 12, 14])
def test_methods(tmp_path: Path, method: int) -> None:
    (member,) = [
        part
        for part in parts(tmp_path / "a", zipped(("a", TEXT), method=method))
        if isinstance(part, Member)
    ]
    content = member.content
    assert (content.read() if isinstance(content, Blob) else b"".join(content())) == TEXT


def test_zip64_and_descriptors(look: Look) -> None:
    def streamed(data: bytes) -> bytes:
        class Pipe(io.BytesIO):
            def seekable(self) -> bool:
                return False

            def tell(self) -> int:
                raise OSError

        pipe = Pipe()
        with (
            zipfile.ZipFile(pipe, "w", 8) as archive,
            archive.open(zipfile.ZipInfo("a"), "w", force_zip64=True) as file,
        ):
            file.write(data)
        return pipe.getvalue()

    found = look(streamed(TEXT), streamed(TEXT + b"more\n"))
    assert [(kind, where) for kind, where, _, _ in told(found)] == [("text", ("a",))]
    assert "zip.descriptor" in {kind for kind, _, _, _ in told(found, derived=True)} | {
        part.kind for part in parts_of(streamed(TEXT))
    }


def parts_of(data: bytes) -> list[Fact | Member]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return parts(Path(folder) / "a", data)


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (["-9"], "zip.flags"),
        (["-X"], "zip.extra"),
        (["-0"], "zip.method"),
    ],
)
def test_options_of_zip(tmp_path: Path, look: Look, other: list[str], kind: str) -> None:
    want("zip", "touch")
    (tmp_path / "file").write_bytes(TEXT)
    for name, options in (("a.zip", ["-6"]), ("b.zip", other)):
        run("touch", "-d", "2026-01-02 03:04:05 UTC", tmp_path / "file")
        run("zip", "-q", *options, name, "file", cwd=tmp_path)
    found = told(look(tmp_path / "a.zip", tmp_path / "b.zip"))
    assert kind in {one[0] for one in found}
    assert all(one[1] == ("file",) for one in found)


def test_the_time_zone(tmp_path: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extended time stamp says that the local times mean one moment."""
    want("zip", "touch")
    (tmp_path / "file").write_bytes(TEXT)
    for name, zone in (("a.zip", "UTC"), ("b.zip", "UTC-05:30")):
        monkeypatch.setenv("TZ", zone)
        run("touch", "-d", "2026-01-02 03:04:05 UTC", tmp_path / "file")
        run("zip", "-q", name, "file", cwd=tmp_path)
    at = "extended_mtime in UTC+"
    assert told(look(tmp_path / "a.zip", tmp_path / "b.zip")) == [
        ("zip.mtime", ("file",), f"{at}00:00", f"{at}05:30")
    ]


def test_a_jar(tmp_path: Path, look: Look) -> None:
    want("jar")
    (tmp_path / "Main.txt").write_bytes(TEXT)
    for name, level in (("a.jar", "3"), ("b.jar", "5")):
        run("jar", "-c", f"--date=2026-01-02T03:04:0{level}Z", "-f", name, "Main.txt", cwd=tmp_path)
    found = told(look(tmp_path / "a.jar", tmp_path / "b.jar"))
    assert {one[0] for one in found} <= {"zip.mtime", "zip.extended_mtime"}
    assert found


def signing_block(data: bytes, value: bytes) -> bytes:
    """`data` with an APK signing block in front of its central directory."""
    at = data.rindex(b"PK\5\6") + 16
    (start,) = struct.unpack_from("<I", data, at)
    pair = struct.pack("<QI", 4 + len(value), 0x7109871A) + value
    size = struct.pack("<Q", len(pair) + 24)
    block = size + pair + size + b"APK Sig Block 42"
    out = bytearray(data[:start] + block + data[start:])
    struct.pack_into("<I", out, at + len(block), start + len(block))
    return bytes(out)


def test_a_signing_block(look: Look) -> None:
    one, two = zipped(("a", TEXT)), zipped(("a", TEXT + b"x\n"))
    alone = look(signing_block(one, b"first sig"), signing_block(one, b"other sig"))
    assert [told_[:2] for told_ in told(alone)] == [("zip.signature", ("signature scheme v2",))]
    both = look(signing_block(one, b"first sig"), signing_block(two, b"other sig"))
    assert [told_[:2] for told_ in told(both)] == [("text", ("a",))]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-22],
        lambda data: data[:20],
        lambda data: data.replace(b"PK\1\2", b"PK\1\2" + b"\xff" * 40, 1),
    ],
)
def test_damage(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(FormatError):
        parts(tmp_path / "a", damage(zipped(("a", TEXT))))


def test_a_bomb(tmp_path: Path) -> None:
    bomb = zipped(("a", bytes(1 << 20)))
    (member,) = [
        part
        for part in parts(tmp_path / "a", bomb, Limits(expansion=100))
        if isinstance(part, Member)
    ]
    assert callable(member.content)
    with pytest.raises(LimitError):
        list(member.content())
