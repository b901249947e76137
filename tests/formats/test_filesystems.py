"""File systems made by the real tools on the run: every content is found, one change has one
place."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sxdiff.formats.catalogue import HEAD, sniff
from sxdiff.formats.filesystems import squashfs
from sxdiff.formats.filesystems.packed import UNPACK
from sxdiff.formats.filesystems.tree import Paths
from sxdiff.model import Blob, Inside, LimitError, Limits, Member, Node, Route
from tests.look import Look, looking, told
from tests.tools import run, want

Make = Callable[[Path, Path], None]
"""Makes a file system (second) of a directory (first)."""
OLD = 1_600_000_000
UUID = "11111111-2222-3333-4444-555555555555"
ENVIRONMENT = {"SOURCE_DATE_EPOCH": "1700000000", "E2FSPROGS_FAKE_TIME": "1700000000", "TZ": "UTC"}


@dataclass(frozen=True)
class Kind:
    """One way to make a file system, its format, and what it keeps of a file."""

    format: str
    words: tuple[str, ...]
    mtime: str = ""
    links: bool = True

    def make(self, tree: Path, image: Path) -> None:
        """Make `image` of what is in `tree`."""
        want(self.words[0])
        if self.format == "fat":
            kilobytes = {"12": "2000", "16": "20000", "32": "40000"}[self.words[-1]]
            run(*self.words, image, kilobytes)
            run("mcopy", "-m", "-s", "-i", image, *sorted(tree.iterdir()), "::")
        elif self.format == "ext":
            image.touch()
            os.truncate(image, 4 << 20)
            run(*self.words, "-d", tree, image)
        elif self.format == "squashfs":
            run("mksquashfs", tree, image, "-quiet", "-no-progress", "-noappend", *self.words[1:])
        elif self.format == "iso9660":
            run(*self.words, "-o", image, tree)
        elif self.format == "erofs":
            run(*self.words, image, tree)
        else:
            run(*self.words, tree, image)


EXT = ("mke2fs", "-q", "-F", "-b", "1024", "-U", UUID, "-E", f"hash_seed={UUID}", "-O")
ISO = ("xorriso", "-as", "mkisofs", "-quiet", "--modification-date=2023111422132000")
KINDS = {
    "squashfs": Kind("squashfs", ("mksquashfs", "-comp", "gzip"), "squashfs.inode.mtime"),
    "squashfs-xz": Kind("squashfs", ("mksquashfs", "-comp", "xz", "-no-fragments")),
    "squashfs-lz4": Kind("squashfs", ("mksquashfs", "-comp", "lz4", "-b", "4096")),
    "squashfs-zstd": Kind("squashfs", ("mksquashfs", "-comp", "zstd", "-no-exports")),
    "squashfs-stored": Kind("squashfs", ("mksquashfs", "-noI", "-noD", "-noF", "-noX")),
    "iso9660": Kind("iso9660", (*ISO, "-R", "-J"), "iso9660.record.modified"),
    "iso9660-plain": Kind("iso9660", (*ISO, "-iso-level", "4"), links=False),
    "ext2": Kind("ext", (*EXT, "^resize_inode", "-t", "ext2"), "ext.inode.mtime"),
    "ext3": Kind("ext", (*EXT, "has_journal", "-t", "ext3", "-J", "size=1"), "ext.inode.mtime"),
    "ext4": Kind("ext", (*EXT, "inline_data,^has_journal", "-t", "ext4"), "ext.inode.mtime"),
    "fat12": Kind(
        "fat", ("mkfs.vfat", "-C", "--invariant", "-F", "12"), "fat.entry.modified", False
    ),
    "fat16": Kind("fat", ("mkfs.vfat", "-C", "--invariant", "-F", "16"), links=False),
    "fat32": Kind("fat", ("mkfs.vfat", "-C", "--invariant", "-F", "32"), links=False),
    "erofs": Kind("erofs", ("mkfs.erofs", "--preserve-mtime", "-U", UUID), "erofs.inode.mtime"),
    "erofs-chunks": Kind("erofs", ("mkfs.erofs", "--chunksize=4096", "-T1", "-U", UUID)),
    "cramfs": Kind("cramfs", ("mkfs.cramfs", "-N", "little")),
    "cramfs-big": Kind("cramfs", ("mkfs.cramfs", "-N", "big")),
}


def per_kind(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names or KINDS)


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few files: empty, small, of many blocks, with holes, in directories."""
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)
    top = tmp_path / "tree"
    (top / "etc" / "deep" / "deeper").mkdir(parents=True)
    (top / "etc" / "release").write_text("release 1\n")
    (top / "etc" / "deep" / "deeper" / "empty").touch()
    (top / "large.bin").write_bytes(b"".join(b"%d\n" % number for number in range(40_000)))
    with (top / "holes.bin").open("wb") as file:
        file.seek(50_000)
        file.write(b"end")
    for number in range(60):
        (top / "etc" / "deep" / f"a long name of file {number}.txt").write_text(f"{number}\n" * 9)
    settle(top)
    return top


def settle(top: Path) -> None:
    for path in (*top.rglob("*"), top):
        os.utime(path, (OLD, OLD), follow_symlinks=False)


def contents(image: Path) -> Iterator[tuple[str, bytes]]:
    blob = Blob(str(image), 0, image.stat().st_size)
    known = sniff(blob.read(0, HEAD), blob.size)
    assert known
    (volume,) = known.dissect(blob, Limits())
    assert isinstance(volume, Member) and isinstance(volume.inside, Inside)
    for part in volume.inside.parts(blob):
        if isinstance(part, Member) and part.inside is None and not part.opaque:
            content = part.content
            yield part.name, content.read() if isinstance(content, Blob) else b"".join(content())


@per_kind()
def test_every_content_is_found(tmp_path: Path, tree: Path, name: str) -> None:
    image = tmp_path / "image"
    KINDS[name].make(tree, image)
    found = {path.lower(): content for path, content in contents(image)}
    for path in tree.rglob("*"):
        if path.is_file() and path.stat().st_size:
            told_as = path.relative_to(tree).as_posix().lower()
            assert found.pop(told_as) == path.read_bytes()
    assert not found


def roots(node: Node | None) -> list[tuple[str, Route, object, object]]:
    """What is told of a volume, by the routes within it."""
    found = told(node)
    assert all(row[1][0] == "volume" for row in found)
    return [(kind, where[1:], a, b) for kind, where, a, b in found]


def change(look: Look, tmp_path: Path, tree: Path, name: str, edit: Callable[[], None]) -> object:
    """What is told of two file systems, where `edit` is done in between."""
    images = tmp_path / "one", tmp_path / "two"
    for image in images:
        KINDS[name].make(tree, image)
        edit()
    node = look(*images)
    assert node and node.format == KINDS[name].format
    assert not node.problems
    return [row for row in roots(node) if not row[0].endswith((".ctime", ".ctime_extra"))]


SAME_TIMES = [name for name in KINDS if not name.startswith("ext")]


@per_kind()
def test_a_content_is_the_only_root(look: Look, tmp_path: Path, tree: Path, name: str) -> None:
    def edit() -> None:
        (tree / "etc" / "release").write_text("release 2\n")
        settle(tree)

    found = change(look, tmp_path, tree, name, edit)
    assert found == [("text", ("etc/release",), "release 1\n", "release 2\n")]


@per_kind(*(name for name in SAME_TIMES if KINDS[name].mtime))
def test_an_mtime_is_a_root(look: Look, tmp_path: Path, tree: Path, name: str) -> None:
    def edit() -> None:
        os.utime(tree / "large.bin", (OLD, OLD + 60))

    found = change(look, tmp_path, tree, name, edit)
    assert isinstance(found, list)
    kinds = [row[0] for row in found]
    assert KINDS[name].mtime in kinds
    # the same moment may be told as more than one date, but only of this file
    assert {row[1][0].lower() for row in found} == {"large.bin"}
    assert all("12:26:40" in str(row[2]) and "12:27:40" in str(row[3]) for row in found)


@per_kind("squashfs", "iso9660", "erofs")
def test_what_a_file_says_of_itself(look: Look, tmp_path: Path, tree: Path, name: str) -> None:
    def edit() -> None:
        (tree / "large.bin").chmod(0o600)
        settle(tree)

    (tree / "large.bin").chmod(0o644)
    found = change(look, tmp_path, tree, name, edit)
    assert isinstance(found, list)
    (row,) = found
    assert row[0].endswith(".mode") and "644" in str(row[2]) and "600" in str(row[3])


@per_kind("squashfs", "iso9660", "erofs", "cramfs", "fat12")
def test_a_file_more_is_one_root(look: Look, tmp_path: Path, tree: Path, name: str) -> None:
    def edit() -> None:
        (tree / "etc" / "deep" / "a new one").write_text("new\n")
        settle(tree)

    found = change(look, tmp_path, tree, name, edit)
    assert isinstance(found, list)
    path = "etc/deep/a new one"
    kind = KINDS[name].format
    assert found == [(f"{kind}.only_in_b", (path,), None, path)]


@per_kind("ext2", "ext3", "ext4")
def test_another_uuid_is_one_root(look: Look, tmp_path: Path, tree: Path, name: str) -> None:
    """With checksums, these of all inodes and directories follow."""
    one, two = tmp_path / "one", tmp_path / "two"
    KINDS[name].make(tree, one)
    two.write_bytes(one.read_bytes())
    want("debugfs")
    run("debugfs", "-w", "-R", "set_super_value uuid 22222222-2222-3333-4444-555555555555", two)
    assert roots(look(one, two)) == [("ext.superblock.uuid", (), UUID, UUID.replace("1", "2"))]


@per_kind("ext2", "ext4")
def test_a_symbolic_link_and_an_attribute(
    look: Look, tmp_path: Path, tree: Path, name: str
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    (tree / "link").symlink_to("etc/release")
    KINDS[name].make(tree, one)
    two.write_bytes(one.read_bytes())
    want("debugfs")
    for image, value in ((one, "bar"), (two, "baz")):
        run("debugfs", "-w", "-R", f"ea_set /large.bin user.foo {value}", image)
        run("debugfs", "-w", "-R", "set_inode_field /large.bin ctime @1600000000", image)
    assert roots(look(one, two)) == [
        ("ext.inode.xattr", ("large.bin",), "user.foo=bar", "user.foo=baz")
    ]
    run("debugfs", "-w", "-R", "set_inode_field /link block[0] 0x2f637475", two)
    found = [row for row in roots(look(one, two)) if row[0] == "ext.inode.target"]
    assert found == [("ext.inode.target", ("link",), "etc/release", "utc/release")]


def test_squashfs_links_and_attributes(look: Look, tmp_path: Path, tree: Path) -> None:
    (tree / "link").symlink_to("etc/release")
    os.link(tree / "large.bin", tree / "other name")

    def edit() -> None:
        (tree / "link").unlink()
        (tree / "link").symlink_to("etc/elsewhere")
        settle(tree)

    settle(tree)
    found = change(look, tmp_path, tree, "squashfs", edit)
    assert found == [("squashfs.inode.target", ("link",), "etc/release", "etc/elsewhere")]


PACKINGS = {
    "level": (("-comp", "gzip"), ("-comp", "gzip", "-Xcompression-level", "1")),
    "block size": (("-comp", "xz"), ("-comp", "xz", "-b", "65536")),
    "no fragments": (("-comp", "zstd"), ("-comp", "zstd", "-no-fragments")),
    "compressor": (("-comp", "gzip"), ("-comp", "zstd")),
}
SAID = {"squashfs.options", "squashfs.packing"} | {
    f"squashfs.superblock.{name}" for name in ("block_size", "flags", "compressor")
}


@pytest.mark.parametrize("what", PACKINGS)
def test_squashfs_packed_otherwise(look: Look, tmp_path: Path, tree: Path, what: str) -> None:
    """How it was made and that the packing differs, but no content."""
    images = tmp_path / "one", tmp_path / "two"
    for image, words in zip(images, PACKINGS[what], strict=True):
        Kind("squashfs", ("mksquashfs", *words)).make(tree, image)
    found = roots(look(*images))
    assert {kind for kind, *_ in found} <= SAID
    assert [kind for kind, *_ in found].count("squashfs.packing") == 1
    assert {where for _, where, *_ in found} == {()}


def test_squashfs_contents_are_unpacked_where_needed(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of which no packed block changed is not unpacked."""
    images = tmp_path / "one", tmp_path / "two"
    for image in images:
        KINDS["squashfs-xz"].make(tree, image)
        (tree / "etc" / "release").write_text("release 2\n")
        settle(tree)
    asked: list[int] = []
    unpack = UNPACK["xz"]

    def counting(data: bytes, most: int) -> bytes:
        asked.append(most)
        return unpack(data, most)

    monkeypatch.setattr(f"{squashfs.__name__}.UNPACK", {**UNPACK, "xz": counting})
    (tmp_path / "scratch").mkdir()
    look = looking(tmp_path / "scratch")
    assert roots(look(*images)) == [("text", ("etc/release",), "release 1\n", "release 2\n")]
    blocks = [most for most in asked if most > squashfs.METADATA]
    assert len(blocks) <= 2  # of the file on each side, where it is packed at all


OTHERS = [
    ("ext.superblock.label", "ext4", ("-L", "one"), ("-L", "two")),
    ("fat.boot.label", "fat16", ("-n", "ONE"), ("-n", "TWO")),
    ("fat.boot.label", "fat32", ("-n", "ONE"), ("-n", "TWO")),
    ("fat.boot.volume_id", "fat12", ("-i", "0000000a"), ("-i", "0000000b")),
    ("cramfs.superblock.name", "cramfs", ("-n", "one"), ("-n", "two")),
    ("cramfs.superblock.edition", "cramfs-big", ("-e", "1"), ("-e", "2")),
    ("iso9660.volume.publisher", "iso9660", ("-publisher", "me"), ("-publisher", "you")),
]


@pytest.mark.parametrize(("kind", "name", "one", "two"), OTHERS, ids=str)
def test_what_a_volume_says_of_itself(
    look: Look,
    tmp_path: Path,
    tree: Path,
    kind: str,
    name: str,
    one: tuple[str, ...],
    two: tuple[str, ...],
) -> None:
    """A label or an identity is one root, though the volume may repeat it."""
    images = tmp_path / "one", tmp_path / "two"
    for image, words in zip(images, (one, two), strict=True):
        usual = KINDS[name].words
        replace(KINDS[name], words=(*usual[:-2], *words, *usual[-2:])).make(tree, image)
    assert [row[0] for row in without_times(look(*images))] == [kind]


def without_times(node: Node | None) -> list[tuple[str, Route, object, object]]:
    """What is told but for times that reading a file may change."""
    return [row for row in roots(node) if not row[0].endswith(("time", "time_extra"))]


@per_kind("ext2", "ext3", "ext4", "erofs")
def test_another_identity(look: Look, tmp_path: Path, tree: Path, name: str) -> None:
    """The journal of ext3 repeats it; checksums follow from it."""
    images = tmp_path / "one", tmp_path / "two"
    for image, identity in zip(images, (UUID, UUID.replace("1", "2")), strict=True):
        kind = KINDS[name]
        words = tuple(identity if word == UUID else word for word in kind.words)
        replace(kind, words=words).make(tree, image)
    uuid = f"{kind.format}.superblock.uuid"
    assert without_times(look(*images)) == [(uuid, (), UUID, UUID.replace("1", "2"))]


def test_a_name_of_joliet_follows(look: Look, tmp_path: Path, tree: Path) -> None:
    def edit() -> None:
        old = tree / "etc" / "deep" / "a long name of file 3.txt"
        if old.exists():
            old.rename(old.with_name("a long name of file three.txt"))
        settle(tree)

    found = change(look, tmp_path, tree, "iso9660", edit)
    assert isinstance(found, list)
    assert [row[0] for row in found] == ["iso9660.renamed"]


def test_ext_that_cannot_be(look: Look, tmp_path: Path, tree: Path) -> None:
    image = tmp_path / "image"
    KINDS["ext4"].make(tree, image)
    data = bytearray(image.read_bytes())
    data[1024 + 96] |= 0x80  # 64-bit
    data[1024 + 254 : 1024 + 256] = b"\xff\xff"  # size of a group descriptor
    node = look(image, bytes(data))
    assert node
    assert [problem.kind for problem in node.problems] == ["format"]


def test_volume_names(look: Look, tmp_path: Path, tree: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    want("xorriso")
    for image, volume in ((one, "RELEASE_1"), (two, "RELEASE_2")):
        run(*ISO, "-R", "-J", "-V", volume, "-o", image, tree)
    where = ("primary volume descriptor",)
    assert roots(look(one, two)) == [("iso9660.volume.volume", where, "RELEASE_1", "RELEASE_2")]
    want("mkfs.vfat")
    for image, volume in ((one, "11111111"), (two, "22222222")):
        image.unlink()
        run("mkfs.vfat", "-C", "--invariant", "-i", volume, image, "100")
    assert roots(look(one, two)) == [("fat.boot.volume_id", (), "0x11111111", "0x22222222")]


def test_paths_end() -> None:
    paths = Paths()
    assert [paths.below("etc", b"x", 1) for _ in range(2)] == ["etc/x", "etc/x #2"]
    with pytest.raises(LimitError):
        paths.below("etc", b"x", 300)
    with pytest.raises(LimitError):
        paths.below("x" * 4096, b"x", 1)
