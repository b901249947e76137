"""A root file system on disk reads like the archive that GNU tar makes of it."""

import os
import socket
from pathlib import Path

import pytest

from fixtures.tar import CAP_NET_RAW
from sxdiff.compare.index import Members
from sxdiff.compare.rootfs import Root, merge, rung
from sxdiff.formats.tar import HARD_LINK
from sxdiff.model import InputError, Limits
from sxdiff.run import Options, compare
from sxdiff.work.scan import Scan
from sxdiff.work.walk import walk
from tests.layers import members_of, rows_of, scanned
from tests.tools import need, run

PACK = (
    *("tar", "--sort=name", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"),
    *("--format=pax", "-cf"),
)


def _tree(path: Path) -> Path:
    """One of everything that an unprivileged user can make."""
    root = path / "root"
    root.mkdir()
    (root / "directory").mkdir(mode=0o750)
    (root / "directory" / "file").write_bytes(b"content")
    (root / "directory" / "file").chmod(0o640)
    (root / "empty").write_bytes(b"")
    os.link(root / "directory" / "file", root / "hard")
    (root / "link").symlink_to("directory/file")
    (root / "dangling").symlink_to("/nowhere\udcff")
    os.mkfifo(root / "fifo")
    (root / "a name \udcff with\nall\\x41 kinds").write_bytes(b"x")
    (root / ("long" * 60)).write_bytes(b"y" * 3000)
    deep = root / "/".join(["deep"] * 40)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"z")
    with (root / "sparse").open("wb") as stream:
        stream.seek(1 << 20)
        stream.write(b"end")
    os.setxattr(root / "empty", "user.name", b"\0\xff")
    os.utime(root / "empty", ns=(0, -1_500_000_000))
    os.utime(root / "directory", ns=(0, 1_000_000_007))
    if os.geteuid() == 0:
        os.mknod(root / "null", 0o20666, os.makedev(1, 3))
        os.chown(root / "hard", 3_000_000, 1000)
        (root / "hard").chmod(0o4711)
        os.setxattr(root / "hard", "security.capability", CAP_NET_RAW)
    return root


def walked(path: Path, root: Path) -> Scan:
    index = path / f"{len(list(path.iterdir()))}.walk"
    return walk(str(root), str(index), Limits(), lambda _: None)


def test_a_directory_is_equal_to_what_gnu_tar_packs(tmp_path: Path) -> None:
    need("tar")
    root, work = _tree(tmp_path), tmp_path / "work"
    work.mkdir()
    run(*PACK, tmp_path / "root.tar", "-C", root, ".")
    packed = scanned(work, (tmp_path / "root.tar").read_bytes())
    disk = walked(work, root)
    assert packed.index
    assert disk.index
    trees = []
    for index in (packed.index, disk.index):
        merge([(index, False)], index + ".root", whiteouts=False)
        trees.append((Root(index + ".root"), Members(index)))
    (a, a_members), (b, b_members) = trees
    assert rung(a, b, [a_members], [b_members]) == "rootfs"
    for one in (a, b, a_members, b_members):
        one.close()
    assert {row.path for row in rows_of(packed.index)} - {b""} == {
        row.path for row in rows_of(disk.index)
    }
    with members_of(packed) as (theirs, rows), members_of(disk) as (ours, our_rows):
        mine = {row.path: ours.header(row) for row in our_rows}
        for row in rows:
            if row.path and row.type != HARD_LINK:
                header, other = theirs.header(row), mine[row.path]
                assert (header.mtime, header.permissions) == (other.mtime, other.permissions)
                assert (header.uid, header.xattrs) == (other.uid, other.xattrs), row.path


def test_a_directory_against_its_archive_end_to_end(tmp_path: Path) -> None:
    need("tar")
    root = _tree(tmp_path)
    archive = tmp_path / "root.tar"
    run(*PACK, archive, "-C", root, ".")
    with compare(str(root), str(archive), Options(), None) as report:
        assert (report.header["equal_at"], report.header["met"]) == ("rootfs", True)
        # that one is no archive is all there is to tell
        assert {found["where"][0] for found in report.differences()} <= {"archive"}
    (root / "directory" / "file").write_bytes(b"changed")
    with compare(str(archive), str(root), Options(), None) as report:
        assert report.header["equal_at"] == "nothing"


def test_two_directories(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    a, b = _tree(tmp_path / "1"), _tree(tmp_path / "2")
    for folder, names, files in os.walk(a, topdown=False):
        other = os.path.join(b, os.path.relpath(folder, a))
        for name in [*names, *files]:
            status = os.lstat(os.path.join(folder, name))
            times = (status.st_atime_ns, status.st_mtime_ns)
            os.utime(os.path.join(other, name), ns=times, follow_symlinks=False)
    with compare(str(a), str(b), Options(), None) as report:
        assert report.header["equal_at"] in ("archive", "rootfs")
    os.utime(b / "hard", (1, 1))
    with compare(str(a), str(b), Options(), None) as report:
        assert report.header["equal_at"] == "contents"


def test_order_on_disk_does_not_matter(tmp_path: Path) -> None:
    for name, order in (("a", range(50)), ("b", reversed(range(50)))):
        (tmp_path / name).mkdir()
        for number in order:
            (tmp_path / name / str(number)).write_bytes(b"")
            os.utime(tmp_path / name / str(number), (1, 1))
    (tmp_path / "w").mkdir()
    a, b = (walked(tmp_path / "w", tmp_path / name) for name in "ab")
    assert a.order == b.order


def test_a_socket_is_something_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "w").mkdir()
    monkeypatch.chdir(tmp_path / "root")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket\x1b")
        found = walked(tmp_path / "w", tmp_path / "root")
    assert (found.members, found.problems) == (1, [])


def test_nothing_is_followed_or_opened_but_files(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "w").mkdir()
    os.mkfifo(root / "fifo")
    (root / "up").symlink_to("..")
    (root / "self").symlink_to(".")
    assert walked(tmp_path / "w", root).members == 3


def test_times_before_1970_keep_their_fraction(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "w").mkdir()
    for number, time in enumerate((-1, -500_000_000, -1_500_000_000, -(10**9))):
        (root / str(number)).write_bytes(b"")
        os.utime(root / str(number), ns=(0, time))
    with members_of(walked(tmp_path / "w", root)) as (members, rows):
        times = [members.header(row).mtime for row in rows]
    assert times == [-1, -500_000_000, -1_500_000_000, -(10**9)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "secret").write_bytes(b"x")
    (root / "secret").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        walked(tmp_path, root)


def test_a_directory_that_is_absent_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        walked(tmp_path, tmp_path / "absent")
