"""Merged root file systems, as umoci unpacks the same layers."""

import json
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from fixtures.images import image, layer, oci_layout, write
from fixtures.packing import gzip
from fixtures.tar import (
    Member,
    device,
    directory,
    fifo,
    file,
    hardlink,
    opaque,
    symlink,
    tar,
    whiteout,
    xattr,
)
from sxdiff.compare.index import Members, open_index
from sxdiff.compare.rootfs import Root, is_whiteout, merge, rung
from sxdiff.formats import tar as tar_format
from sxdiff.model import Limits
from sxdiff.work.walk import walk
from tests.layers import content_digest, scanned
from tests.tools import need, run

Layer: TypeAlias = list[Member]
Tree: TypeAlias = dict[str, str]
"""Path → what is there, in a word: "=CONTENT", "/" for a directory, "->TARGET", or the type."""

BASE = [
    directory("d"),
    file("d/one", "1"),
    directory("d/deep"),
    file("d/deep/two", "2"),
    file("keep", "k"),
    symlink("link", "keep"),
]
BASE_TREE = {
    "d": "/",
    "d/one": "=1",
    "d/deep": "/",
    "d/deep/two": "=2",
    "keep": "=k",
    "link": "->keep",
}


def _less(*paths: str, **more: str) -> Tree:
    return {path: what for path, what in BASE_TREE.items() if path not in paths} | more


CASES: dict[str, tuple[list[Layer], Tree]] = {
    "one layer": ([BASE], BASE_TREE),
    "a file above": ([BASE, [file("keep", "new")]], _less(keep="=new")),
    "whiteout of a file": ([BASE, [whiteout("d/one")]], _less("d/one")),
    "whiteout of a directory": (
        [BASE, [whiteout("d")]],
        _less("d", "d/one", "d/deep", "d/deep/two"),
    ),
    "whiteout of a link": ([BASE, [whiteout("link")]], _less("link")),
    "whiteout of nothing": ([BASE, [whiteout("d/none")]], BASE_TREE),
    "whiteout takes only from below": (
        [BASE, [file("d/one", "new"), whiteout("d/one")]],
        _less() | {"d/one": "=new"},
    ),
    "removed and there again": (
        [BASE, [whiteout("d")], [directory("d"), file("d/one", "again")]],
        _less("d/deep", "d/deep/two") | {"d/one": "=again"},
    ),
    "opaque": (
        [BASE, [directory("d"), opaque("d"), file("d/new", "n")]],
        _less("d/one", "d/deep", "d/deep/two") | {"d/new": "=n"},
    ),
    "opaque behind what its layer adds": (
        [BASE, [directory("d"), file("d/new", "n"), opaque("d")]],
        _less("d/one", "d/deep", "d/deep/two") | {"d/new": "=n"},
    ),
    "opaque for its directory only": (
        [[*BASE, directory("d.x"), file("d.x/f", "f"), directory("d0")], [opaque("d")]],
        _less("d/one", "d/deep", "d/deep/two") | {"d.x": "/", "d.x/f": "=f", "d0": "/"},
    ),
    "a file in place of a directory": (
        [BASE, [file("d", "file")]],
        _less("d/one", "d/deep", "d/deep/two") | {"d": "=file"},
    ),
    "a directory in place of a file": ([BASE, [directory("keep")]], _less() | {"keep": "/"}),
    "a directory again": ([BASE, [directory("d", 0o700)]], BASE_TREE),
    "a link in place of a directory": (
        [BASE, [symlink("d", "keep")]],
        _less("d/one", "d/deep", "d/deep/two") | {"d": "->keep"},
    ),
    "a hard link within a layer": (
        [BASE, [file("a", "a"), hardlink("b", "a")]],
        _less(a="=a", b="=a"),
    ),
    "a hard link to a lower layer": ([BASE, [hardlink("b", "keep")]], _less(b="=k")),
    "a hard link outlives the name it was made from": (
        [BASE, [hardlink("b", "keep")], [whiteout("keep")]],
        _less("keep") | {"b": "=k"},
    ),
    "a hard link keeps the old content": (
        [BASE, [hardlink("b", "keep")], [file("keep", "new")]],
        _less(keep="=new", b="=k"),
    ),
    "the last of several members counts": (
        [BASE, [file("x", "1"), file("x", "22"), file("x", "333")]],
        _less(x="=333"),
    ),
    "names are compared without ./": (
        [BASE, [file("./keep", "new"), directory("./d/"), whiteout("./d/one")]],
        _less("d/one") | {"keep": "=new"},
    ),
}


@contextmanager
def merged(path: Path, *layers: Iterable[Member] | bytes) -> Iterator[tuple[Root, list[Members]]]:
    """The tree of these layers, lowest first."""
    scans = [scanned(path, one if isinstance(one, bytes) else tar(one)) for one in layers]
    target = str(path / f"{len(list(path.iterdir()))}.root")
    indexes = [one.index or "" for one in scans]
    merge([(index, False) for index in indexes], target)
    with ExitStack() as stack:
        root = Root(target)
        stack.callback(root.close)
        members = [Members(index) for index in indexes]
        for one in members:
            stack.callback(one.close)
        yield root, members


def tree_of(root: Root, contents: Iterable[str]) -> Tree:
    """What the tree shows; contents are known by their digests."""
    known = {content_digest(one.encode()): one for one in contents}
    connection = open_index(root.path)
    tree = {}
    for path, kind, link, content in connection.execute(
        "SELECT path, inode_type, inode_link, content FROM root"
    ):
        tree[path.decode()] = {
            tar_format.REGULAR: f"={known.get(content)}",
            tar_format.DIRECTORY: "/",
            tar_format.SYMBOLIC_LINK: f"->{link.decode()}",
        }.get(kind, tar_format.TYPE_NAMES[kind])
    connection.close()
    return tree


def tree_on_disk(root: Path) -> Tree:
    tree = {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = Path(folder) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                what = f"->{os.readlink(path)}"
            elif stat.S_ISDIR(mode):
                what = "/"
            else:
                what = f"={path.read_text()}" if stat.S_ISREG(mode) else "FIFO"
            tree[str(path.relative_to(root))] = what
    return tree


def contents(layers: Iterable[Layer]) -> list[str]:
    return [member.content.decode() for one in layers for member in one]


def umoci_unpack(path: Path, layers: Iterable[Layer | bytes]) -> Path:
    """The root file system as umoci makes it of these layers."""
    need("umoci")
    stored = []
    for one in layers:
        data = one if isinstance(one, bytes) else tar(one)
        packed = layer(data, gzip(data), "application/vnd.oci.image.layer.v1.tar+gzip")
        stored.append(packed)
    write(oci_layout([image(stored)], ["v"]), path / "layout")
    run("umoci", "unpack", "--rootless", "--image", f"{path}/layout:v", path / "bundle")
    return path / "bundle" / "rootfs"


@pytest.mark.parametrize("name", CASES)
def test_layers_merge_as_the_specification_says(tmp_path: Path, name: str) -> None:
    layers, tree = CASES[name]
    with merged(tmp_path, *layers) as (root, _):
        assert tree_of(root, contents(layers)) == tree


@pytest.mark.parametrize("name", CASES)
def test_umoci_merges_the_same_layers_into_the_same_tree(tmp_path: Path, name: str) -> None:
    """So the table above is no mere opinion."""
    layers, tree = CASES[name]
    assert tree_on_disk(umoci_unpack(tmp_path, layers)) == tree


def test_what_only_looks_like_a_whiteout(tmp_path: Path) -> None:
    base = [*BASE, file("d/.wh.", "x"), file(".wh..opqX", "x")]
    above = [file("d/.wh.", ""), file("d/.wh..wh..opqX", ""), file("keep.wh.x", "stays")]
    with merged(tmp_path, base, above) as (root, _):
        tree = tree_of(root, contents([base, above]))
        # a bare prefix names nothing; more than the marker's name is no marker
        assert tree == _less() | {"keep.wh.x": "=stays"}
        assert root.shows(1, b"d/.wh.")
        assert root.shows(0, b"d/one")
    assert is_whiteout(b"d/.wh.x")
    assert not is_whiteout(b".wh.d/x")


def test_in_a_plain_root_a_whiteout_is_a_file(tmp_path: Path) -> None:
    one = scanned(tmp_path, tar([file("a"), file(".wh.a"), opaque("d")]))
    target = str(tmp_path / "root")
    assert merge([(one.index or "", False)], target, whiteouts=False) == 3


def test_what_an_estargz_layer_holds_for_itself_is_no_file(tmp_path: Path) -> None:
    one = scanned(tmp_path, tar([file("stargz.index.json"), file(".no.prefetch.landmark"), *BASE]))
    target = str(tmp_path / "root")
    assert merge([(one.index or "", True)], target) == len(BASE)


def rung_of(path: Path, a: list[Layer], b: list[Layer]) -> str:
    """The rung, and that it does not depend on which side is which."""
    for name in ("a", "b"):
        (path / name).mkdir(exist_ok=True)
    with merged(path / "a", *a) as one, merged(path / "b", *b) as other:
        found = rung(one[0], other[0], one[1], other[1])
        assert rung(other[0], one[0], other[1], one[1]) == found
    return found


CAPABILITY = xattr("security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
TIMED = [member.but(mtime=5) for member in BASE]


@pytest.mark.parametrize(
    ("a", "b", "equal_at"),
    [
        ([BASE], [BASE], "rootfs"),
        ([BASE], [BASE[:3], BASE[3:]], "rootfs"),
        ([[*BASE, file("x")]], [BASE, [file("x")]], "rootfs"),
        ([[*BASE, file("x")], [whiteout("x")]], [BASE], "rootfs"),
        ([BASE], [[member.but(dialect="gnu") for member in BASE[::-1]]], "rootfs"),
        ([BASE], [[directory("."), *BASE]], "rootfs"),
        ([BASE], [TIMED], "contents"),
        # GNU tar cuts what a header cannot hold, Go rounds it
        ([TIMED], [[one.but(pax=((b"mtime", b"5.25"),)) for one in BASE]], "rootfs"),
        ([TIMED], [[one.but(pax=((b"mtime", b"5.75"),)) for one in BASE]], "rootfs"),
        ([TIMED], [[one.but(pax=((b"mtime", b"4.5"),)) for one in BASE]], "rootfs"),
        ([TIMED], [[one.but(pax=((b"mtime", b"4.25"),)) for one in BASE]], "contents"),
        (
            [[one.but(pax=((b"mtime", b"5.5"),)) for one in BASE]],
            [[one.but(pax=((b"mtime", b"5.25"),)) for one in BASE]],
            "contents",
        ),
        ([BASE], [[one.but(mode=0o600) for one in BASE]], "contents"),
        ([BASE], [[one.but(raw={"mode": b"0100644\0"}) for one in BASE[1:2]]], "nothing"),
        ([[file("x")]], [[file("x").but(raw={"mode": b"0100644\0"})]], "rootfs"),
        ([[file("x")]], [[file("x").but(uid=1)]], "contents"),
        ([[file("x")]], [[file("x").but(uname=b"somebody")]], "rootfs"),
        ([[file("x")]], [[file("x").but(pax=(CAPABILITY,))]], "contents"),
        ([[file("x")]], [[file("y")]], "nothing"),
        ([[file("x")]], [[file("x", "1")]], "nothing"),
        ([[file("x")]], [[directory("x")]], "nothing"),
        ([[file("x")]], [[fifo("x")]], "nothing"),
        ([[symlink("x", "a")]], [[symlink("x", "b")]], "nothing"),
        ([[device("x", 1, 3)]], [[device("x", 1, 3)]], "rootfs"),
        ([[device("x", 1, 3)]], [[device("x", 1, 5)]], "nothing"),
        # a directory that no member names is there all the same, if something lies in it
        ([BASE], [[one for one in BASE if one.name != b"d/deep/"]], "contents"),
        ([BASE], [[one for one in BASE if one.name not in (b"d/deep/", b"d/deep/two")]], "nothing"),
        ([BASE], [[*BASE, directory("empty")]], "nothing"),
    ],
)
def test_how_far_two_trees_are_equal(
    tmp_path: Path, a: list[Layer], b: list[Layer], equal_at: str
) -> None:
    assert rung_of(tmp_path, a, b) == equal_at


X = file("x", "content").but(mtime=5)
Y = file("y", "content").but(mtime=5)
CIRCLE = [hardlink("a", "b"), hardlink("b", "a")]


@pytest.mark.parametrize(
    ("a", "b", "equal_at"),
    [
        # which name of a file holds the content is the writer's choice
        ([[X, hardlink("y", "x")]], [[Y, hardlink("x", "y")]], "rootfs"),
        ([[X, hardlink("y", "x")]], [[X], [hardlink("y", "./x").but(mtime=77)]], "rootfs"),
        (
            [[X, hardlink("y", "x"), hardlink("z", "y")]],
            [[Y, hardlink("x", "y"), hardlink("z", "x")]],
            "rootfs",
        ),
        # one file or two of the same content: metadata, says the contract
        ([[X, hardlink("y", "x")]], [[X, Y]], "contents"),
        ([[X, Y, hardlink("z", "x")]], [[X, Y, hardlink("z", "y")]], "contents"),
        ([[X, hardlink("y", "x")]], [[X, hardlink("y", "none")]], "nothing"),
        ([CIRCLE], [CIRCLE], "rootfs"),
        # hard links of what is no regular file
        (
            [[symlink("x", "t"), hardlink("y", "x")]],
            [[symlink("y", "t"), hardlink("x", "y")]],
            "rootfs",
        ),
        (
            [[symlink("x", "t"), hardlink("y", "x")]],
            [[symlink("x", "t"), symlink("y", "t")]],
            "contents",
        ),
        ([[symlink("x", "t"), hardlink("y", "x")]], [[symlink("x", "t"), file("y")]], "nothing"),
    ],
)
def test_hard_links_are_sets_of_names(
    tmp_path: Path, a: list[Layer], b: list[Layer], equal_at: str
) -> None:
    assert rung_of(tmp_path, a, b) == equal_at


def _ten_layers(path: Path) -> tuple[Path, Path]:
    """An image of ten layers made by umoci, and the tree that it packed."""
    need("umoci")
    layout, bundle = path / "layout", path / "bundle"
    image_name = f"{layout}:v"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", image_name)
    run("umoci", "unpack", "--rootless", "--image", image_name, bundle)
    root = bundle / "rootfs"
    times = count(1_000_000_000)

    def put(name: str, content: str) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(content)

    def remove(name: str) -> None:
        for folder, names, files in os.walk(root / name, topdown=False):
            for one in files:
                (Path(folder) / one).unlink()
            for one in names:
                (Path(folder) / one).rmdir()
        path = root / name
        path.rmdir() if path.is_dir() else path.unlink()

    def layers() -> Iterator[None]:
        for number in range(30):
            put(f"usr/share/{number % 3}/file{number}", f"content {number}\n" * number)
        (root / "usr" / "link").symlink_to("share/1")
        yield
        put("etc/passwd", "root\n")
        os.link(root / "etc/passwd", root / "etc/passwd-")
        yield
        remove("usr/share/1")
        yield
        put("usr/share/1", "a file where a directory was\n")
        yield
        remove("etc/passwd")
        put("etc/passwd", "root and user\n")
        yield
        remove("usr/link")
        put("usr/link/file", "a directory where a link was\n")
        yield
        os.link(root / "usr/share/0/file0", root / "hard")
        (root / "hard").chmod(0o4755)
        yield
        remove("usr/share/2")
        put("usr/share/2/file2", "alone\n")
        yield
        remove("usr/share/0/file0")
        os.mkfifo(root / "fifo")
        yield
        put("name with \\ and ü", "text\n")
        remove("usr/share/1")
        yield

    for _ in layers():
        os.utime(root / "usr", (next(times), next(times)))
        run("umoci", "repack", "--refresh-bundle", "--image", image_name, bundle)
    return layout, root


def test_ten_layers_by_umoci_are_the_tree_that_it_packed(tmp_path: Path) -> None:
    layout, root = _ten_layers(tmp_path)
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]

    def blob(digest: str) -> bytes:
        return (layout / "blobs" / digest.replace(":", "/")).read_bytes()

    layers = [blob(one["digest"]) for one in json.loads(blob(entry["digest"]))["layers"]]
    assert len(layers) == 10
    work = tmp_path / "work"
    work.mkdir()
    disk = walk(str(root), str(work / "disk"), Limits(), lambda _: None)
    assert disk.index
    merge([(disk.index, False)], str(work / "disk.root"), whiteouts=False)
    on_disk, disk_members = Root(str(work / "disk.root")), Members(disk.index)
    try:
        with merged(work, *layers) as (ours, members):
            # umoci --rootless says that root owns what is ours
            equal_at = "rootfs" if os.geteuid() == 0 else "contents"
            assert rung(ours, on_disk, members, [disk_members]) == equal_at
            assert tree_of(ours, []).keys() - {""} == tree_on_disk(root).keys()
    finally:
        on_disk.close()
        disk_members.close()


@pytest.mark.parametrize("kind", ["hard links", "whiteouts"])
def test_time_grows_with_the_number_of_members_only(tmp_path: Path, kind: str) -> None:
    """A file of very many names, a layer that takes very much away: not every one with every."""
    number = 20_000
    start = time.process_time()
    if kind == "hard links":
        links = [hardlink(f"link{n}", "file") for n in range(number)]
        assert rung_of(tmp_path, [[file("file"), *links]], [[file("./file"), *links]]) == "rootfs"
    else:
        files = [file(f"file{n}") for n in range(number)]
        taken = [whiteout(f"file{n}") for n in range(number)]
        with merged(tmp_path, files, taken) as (root, _):
            assert tree_of(root, []) == {}
    assert time.process_time() - start < 6
