"""What archives, packages and file systems keep of the build: on pairs that real tools made, and
on the same pairs with one change more."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sxdiff.compare import closer
from sxdiff.compare.closer import is_explained
from sxdiff.model import Blob, Difference, Limits, Node
from tests.look import Files, differences

FIXTURES = Path(__file__).parents[2] / "fixtures"
Sides = tuple[bytes, bytes]
Verdict = Callable[..., Node]


def recipe(name: str, file: str) -> Sides:
    """Both sides of a pair of the recipes."""
    folder = FIXTURES / "causes" / "pairs" / name
    return (folder / "a" / file).read_bytes(), (folder / "b" / file).read_bytes()


def artefact(name: str) -> Sides:
    """Both sides of a pair of the artefacts."""
    folder = FIXTURES / "artefacts" / name
    a, b = next(folder.glob("a*")), next(folder.glob("b*"))
    return a.read_bytes(), b.read_bytes()


@pytest.fixture
def look(tmp_path: Path) -> Verdict:
    scratch = Files(tmp_path)

    def looked(sides: Sides, name: str = "f") -> Node:
        blobs = []
        for side, data in zip("ab", sides, strict=True):
            path = tmp_path / side
            path.write_bytes(data)
            blobs.append(Blob(str(path), 0, len(data)))
        node = closer.look(blobs[0], blobs[1], name, scratch, Limits())
        assert node is not None
        return node

    return looked


def causes(node: Node) -> set[str]:
    return {claim.cause for each in differences(node) for claim in each.claims}


def unexplained(node: Node) -> list[Difference]:
    return [each for each in differences(node) if not each.derived and not each.claims]


def explained(node: Node) -> bool:
    return is_explained(node) and node.verified


@pytest.mark.parametrize(
    ("pair", "file", "cause"),
    [
        ("gzip-mtime", "f.txt.gz", "gzip-header-mtime"),
        ("gzip-name", "o.gz", "gzip-header-name"),
        ("gzip-os-byte", "o.gz", "gzip-header-os-xfl"),
        ("gzip-level", "o.gz", "compression-level-or-implementation"),
        ("gzip-impl", "o.gz", "compression-level-or-implementation"),
        ("bzip2-level", "o.bz2", "compression-level-or-implementation"),
        ("xz-level", "o.xz", "compression-level-or-implementation"),
        ("zstd-level", "f.zst", "compression-level-or-implementation"),
        ("lz4-level", "o.lz4", "compression-level-or-implementation"),
        ("lzip-level", "o.lz", "compression-level-or-implementation"),
        ("zip-level", "o.zip", "compression-level-or-implementation"),
        ("deb-compression", "o.deb", "compression-level-or-implementation"),
        ("xz-threads", "f.xz", "compression-threads"),
        ("zip-dostime", "o.zip", "zip-dos-timestamp"),
        ("jar-mtime", "o.jar", "zip-dos-timestamp"),
        ("python-zipapp", "o.pyz", "zip-dos-timestamp"),
        ("wheel-built-twice", "pk-2.0-py3-none-any.whl", "zip-dos-timestamp"),
        ("tar-gz-of-zip-nested", "o.tar.gz", "zip-dos-timestamp"),
        ("zip-tz", "o.zip", "zip-timezone"),
        ("zip-extra-ut-ux", "o.zip", "zip-extra-timestamp-uid"),
        ("zip-mode", "o.zip", "zip-external-attributes"),
        ("zip-streamed", "o.zip", "zip-data-descriptor-flags"),
        ("zip-order", "o.zip", "archive-member-order"),
        ("zip-readdir", "o.zip", "archive-member-order"),
        ("tar-order", "o.tar", "archive-member-order"),
        ("tar-readdir", "o.tar", "archive-member-order"),
        ("cpio-readdir", "o.cpio", "archive-member-order"),
        ("ar-order", "l.a", "static-library-member-order"),
        ("link-order-static", "l.a", "static-library-member-order"),
        ("ar-mtime", "l.a", "static-library-timestamps"),
        ("ar-uid", "l.a", "static-library-uid-gid-mode"),
        ("ar-mode", "l.a", "static-library-uid-gid-mode"),
        ("cpio-mtime", "o.cpio", "cpio-mtime-inode"),
        ("cpio-inode", "o.cpio", "cpio-mtime-inode"),
        ("cpio-umask", "o.cpio", "different-due-to-umask"),
        ("initramfs-gzip", "initrd.img-6.1.0-1-amd64", "initramfs"),
        ("initramfs-zstd", "initramfs.img", "initramfs"),
        ("dpkg-deb-mtime", "o.deb", "deb-member-mtimes"),
        ("ruby-gem-date", "g-1.gem", "ruby-gem-metadata-date"),
        ("ant-manifest-built-by", "o.jar", "java-manifest-build-metadata"),
        ("manifest-bnd-lastmodified", "o.jar", "java-manifest-build-metadata"),
        ("java-keystore", "o.jks", "java-keystore-creation-date"),
        ("jks-trust-many", "cacerts", "java-keystore-creation-date"),
        ("rpm-buildtime", "o.rpm", "rpm-header-buildtime-buildhost"),
        ("rpm-buildtime-host", "o.rpm", "rpm-header-buildtime-buildhost"),
        ("rpmdb-installtime", "r/var/lib/rpm/rpmdb.sqlite.packed", "rpmdb-install-time-tid"),
        ("sqlite-vacuum", "o.db", "sqlite-file-layout"),
        ("squashfs-time", "o.sqfs", "filesystem-image-timestamps"),
        ("squashfs-member-mtime", "o.sqfs", "filesystem-image-timestamps"),
        ("ext4-time", "o.img.packed", "filesystem-image-timestamps"),
        ("iso-dates", "o.iso.packed", "filesystem-image-timestamps"),
        ("xorriso-dates", "o.iso.packed", "filesystem-image-timestamps"),
        ("fat-file-times", "o.img.packed", "filesystem-image-timestamps"),
        ("erofs-time", "o.erofs", "filesystem-image-timestamps"),
        ("ext4-uuid", "o.img.packed", "filesystem-image-uuid-hashseed"),
        ("vfat-volid", "o.img.packed", "filesystem-image-uuid-hashseed"),
        ("erofs-uuid", "o.erofs", "filesystem-image-uuid-hashseed"),
        ("uboot-mkimage", "o.uimage", "timestamps-in-uimage"),
        ("python-sdist", "pp-1.tar.gz", "tar-mtime"),
    ],
)
def test_recipes(look: Verdict, pair: str, file: str, cause: str) -> None:
    node = look(recipe(pair, file), file)
    assert unexplained(node) == []
    assert cause in causes(node)
    assert node.verified


@pytest.mark.parametrize(
    ("pair", "file", "all_of_them"),
    [
        # blocks of one size, with and without sizes in their headers, which the index adds up
        ("xz-threads", "f.xz", {"compression-threads"}),
        # pax records and the headers before them say one time twice
        ("python-sdist", "pp-1.tar.gz", {"gzip-header-mtime", "tar-mtime"}),
    ],
)
def test_nothing_else_is_named(look: Verdict, pair: str, file: str, all_of_them: set[str]) -> None:
    assert causes(look(recipe(pair, file), file)) == all_of_them


@pytest.mark.parametrize(
    ("pair", "cause"),
    [
        ("zip-zone", "zip-timezone"),
        ("zip-order", "archive-member-order"),
        ("xz-blocks", "compression-level-or-implementation"),
        ("lz4-legacy", "compression-level-or-implementation"),
        ("deb-zstd", "compression-level-or-implementation"),
        ("sqlite-layout", "sqlite-file-layout"),
        ("uimage-time", "timestamps-in-uimage"),
        ("device_tree-time", "timestamps-in-uimage"),
        ("ext-uuid", "filesystem-image-uuid-hashseed"),
        ("squashfs-mtime", "filesystem-image-timestamps"),
        ("vmlinuz-host", "kernel-banner"),
        ("ar", "static-library-timestamps"),
        ("gzip", "gzip-header-name"),
    ],
)
def test_artefacts(look: Verdict, pair: str, cause: str) -> None:
    node = look(artefact(pair))
    assert unexplained(node) == []
    assert cause in causes(node)
    assert node.verified


@pytest.mark.parametrize(
    "pair",
    [
        *("cab", "cpio", "cpio-initramfs", "cramfs", "cramfs-edition", "crx", "deb", "device_tree"),
        *("erofs", "ext", "fat", "gdbm", "iso9660", "lzip", "lzma", "rar", "rpm", "squashfs", "xz"),
        *("uimage", "vmlinuz", "zip", "zlib", "zstd", "berkeley_db", "pcapng"),
    ],
)
def test_real_changes_stay_unexplained(look: Verdict, pair: str) -> None:
    assert unexplained(look(artefact(pair)))


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, (2026, 1, 10, 10, 0, 0))
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content, method)
    return out.getvalue()


def tarred(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1768039200
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, content in members:
        header = f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        out += header.encode() + content + b"\n" * (len(content) % 2)
    return out


def cpio(*members: tuple[str, bytes, int, int]) -> bytes:
    """Members of name, content, inode and number of names."""
    out = b""
    for name, content, inode, names in (*members, ("TRAILER!!!", b"", 0, 1)):
        numbers = (inode, 0o100644, 0, 0, names, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + "".join(f"{number:08X}" for number in numbers).encode()
        out += name.encode() + b"\0"
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return out


Pack = Callable[..., bytes]
ONE, TWO, THREE = ("a.txt", b"first\n"), ("b.txt", b"second\n"), ("c.txt", b"third thing\n")


@pytest.mark.parametrize("pack", [zipped, tarred, ar])
def test_another_order_is_explained_and_verified(look: Verdict, pack: Pack) -> None:
    node = look((pack(ONE, TWO, THREE), pack(THREE, ONE, TWO)))
    assert explained(node)
    assert causes(node) <= {"archive-member-order", "static-library-member-order"}


@pytest.mark.parametrize("pack", [zipped, tarred, ar])
def test_another_order_of_many(look: Verdict, pack: Pack) -> None:
    """More names than are told."""
    members = [(f"member-{number:03d}", b"%d\n" % number) for number in range(200)]
    assert explained(look((pack(*members), pack(*members[::-1]))))


@pytest.mark.parametrize("pack", [zipped, tarred, ar])
def test_swapped_contents_are_no_order(look: Verdict, pack: Pack) -> None:
    swapped = ("a.txt", TWO[1]), ("b.txt", ONE[1])
    assert unexplained(look((pack(ONE, TWO, THREE), pack(*swapped, THREE))))
    node = look((pack(ONE, TWO, THREE), pack(THREE, *swapped)))
    assert unexplained(node)
    assert not node.verified


@pytest.mark.parametrize("pack", [zipped, tarred, ar])
def test_another_content_in_another_order(look: Verdict, pack: Pack) -> None:
    changed = ("c.txt", b"third thin9\n")
    node = look((pack(ONE, TWO, THREE), pack(changed, ONE, TWO)))
    assert unexplained(node)
    assert not node.verified


def test_inode_numbers_that_link_other_files(look: Verdict) -> None:
    """Of linked files one has the content. Where a link moves, a file has another content."""
    plain = cpio(("a", b"", 5, 2), ("b", b"one", 5, 2), ("c", b"", 6, 2), ("d", b"two", 6, 2))
    moved = cpio(("a", b"", 6, 2), ("b", b"one", 5, 2), ("c", b"", 5, 2), ("d", b"two", 6, 2))
    other = cpio(("a", b"", 15, 2), ("b", b"one", 15, 2), ("c", b"", 16, 2), ("d", b"two", 16, 2))
    assert explained(look((plain, other)))
    assert unexplained(look((plain, moved)))


def with_byte(data: bytes, at: int, value: int) -> bytes:
    out = bytearray(data)
    assert out[at] != value
    out[at] = value
    return bytes(out)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("berkeley_db/a.db", 1828),
        ("fontconfig_cache/a.cache", 341),
        ("gdbm/a.gdbm", 1852),
        ("git_pack_index/a.idx", 551),
        ("gvariant/a.compiled", 116),
        ("hwdb/a.bin", 236),
        ("ldconfig_aux_cache/a.aux", 76),
    ],
)
def test_what_a_table_leaves_unsaid_is_no_packing(look: Verdict, name: str, at: int) -> None:
    """Of these only what they say was compared, so that another byte may be anything."""
    data = (FIXTURES / "artefacts" / name).read_bytes()
    node = look((data, with_byte(data, at, data[at] ^ 1)))
    assert unexplained(node)
    assert not causes(node)


def _dated() -> Sides:
    """A stored text with another date, and the check sum that the first one had."""
    data = zipped(("a.txt", b"Built on 2026-01-01\n"), method=zipfile.ZIP_STORED)
    return data, with_byte(data, data.index(b"1-01\n"), ord("3"))


def _damaged(name: str, at: int, bit: int) -> Sides:
    data = (FIXTURES / "artefacts" / name).read_bytes()
    return data, with_byte(data, at, data[at] ^ 1 << bit)


@pytest.mark.parametrize(
    "sides",
    [
        pytest.param(_dated(), id="zip"),
        pytest.param(_damaged("png/a.png", 281, 2), id="png"),
        pytest.param(_damaged("deb/a.deb", 332, 7), id="gzip"),
    ],
)
def test_a_checksum_that_did_not_follow_its_bytes(look: Verdict, sides: Sides) -> None:
    """The same check sum of other bytes: one side is damaged, whatever differs."""
    node = look(sides)
    assert any(str(one.b and one.b.value).endswith(", wrong") for one in unexplained(node))


def test_times_beside_another_version(look: Verdict) -> None:
    """One change more in a package whose times differ."""
    a, b = recipe("rpm-buildtime", "o.rpm")
    assert unexplained(look((a, with_byte(b, b.index(b"4.18.0"), 0x35))))


def test_a_key_store_whose_digest_is_wrong(look: Verdict) -> None:
    a, b = recipe("java-keystore", "o.jks")
    node = look((a, with_byte(b, len(b) - 1, b[-1] ^ 1)))
    assert unexplained(node) or not node.verified


@pytest.mark.parametrize(
    ("mode", "other", "right"),
    [
        ("644", "664", True),
        ("755", "775", True),
        ("755", "700", False),
        ("644", "640", False),
        ("644", "666", False),
        ("644", "755", False),
        ("644", "744", False),
        ("600", "400", False),
        ("755", "754", False),
    ],
)
def test_modes(look: Verdict, mode: str, other: str, right: bool) -> None:
    sides = []
    for bits in (mode, other):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            info = zipfile.ZipInfo("a", (2026, 1, 10, 10, 0, 0))
            info.external_attr = (0o100000 | int(bits, 8)) << 16
            archive.writestr(info, b"content\n")
        sides.append(out.getvalue())
    node = look((sides[0], sides[1]))
    assert explained(node) is right


@pytest.mark.parametrize("bit", [0o4000, 0o2000, 0o1000])
def test_setuid_beside_a_umask(look: Verdict, bit: int) -> None:
    sides = []
    for mode in (0o755, 0o775 | bit):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            info = zipfile.ZipInfo("a", (2026, 1, 10, 10, 0, 0))
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, b"content\n")
        sides.append(out.getvalue())
    assert unexplained(look((sides[0], sides[1])))


@pytest.mark.parametrize(
    ("attribute", "right"),
    [("Built-By", True), ("Main-Class", False), ("Class-Path", False), ("Bundle-Version", False)],
)
def test_attributes_of_a_manifest(look: Verdict, attribute: str, right: bool) -> None:
    sides = [
        zipped(
            (
                "META-INF/MANIFEST.MF",
                f"Manifest-Version: 1.0\r\n{attribute}: {value}\r\n\r\n".encode(),
            )
        )
        for value in ("one", "two")
    ]
    node = look((sides[0], sides[1]))
    assert explained(node) is right


def test_a_signing_manifest_section_is_no_metadata(look: Verdict) -> None:
    sides = [
        zipped(
            (
                "META-INF/MANIFEST.MF",
                f"Manifest-Version: 1.0\r\n\r\nName: a\r\nBuilt-By: {value}\r\n\r\n".encode(),
            )
        )
        for value in ("one", "two")
    ]
    assert unexplained(look((sides[0], sides[1])))


def test_a_local_header_that_says_otherwise(look: Verdict) -> None:
    """What a local header says by itself follows from nothing."""
    a = zipped(ONE)
    node = look((a, with_byte(a, 8, 9)))  # the method
    assert unexplained(node) or not node.verified


def test_old_bytes_in_a_database_on_both_sides(look: Verdict) -> None:
    a, b = recipe("sqlite-vacuum", "o.db")
    at = a.rindex(a[-1:]) - 1 if a[-2] else len(a) - 1
    node = look((a, with_byte(a, at, a[at] ^ 1)))
    assert unexplained(node)
    assert b


# (pair, places of bytes that nothing may change beside the times)
SLACK = [
    ("ext-mtime", 2096),  # a group descriptor
    ("ext-mtime", 3566),  # the bitmap of blocks
    ("ext-mtime", 4571),  # behind the last entry of a directory
    ("ext-mtime", 38780),  # the checksum of an inode
    ("fat-mtime", 1121),  # the table of clusters
    ("fat-mtime", 1833),  # behind the last entry of a directory
    ("iso9660-mtime", 38113),  # behind the last record of a directory
]


@pytest.mark.parametrize(("pair", "at"), SLACK)
def test_tables_of_file_systems_hide_nothing(look: Verdict, pair: str, at: int) -> None:
    a, b = artefact(pair)
    assert explained(look((a, b)))
    assert not explained(look((a, with_byte(b, at, b[at] ^ 0x10))))


def test_a_level_of_gzip_is_one_that_gzip_has(look: Verdict) -> None:
    """RFC 1952, 2.3.1: XFL is 2 or 4, or says nothing."""
    a = gzip.compress(b"content", 9, mtime=0)
    assert a[8] == 2
    assert explained(look((a, with_byte(a, 8, 4))))
    assert not explained(look((a, with_byte(a, 8, 10))))
