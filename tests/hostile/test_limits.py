"""Each limit has an option, a meaning, and is met here: never in silence, and never a traceback."""

import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import Item, image, index, layer, oci_archive
from fixtures.tar import Member, file, sparse, tar
from sxdiff.cli.limits import meanings, size, usual
from sxdiff.model import InputError, Limits
from sxdiff.report import json as json_report
from sxdiff.run import Options, compare
from sxdiff.work.tasks import Tasks
from tests.limits_page import PAGE, page
from tests.local import LocalPool
from tests.work.test_files import _poison

ARTEFACTS = Path(__file__).parent.parent / "artefacts"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def _files(**contents: bytes) -> bytes:
    return oci_archive(image([layer(tar([file(name, one) for name, one in contents.items()]))]))


def _members(*members: Member) -> bytes:
    return oci_archive(image([layer(tar(list(members)))]))


def _nested() -> Item:
    return index([index([image([layer(tar([file("x", "x")]))])])])


def _zstd_window(window: int) -> bytes:
    """A frame of one raw block that asks for a window of 2**window bytes; RFC 8878, 3.1.1."""
    content = tar([file("x", "x")])
    block = (len(content) << 3 | 1).to_bytes(3, "little") + content
    frame = b"\x28\xb5\x2f\xfd\0" + bytes([window - 10 << 3]) + block
    return oci_archive(image([layer(content, frame, ZSTD)]))


def _gzip_layer(content: bytes) -> bytes:
    return oci_archive(image([layer(content, gzip.compress(content, mtime=0), GZIP)]))


def _object(change: int) -> bytes:
    """An object file whose code, which starts behind its header, is changed in one byte."""
    data = bytearray((ARTEFACTS / "small-x86_64.o").read_bytes())
    data[64] ^= change
    return bytes(data)


GOOD = _files(f=b"content")


@dataclass(frozen=True)
class Met:
    """What meets a limit of `value`, and what is said then."""

    value: int
    says: str
    sides: Callable[[], tuple[bytes, bytes]]
    verdict: bool = False


def _against_good(bad: Callable[[], bytes]) -> Callable[[], tuple[bytes, bytes]]:
    return lambda: (bad(), GOOD)


def _packed(side: bytes) -> bytes:
    return gzip.compress(side * 500 + side, mtime=0)


CASES: dict[str, Met] = {
    "document_bytes": Met(300, "bytes of JSON are beyond the limit of 300", lambda: (GOOD, GOOD)),
    "document_depth": Met(2, "nested deeper than 2 levels", lambda: (GOOD, GOOD)),
    "index_depth": Met(1, "1 level", _against_good(lambda: oci_archive(_nested()))),
    "members": Met(
        9,
        "more than 9 members",
        _against_good(lambda: _members(*[file(f"f{n}", "x") for n in range(10)])),
    ),
    "name_bytes": Met(
        50,
        "name of more than 50 bytes",
        _against_good(lambda: _members(file("n" * 51, "x"))),
    ),
    "header_bytes": Met(
        600,
        "is beyond the limit",
        _against_good(lambda: _members(file("x").but(pax=((b"path", b"y" * 700),)))),
    ),
    "expansion": Met(
        10,
        "unpacks to more than 10 times its size",
        _against_good(lambda: _gzip_layer(tar([file("x", bytes(9 << 20))]))),
    ),
    "window_bytes": Met(
        1 << 20,
        "zstd window of 2097152 bytes is beyond the limit of 1048576",
        _against_good(lambda: _zstd_window(21)),
    ),
    "hole_bytes": Met(
        8000,
        "bytes of holes, beyond the limit",
        _against_good(lambda: _members(sparse("x", 10_000, [(0, b"data" * 128)]))),
    ),
    "report_bytes": Met(
        500,
        "the report tells more than 500 bytes",
        lambda: (_files(f=b"one\n", g=b"one\n"), _files(f=b"two\n", g=b"two\n")),
    ),
    "member_depth": Met(
        1,
        "members nested 1 deep",
        lambda: (
            _files(f=gzip.compress(_packed(b"one"), mtime=0)),
            _files(f=gzip.compress(_packed(b"two"), mtime=0)),
        ),
        verdict=True,
    ),
    "member_bytes": Met(
        1000,
        "content of more than 1000 bytes",
        lambda: (_files(f=_packed(b"one")), _files(f=_packed(b"two"))),
        verdict=True,
    ),
    "text_bytes": Met(
        50,
        "text that differs over more than 50 bytes",
        lambda: (_files(f=b"one\n" * 50), _files(f=b"two\n" * 50)),
        verdict=True,
    ),
    "code_bytes": Met(
        1,
        "more than 1 bytes of code",
        lambda: (_files(f=_object(0)), _files(f=_object(1))),
        verdict=True,
    ),
    "file_differences": Met(
        3,
        "more than 3 differences in one file",
        lambda: (
            _files(f=b"".join(b"same %d\none\n" % n for n in range(9))),
            _files(f=b"".join(b"same %d\ntwo\n" % n for n in range(9))),
        ),
        verdict=True,
    ),
}
"""What LocalPool can show. The bounds of processes and of time are below."""

ELSEWHERE = {
    "seconds": "test_a_comparison_ends_with_its_seconds",
    "look_seconds": "test_a_worker_keeps_to_its_seconds_and_memory",
    "memory_bytes": "test_a_worker_keeps_to_its_seconds_and_memory",
    "spool_bytes": "test_the_spool_keeps_to_its_size",
}


def test_every_limit_is_met_by_a_test() -> None:
    assert {one.name for one in fields(Limits)} == CASES.keys() | ELSEWHERE.keys()
    assert all(name in globals() for name in ELSEWHERE.values())


def _compare(path: Path, sides: tuple[bytes, bytes], **limits: int) -> dict[str, Any]:
    for side, data in zip("ab", sides, strict=True):
        (path / f"{side}.tar").write_bytes(data)
    (path / "spool").mkdir(exist_ok=True)
    options = Options(spool=str(path / "spool"), limits=Limits(**limits))
    try:
        with compare(str(path / "a.tar"), str(path / "b.tar"), options, None) as report:
            found: dict[str, Any] = json.loads("".join(json_report.chunks(report)))
    finally:
        assert not os.listdir(path / "spool")
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_limit_that_is_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    monkeypatch.setattr("sxdiff.image.unpack._EARLY_BYTES", 1 << 20)
    case = CASES[name]
    sides = case.sides()
    whole = _compare(tmp_path, sides)  # the same without is compared, and no limit is met
    assert not whole["problems"]
    assert "limits" not in whole["options"]
    if not case.verdict:
        with pytest.raises(InputError, match=re.escape(case.says)):
            _compare(tmp_path, sides, **{name: case.value})
        return
    report = _compare(tmp_path, sides, **{name: case.value})
    assert report["equal_at"] == whole["equal_at"]
    assert report["options"]["limits"] == [f"{name}={case.value}"]
    problems = [one for one in report["problems"] if one["kind"] == "limit"]
    assert any(case.says in one["message"] for one in problems), report["problems"]
    assert any(one["path"] == "f" for one in report["differences"])


def test_a_comparison_ends_with_its_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> None:
        while True:
            time.sleep(0.1)

    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    monkeypatch.setattr(Tasks, "do_scan", slow)
    start = time.monotonic()
    with pytest.raises(InputError, match="the comparison took more than 1 seconds"):
        _compare(tmp_path, (GOOD, _files(f=b"other")), seconds=1)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("name", "value", "poison", "says"),
    [
        ("look_seconds", 1, "loop", "took too long"),
        ("memory_bytes", 300 << 20, "allocate", "out of memory"),
    ],
)
def test_a_worker_keeps_to_its_seconds_and_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: int,
    poison: str,
    says: str,
) -> None:
    _poison(monkeypatch)
    sides = _files(**{poison: b"one"}), _files(**{poison: b"two"})
    report = _compare(tmp_path, sides, **{name: value})
    assert report["equal_at"] == "nothing"
    (problem,) = report["problems"]
    assert says in problem["message"]
    assert problem["where"][-1] == poison


def test_the_spool_keeps_to_its_size(tmp_path: Path) -> None:
    """One file of it by what the kernel allows the worker, all of it by looking."""
    random = os.urandom(3 << 20)
    sides = tuple(gzip.compress(_files(f=random + side), 1, mtime=0) for side in (b"a", b"b"))
    with pytest.raises(InputError, match=r"File too large|the spool has more than 2097152"):
        _compare(tmp_path, (sides[0], sides[1]), spool_bytes=2 << 20)
    with pytest.raises(InputError, match="the spool has more than 4194304 bytes"):
        _compare(tmp_path, (sides[0], sides[1]), spool_bytes=4 << 20)
    assert _compare(tmp_path, (sides[0], sides[1]), spool_bytes=40 << 20)["equal_at"] == "nothing"


def test_every_limit_has_a_meaning() -> None:
    told = meanings()
    assert list(told) == list(usual()) == [one.name for one in fields(Limits)]
    for name, text in told.items():
        outcome = "No verdict" if CASES.get(name) and not CASES[name].verdict else ""
        assert outcome.lower() in text.lower(), name
        assert text.endswith("."), name


def test_the_page_of_limits_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "./dev reports writes it anew"


def _sxdiff(*words: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sxdiff", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_option(tmp_path: Path) -> None:
    for side, data in (("a", _files(f=b"one\n")), ("b", _files(f=b"two\n"))):
        (tmp_path / f"{side}.tar").write_bytes(data)
    listed = _sxdiff("--limit", "help", cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    heads = [line for line in listed.stdout.splitlines() if not line.startswith(" ")]
    assert heads == [f"{name}={size(name, value)}" for name, value in usual().items()]
    # what is listed is what can be said; what is usual changes nothing
    words = [word for head in heads for word in ("--limit", head)]
    told = ("--json", "-", "a.tar", "b.tar")
    usually = _sxdiff(*told, cwd=tmp_path)
    assert _sxdiff(*words, *told, cwd=tmp_path).stdout == usually.stdout
    changed = _sxdiff("--limit", "text_bytes=2", "--limit", "members=1k", *told, cwd=tmp_path)
    assert changed.returncode == 2
    assert "members" in changed.stderr
    changed = _sxdiff("--limit", "text_bytes=2", "--limit", "spool_bytes=1GB", *told, cwd=tmp_path)
    limits = ["text_bytes=2", "spool_bytes=1000000000"]
    assert json.loads(changed.stdout)["options"]["limits"] == limits
    # an option goes before the policy
    (tmp_path / "sxdiff.toml").write_text("[limits]\ntext_bytes = 3\nindex_depth = 9\n")
    changed = _sxdiff("--limit", "text_bytes=2", *told, cwd=tmp_path)
    limits = ["index_depth=9", "text_bytes=2"]
    assert json.loads(changed.stdout)["options"]["limits"] == limits


@pytest.mark.parametrize(
    "words", ["x=1", "members", "members=", "members=-1", "members=0", "members=x", "members=1.5",
              "members=2MB", "spool_bytes=1XB", "spool_bytes=1 XB", "spool_bytes=" + "9" * 19],
)  # fmt: skip
def test_the_option_wrong(tmp_path: Path, words: str) -> None:
    done = _sxdiff("--limit", words, "a.tar", "b.tar", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "limit" in done.stderr
    assert "Traceback" not in done.stderr
