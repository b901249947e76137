"""Archives made by real tools with one known change: that place is told, and no other."""

import gzip
import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.archives import entries
from sxdiff.formats.archives.sevenzip import SevenZip
from sxdiff.formats.catalogue import sniff
from sxdiff.model import Blob, Difference, FormatError, InputError, LimitError, Limits, Member
from tests.look import Look, differences, looking, told
from tests.tools import run, want

WHEN = 1767323045


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def roots(found: object) -> list[tuple[str, tuple[str, ...]]]:
    return [one[:2] for one in told(found)]  # type: ignore[arg-type]  # of a look


def written(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n" * 20)
    run("find", ".", "-exec", "touch", "-h", "-d", f"@{WHEN}", "{}", "+", cwd=folder)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("zip", [("", ("app/settings.ini",))]),
        ("zip-order", [("zip.order", ())]),
        ("zip-zone", [("zip.mtime", ("app/settings.ini",)), ("zip.mtime", ("app/Makefile",))]),
        ("tar", [("tar.mtime", ("app/settings.ini",))]),
        ("cpio", [("cpio.mode", ("app/settings.ini",))]),
        ("cpio-odc", [("", ("app/settings.ini",))]),
        ("cpio-initramfs", [("", ("next", "content", "app/settings.ini"))]),
        ("rpm", [("", ("payload", "content", "./usr/share/example/settings.ini"))]),
        ("rpm-host", [("rpm.buildhost", ("header", "BUILDHOST"))]),
        ("apk", [("", ("control", "content", ".PKGINFO"))]),
        ("sevenzip", [("sevenzip.mtime", ("entries", "app/settings.ini"))]),
        ("cab", [("", ("entries", "app/settings.ini"))]),
        ("lha", [("lha.mtime", ("entries", "app/settings.ini"))]),
        ("xar", [("xar.mtime", ("entries", "app/settings.ini"))]),
        ("rar", [("", ("entries", "settings.ini"))]),
    ],
)
def test_artefacts(look: Look, folder: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    """A kind of "" stands for whatever the text's own format says."""
    found = roots(look(*sides(ARTEFACTS / folder)))
    assert len(found) == len(expected)
    for (kind, where), (wanted, place) in zip(found, expected, strict=True):
        assert wanted in ("", kind)
        assert where[: len(place)] == place


def tarred(path: Path, change: Callable[[tarfile.TarInfo], None], form: int) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name in ("a", "directory/" + "n" * 130):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 5, WHEN
            if name == "a":
                change(info)
            archive.addfile(info, io.BytesIO(b"12345"))
    return path


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("mtime", WHEN + 9, "tar.mtime"),
        ("mode", 0o600, "tar.mode"),
        ("uid", 1000, "tar.uid"),
        ("gname", "group", "tar.gname"),
    ],
)
def test_a_field_of_tar(
    tmp_path: Path, look: Look, form: int, field: str, value: object, kind: str
) -> None:
    """Told once: neither the checksum nor the spelling is told again."""
    a = tarred(tmp_path / "a.tar", lambda _: None, form)
    b = tarred(tmp_path / "b.tar", lambda info: setattr(info, field, value), form)
    assert roots(look(a, b)) == [(kind, ("a",))]


def test_links_and_the_end_of_tar(look: Look) -> None:
    def link(target: str, size: int) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.LNKTYPE, target
            archive.addfile(info)
        return stream.getvalue()[:size]

    assert told(look(link("one", 2048), link("two", 2048))) == [
        ("tar.linkname", ("link",), "one", "two")
    ]
    assert told(look(link("one", 2048), link("one", 1536))) == [
        ("tar.end", (), "3 zero blocks", "2 zero blocks")
    ]


def test_a_tar_behind_the_end(look: Look) -> None:
    """What follows the zero blocks is a stream of its own."""
    one, two = ((ARTEFACTS / "tar" / f"{side}.tar").read_bytes() for side in "ab")
    end = one + bytes(512)
    assert roots(look(end + one, end + two)) == [
        ("tar.mtime", ("behind the end", "app/settings.ini"))
    ]


def test_a_sparse_tar(tmp_path: Path, look: Look) -> None:
    want("tar", "truncate")
    run("truncate", "-s", "1M", "file", cwd=tmp_path)
    with (tmp_path / "file").open("r+b") as file:
        file.write(b"start")
    run("tar", "--mtime=@0", "-Scf", "a.tar", "file", cwd=tmp_path)
    with (tmp_path / "file").open("r+b") as file:
        file.write(b"other")
    run("tar", "--mtime=@0", "-Scf", "b.tar", "file", cwd=tmp_path)
    found = roots(look(tmp_path / "a.tar", tmp_path / "b.tar"))
    assert {where[:1] for _, where in found} == {("file",)}


@pytest.mark.parametrize("form", ["newc", "crc", "odc", "bin"])
def test_times_of_cpio(tmp_path: Path, look: Look, form: str) -> None:
    want("cpio")
    written(tmp_path, "one", "two")
    for name in ("a", "b"):
        run("sh", "-c", f"printf 'one\\ntwo\\n' | cpio -o --quiet -H {form} >{name}", cwd=tmp_path)
        run("touch", "-d", f"@{WHEN + 1}", "two", cwd=tmp_path)
    assert told(look(tmp_path / "a", tmp_path / "b")) == [("cpio.mtime", ("two",), WHEN, WHEN + 1)]


def test_a_package_packed_otherwise(look: Look) -> None:
    """`data.tar.xz` and `data.tar.zst` are one member."""
    found = look(*sides(ARTEFACTS / "deb-zstd"))
    assert roots(found) == [
        ("file.compression", ("control",)),
        ("file.compression", ("data",)),
    ]
    assert "deb.compression" in {one[0] for one in told(found, derived=True)}


def test_a_package_with_another_file(look: Look) -> None:
    places = {where for _, where in roots(look(*sides(ARTEFACTS / "deb")))}
    assert {where[:3] for where in places} == {("control", "content", "./control")}


def test_digests_of_an_rpm_follow(look: Look) -> None:
    follow = {one[0] for one in told(look(*sides(ARTEFACTS / "rpm")), derived=True)}
    assert {"rpm.md5", "rpm.sha256header", "rpm.payloaddigest", "rpm.filedigests"} <= follow


def test_a_signature_of_apk_follows(look: Look) -> None:
    follow = {one[1][0] for one in told(look(*sides(ARTEFACTS / "apk")), derived=True)}
    assert "signature" in follow


def test_apk_is_no_gzipped_tar(tmp_path: Path) -> None:
    """A package of pacman starts with the same file."""
    path = tarred(tmp_path / "a.tar", lambda info: setattr(info, "name", ".PKGINFO"), 1)
    for data, name in (
        (gzip.compress(path.read_bytes()), "gzip"),
        (gzip.compress(path.read_bytes()) * 2, "apk"),
    ):
        known = sniff(data, len(data))
        assert known and known.name == name


def test_keys_of_crx(look: Look) -> None:
    """A signature follows from a key."""
    data = (ARTEFACTS / "crx" / "a.crx").read_bytes()
    other = bytearray(data)
    other[12 + 100] ^= 1
    other[12 + 400] ^= 1
    found = look(data, bytes(other))
    assert roots(found) == [("crx.rsa.public_key", ("header",))]
    assert [one[0] for one in told(found, derived=True)] == ["crx.rsa.signature"]


def test_symbols_of_ar_are_a_table(tmp_path: Path, look: Look) -> None:
    """One that is new is told by its name; places of the others follow."""
    want("ar", "gcc")
    for side, more in (("a", ""), ("b", "int more(void) { return 3; }")):
        (tmp_path / "one.c").write_text(f"int one(void) {{ return 1; }} {more}")
        (tmp_path / "two.c").write_text("int two(void) { return 2; }")
        run("gcc", "-c", "one.c", "two.c", cwd=tmp_path)
        run("ar", "rcsD", f"{side}.a", "one.o", "two.o", cwd=tmp_path)
    found = list(differences(look(tmp_path / "a.a", tmp_path / "b.a")))
    table = [one for one in found if one.kind.startswith("ar.symbols")]
    assert {one.kind for one in table} == {"ar.symbols", "ar.symbols.layout"}
    assert all(one.derived for one in table)
    assert any(_says(one, "more in one.o") for one in table)


def _says(one: Difference, text: str) -> bool:
    return one.b is not None and isinstance(one.b.value, str) and text in one.b.value


# through libarchive


def seven(folder: Path, name: str, *files: str) -> Path:
    run("7z", "a", name, *files, cwd=folder)
    return folder / name


def test_entries_in_another_order(tmp_path: Path, look: Look) -> None:
    """Each is read, however the archive has to be read for it."""
    want("7z")
    written(tmp_path, "one.txt", "two.txt", "zzz.bin")
    a = seven(tmp_path, "a.7z", "one.txt", "two.txt", "zzz.bin")
    (tmp_path / "zzz.bin").rename(tmp_path / "aaa.bin")
    (tmp_path / "one.txt").write_text("other\n")
    written(tmp_path, "aaa.bin")
    b = seven(tmp_path, "b.7z", "one.txt", "two.txt", "aaa.bin")
    found = roots(look(a, b))
    assert {where[:2] for _, where in found} >= {("entries", "one.txt")}


def test_libarchive_is_missing(monkeypatch: pytest.MonkeyPatch, look: Look) -> None:
    def missing() -> None:
        raise FormatError("needs libarchive and libarchive-c: not found")

    monkeypatch.setattr(entries, "_library", missing)
    node = look(*sides(ARTEFACTS / "sevenzip"))
    assert node
    (problem,) = node.problems
    assert "needs libarchive" in problem.message
    assert node.format == "bytes"


def test_errors_of_the_reader_are_format_errors(tmp_path: Path) -> None:
    """What a callback meets is raised behind libarchive, not in it."""
    data = (ARTEFACTS / "sevenzip" / "a.7z").read_bytes()
    (tmp_path / "a").write_bytes(data)
    blob = Blob(str(tmp_path / "a"), 0, len(data))
    (member,) = SevenZip().dissect(blob, Limits())
    assert isinstance(member, Member) and member.inside
    (tmp_path / "a").write_bytes(data[:50])
    with pytest.raises(InputError, match="truncated"):
        list(SevenZip().dissect(blob, Limits()))


@pytest.mark.parametrize("name", ["sevenzip", "cab", "lha", "xar", "rar"])
def test_bounds_of_entries(name: str) -> None:
    (path, _) = sides(ARTEFACTS / name)
    blob = Blob(str(path), 0, path.stat().st_size)
    known = sniff(blob.read(0, 4096), blob.size)
    assert known and known.name == name
    with pytest.raises(LimitError):
        list(known.dissect(blob, Limits(member_bytes=100)))


def test_the_zone_of_this_machine_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, look: Look
) -> None:
    """libarchive takes times of MS-DOS as times of the machine that reads them."""
    import time

    (path, _) = sides(ARTEFACTS / "cab")
    data = bytearray(path.read_bytes())
    # the date of the first file: CFFILE starts where the header says, its date 10 bytes behind
    (start,) = struct.unpack_from("<I", data, 16)
    data[start + 10] ^= 1
    seen = []
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        seen.append(told(look(path.read_bytes(), bytes(data))))
    monkeypatch.undo()
    time.tzset()
    assert seen[0] == seen[1]
    assert [one[0] for one in seen[0]] == ["cab.mtime"]
