"""Outputs are whole or not there."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sxdiff.model import InputError
from sxdiff.report import write


def _broken() -> Iterator[str]:
    yield "half"
    raise KeyboardInterrupt


def test_a_file_is_written_in_utf8_with_line_feeds(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write.write(str(target), ["é\n", "b"])
    assert target.read_bytes() == b"\xc3\xa9\nb"
    assert os.listdir(tmp_path) == ["out"]


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write.write(str(tmp_path / "out"), ["x"])
    assert (tmp_path / "out").stat().st_mode == plain.stat().st_mode


def test_a_replaced_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    (tmp_path / "real").touch(0o600)
    (tmp_path / "link").symlink_to("real")
    write.write(str(tmp_path / "link"), ["new"])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600


@pytest.mark.parametrize("before", [None, "old"])
def test_what_breaks_on_the_way_leaves_all_as_it_was(tmp_path: Path, before: str | None) -> None:
    target = tmp_path / "out"
    if before is not None:
        target.write_text(before)
    with pytest.raises(KeyboardInterrupt):
        write.write(str(target), _broken())
    assert os.listdir(tmp_path) == ([] if before is None else ["out"])
    assert before is None or target.read_text() == before


def test_a_pipe_is_written_straight(tmp_path: Path) -> None:
    target = tmp_path / "pipe"
    os.mkfifo(target)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(target.read_bytes()))
    reader.start()
    write.write(str(target), ["a", "b"])
    reader.join()
    assert read == [b"ab"]
    assert stat.S_ISFIFO(target.stat().st_mode)


@pytest.mark.parametrize("name", ["absent/out", "", "file/out"])
def test_a_wrong_place_is_told_before_and_while_writing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    target = f"{tmp_path}/{name}"
    with pytest.raises(InputError, match=r"cannot write .*directory"):
        write.check(target)
    with pytest.raises(InputError, match=r"cannot write .*irectory"):
        write.write(target, ["x"])
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_told() -> None:
    with pytest.raises(InputError, match="cannot write /dev/full: No space left on device"):
        write.write("/dev/full", ["x"])


def test_a_good_place_is_fine(tmp_path: Path) -> None:
    for target in (write.STDOUT, str(tmp_path / "out"), "/dev/null"):
        write.check(target)
    assert os.listdir(tmp_path) == []
