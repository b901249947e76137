"""The spool is the only place that is written to, and it goes, however the run ends."""

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.tar import file, tar
from sxdiff.model import InputError, LimitError
from sxdiff.run import Options, compare
from sxdiff.work.spool import Spool

_MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest may have been started without
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as nohup does
from sxdiff.cli import main
main()
"""
SXDIFF = (sys.executable, "-c", _MAIN)
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def test_a_spool_is_private_and_goes_with_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Spool.create(str(tmp_path)) as spool:
        assert os.stat(spool.directory).st_mode & 0o777 == 0o700
        blob = spool.store([b"ab", b"c"], 3)
        assert blob.read() == b"abc"
        assert os.path.dirname(blob.path) == spool.directory
        with pytest.raises(LimitError):
            spool.store(iter([b"ab", b"cd"]), 3)
        raise ZeroDivisionError
    assert not os.listdir(tmp_path)


def test_processes_share_a_spool_without_one_name(tmp_path: Path) -> None:
    names = ("m", "w1_", "w11_", "w1_s")
    spools = [Spool(str(tmp_path), prefix) for prefix in names]
    for spool in spools:
        for _ in range(12):
            spool.store([b"x"], 1)
    assert len(os.listdir(tmp_path)) == 48
    spools[1].clear()
    assert len(os.listdir(tmp_path)) == 36
    assert not [name for name in os.listdir(tmp_path) if name[:3] == "w1_" and name[3].isdigit()]


def test_no_spool_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^no spool: No such file or directory"):  # noqa: RUF043
        Spool.create(str(tmp_path / "absent"))


def _slow(path: Path) -> Path:
    """An image that takes long to read: one layer of zeros, 32 GB unpacked, 32 MB packed."""
    member = gzip.compress(bytes(64 << 20), 1, mtime=0)
    packed = layer(b"", member * 512, GZIP)
    target = path / "slow.tar"
    target.write_bytes(oci_archive(image([packed])))
    return target


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    path = tmp_path_factory.mktemp("slow")
    first = _slow(path)
    other = path / "other.tar"
    other.write_bytes(oci_archive(image([layer([file("x")])])))
    yield first, other
    first.unlink()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_nothing(
    tmp_path: Path, slow: tuple[Path, Path], number: int, code: int
) -> None:
    words = [*SXDIFF, "--jobs", "2", "--spool", str(tmp_path), *map(str, slow)]
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        deadline = time.monotonic() + 60
        workers: list[int] = []
        while not list(tmp_path.glob("*/w*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = [int(word) for word in children.read_text().split()]
        assert workers
        os.killpg(process.pid, number)  # as a terminal does it
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, b"")
    assert err.count(b"\n") <= 1
    assert b"Traceback" not in err
    assert not os.listdir(tmp_path)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.tar", tmp_path / "bad.tar"
    (tmp_path / "spool").mkdir()
    packed = gzip.compress(tar([file("x", "x" * 5000)]))
    good.write_bytes(oci_archive(image([layer([file("x")], packed)])))
    data = bytearray(good.read_bytes())
    data[data.index(packed) + 40] ^= 1
    bad.write_bytes(data)
    options = Options(spool=str(tmp_path / "spool"))
    with (
        pytest.raises(InputError, match="digest promised"),
        compare(str(good), str(bad), options, None),
    ):
        pass
    assert not os.listdir(tmp_path / "spool")


_WITHOUT_SPACE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from sxdiff.cli import main
main()
"""


@pytest.mark.parametrize("size", [0, 100, 5000, 30_000, 70_000, 200_000])
def test_a_full_disk_is_one_line(tmp_path: Path, size: int) -> None:
    """Files that may not grow, where a real disk would be full."""
    pairs = []
    for side in "ab":
        members = [file(f"f{number}", f"{side}{number}" * 300) for number in range(300)]
        packed = gzip.compress(tar(members))
        path = tmp_path / f"{side}.tar"
        path.write_bytes(oci_archive(image([layer(tar(members), packed, GZIP)])))
        pairs.append(path)
    (tmp_path / "spool").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_SPACE, str(size), "--spool", tmp_path / "spool", *pairs],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert done.stderr.count("\n") == 1
    assert "bug" not in done.stderr
    assert not os.listdir(tmp_path / "spool")
