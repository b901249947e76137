"""Bad input: one clear line and exit code 2, or a correct comparison with a problem entry.

Never a traceback, never a file outside the spool, never a spool that stays.
"""

import gzip
import hashlib
import json
import os
import random
import resource
import shutil
import stat
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import (
    INDEX,
    Item,
    archive,
    digest,
    docker_archive,
    document,
    image,
    index,
    index_json,
    layer,
    oci_archive,
    oci_layout,
    write,
)
from fixtures.packing import bzip2, xz, zstd
from fixtures.recipes.base import packed, root
from fixtures.tar import (
    CAP_NET_RAW,
    Member,
    directory,
    file,
    hardlink,
    opaque,
    sparse,
    symlink,
    tar,
    whiteout,
    xattr,
)
from sxdiff.model import InputError
from sxdiff.run import Options, compare
from tests.local import LocalPool
from tests.sample import ALL
from tests.tools import need

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
GOOD = packed(root())
MAIN = "from sxdiff.cli import main; main()"


@dataclass(frozen=True)
class Done:
    code: int
    report: dict[str, Any]
    text: str
    html: str
    line: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command as a user starts it, with everything that it writes under watch."""
    work, spool, home = tmp_path / "work", tmp_path / "spool", tmp_path / "inputs"
    for path in (work, spool, home):
        path.mkdir()

    def run_it(a: bytes | Path, b: bytes | Path = GOOD, *words: str) -> Done:
        inputs = []
        for side, data in (("a", a), ("b", b)):
            path = home / f"{side}.tar" if isinstance(data, bytes) else data
            if isinstance(data, bytes):
                path.write_bytes(data)
            inputs.append(path)
        outputs = ["--json", "r.json", "--html", "r.html", "--text", "r.txt"]
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *outputs, *words, *inputs],
            cwd=work,
            env={"PATH": os.environ["PATH"], "TMPDIR": str(spool), "HOME": str(home)},
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.stdout == b""
        errors = done.stderr.decode()
        assert not os.listdir(spool), errors
        assert "Traceback" not in errors
        assert "bug in sxdiff" not in errors
        assert all(c.isprintable() for c in errors.removesuffix("\n"))
        if done.returncode == 2:
            assert errors.startswith("sxdiff: ")
            assert errors.count("\n") == 1
            assert not os.listdir(work)
            return Done(2, {}, "", "", errors.strip())
        assert errors == ""
        assert done.returncode in (0, 1)
        assert sorted(os.listdir(work)) == ["r.html", "r.json", "r.txt"]
        report, page, text = ((work / name).read_text() for name in ("r.json", "r.html", "r.txt"))
        for name in os.listdir(work):
            (work / name).unlink()
        return Done(done.returncode, json.loads(report), text, page, "")

    return run_it


def test_the_good_image_is_good(run: Run) -> None:
    assert run(GOOD).code == 0


def _oci(files: dict[str, bytes]) -> bytes:
    return archive(files)


def _layout(*items: Item, **changed: bytes | None) -> dict[str, bytes]:
    files = oci_layout(items)
    for name, data in changed.items():
        path = {"index_json": "index.json", "oci_layout": "oci-layout"}[name]
        if data is None:
            del files[path]
        else:
            files[path] = data
    return files


ONE = image([layer(tar(root()))])
LAYER_DIGEST = layer(tar(root())).diff_id
OTHER_LAYER = tar(root()[:3]).ljust(len(tar(root())), b"\0")
LAYER_BLOB = "blobs/" + LAYER_DIGEST.replace(":", "/")


def _descriptor(data: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": INDEX, "digest": digest(data), "size": len(data), **more}


def _deep(levels: int) -> bytes:
    item = ONE
    for _ in range(levels):
        item = index([item])
    return oci_archive(item)


def _self_pointing() -> bytes:
    """An index whose file bears the digest that it points at itself: no such bytes exist."""
    wanted = "sha256:" + "5" * 64
    inner = document(
        {"schemaVersion": 2, "manifests": [{"mediaType": INDEX, "digest": wanted, "size": 150}]}
    ).ljust(150)
    outer = {"mediaType": INDEX, "digest": wanted, "size": 150}
    return _oci(
        {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "blobs/sha256/" + "5" * 64: inner,
            "index.json": document({"schemaVersion": 2, "manifests": [outer]}),
        }
    )


def _mutual_docker() -> bytes:
    """manifest.json whose layer is a link that leads to itself."""
    return tar(
        [
            symlink("a.tar", "b.tar"),
            symlink("b.tar", "a.tar"),
            file("c.json", document({"rootfs": {"type": "layers", "diff_ids": [LAYER_DIGEST]}})),
            file("manifest.json", document([{"Config": "c.json", "Layers": ["a.tar"]}])),
        ]
    )


NO_VERDICT: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "zeros": lambda: bytes(10240),
    "one zero": lambda: bytes(1),
    "text": lambda: b"not an image\n" * 100,
    "random": lambda: random.Random(9).randbytes(20_000),
    "an ELF file": lambda: Path(sys.executable).resolve().read_bytes()[:100_000],
    "an empty gzip": lambda: gzip.compress(b""),
    "gzip of text": lambda: gzip.compress(b"not an image\n" * 100),
    "gzip of zeros": lambda: gzip.compress(bytes(1 << 20)),
    "zstd of text": lambda: zstd(b"text"),
    "xz of text": lambda: xz(b"text"),
    "bzip2 of text": lambda: bzip2(b"text"),
    "a magic number": lambda: b"\x1f\x8b",
    "a zip": lambda: b"PK\x03\x04" + bytes(600),
    "wrong digest": lambda: _oci(_layout(ONE) | {LAYER_BLOB: OTHER_LAYER}),
    "wrong size": lambda: _oci(_layout(ONE) | {LAYER_BLOB: tar(root()) + b"\0"}),
    "missing layer": lambda: _oci(
        {name: data for name, data in _layout(ONE).items() if name != LAYER_BLOB}
    ),
    "missing config": lambda: _oci(
        {
            name: data
            for name, data in _layout(ONE).items()
            if json.loads(ONE.data)["config"]["digest"][7:] not in name
        }
    ),
    "missing manifest": lambda: _oci(
        {name: data for name, data in _layout(ONE).items() if digest(ONE.data)[7:] not in name}
    ),
    "no index": lambda: _oci(_layout(ONE, index_json=None)),
    "wrong diff_id": lambda: oci_archive(
        image([layer(tar(root()))], config={"rootfs": {"diff_ids": [digest(b"")]}})
    ),
    "too few diff_ids": lambda: oci_archive(
        image([layer(tar(root()))], config={"rootfs": {"type": "layers", "diff_ids": []}})
    ),
    "an index that points at itself": _self_pointing,
    "100 levels": lambda: _deep(100),
    "a link that leads to itself": _mutual_docker,
    "tar garbage in a layer": lambda: oci_archive(image([layer(random.Random(1).randbytes(5000))])),
    "tar garbage behind a member": lambda: oci_archive(
        image([layer(tar([file("x", "x" * 600)], b"garbage" * 200))])
    ),
    "a block of zeros between members": lambda: oci_archive(
        image([layer(tar([file("x")], bytes(512)) + tar([file("y")]))])
    ),
    "text for a layer": lambda: oci_archive(image([layer(b"no tar\n" * 300)])),
    "cut gzip layer": lambda: oci_archive(
        image([layer(tar(root()), gzip.compress(tar(root()))[:-100], GZIP)])
    ),
    "wrong check sum in a gzip layer": lambda: oci_archive(
        image([layer(tar(root()), gzip.compress(tar(root()))[:-8] + bytes(8), GZIP)])
    ),
    "cut zstd layer": lambda: oci_archive(
        image([layer(tar(root()), zstd(tar(root()))[:-9], ZSTD)])
    ),
    "index is a list": lambda: _oci(_layout(ONE, index_json=b"[]")),
    "index is empty": lambda: _oci(_layout(ONE, index_json=b"")),
    "index is null": lambda: _oci(_layout(ONE, index_json=b"null")),
    "index is no JSON": lambda: _oci(_layout(ONE, index_json=b"{]")),
    "index is no UTF-8": lambda: _oci(_layout(ONE, index_json=b'{"a":"\xff"}')),
    "index without manifests": lambda: _oci(_layout(ONE, index_json=b'{"schemaVersion":2}')),
    "deep JSON": lambda: _oci(_layout(ONE, index_json=b"[" * 100_000 + b"]" * 100_000)),
    "a huge number": lambda: _oci(
        _layout(ONE, index_json=b'{"manifests":[],"x":' + b"9" * 9999 + b"}")
    ),
    "100 MB of JSON": lambda: _oci(
        _layout(ONE, index_json=b'{"manifests":[' + b" " * (100 << 20) + b"]}")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_VERDICT)
def test_without_a_verdict_there_is_one_line(run: Run, name: str) -> None:
    bad = NO_VERDICT[name]()
    done = run(bad)
    assert done.code == 2
    assert "a.tar" in done.line
    assert len(done.line) < 600
    if len(bad) < 1 << 20 and (ALL or [*NO_VERDICT].index(name) % 4 == 0):
        assert "b.tar" in run(GOOD, bad).line


def test_what_broke_a_promise_is_named(run: Run) -> None:
    """The blob, what was promised and what was found."""
    line = run(_oci(_layout(ONE) | {LAYER_BLOB: OTHER_LAYER})).line
    assert LAYER_DIGEST in line
    assert f"promised {LAYER_DIGEST}, found {digest(OTHER_LAYER)}" in line
    wrong = image([layer(tar(root()))], config={"rootfs": {"diff_ids": [digest(b"")]}})
    line = run(oci_archive(wrong)).line
    assert f"diff_id promised {digest(b'')}, found {LAYER_DIGEST}" in line
    line = run(NO_VERDICT["missing layer"]()).line
    assert LAYER_DIGEST in line
    line = run(NO_VERDICT["wrong size"]()).line
    assert str(len(tar(root()))) in line
    assert str(len(tar(root())) + 1) in line


def test_a_wrong_diff_id_of_a_blob_that_both_sides_have(run: Run) -> None:
    """The same bytes can't be two layers: one side's config is no config of this image."""
    lie = {"rootfs": {"type": "layers", "diff_ids": [digest(b"")]}}
    wrong = oci_archive(image([layer(tar(root()))], config=lie))
    for pair in ((wrong, oci_archive(ONE)), (oci_archive(ONE), wrong)):
        done = run(*pair, "--require", "rootfs")
        assert done.code == 2
        assert f"diff_id promised {digest(b'')}, found {LAYER_DIGEST}" in done.line


def test_what_is_no_file(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "fifo", tmp_path / "loop", tmp_path / "absent", Path("/dev/null")):
        done = run(path)
        assert (done.code, str(path) in done.line) == (2, True)
    assert run(tmp_path / "empty").code in (1, 2)


WRONG_TYPES: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, "", "text", "sha256:", [], {}, [[]], [None], [{}]),
]


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes, bytes], str]:
    """Without processes: "verdict" and the problems, or the one line. All else is raised."""
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    spool = tmp_path / "quick"
    spool.mkdir()

    def compare_them(a: bytes, b: bytes) -> str:
        for side, data in (("a", a), ("b", b)):
            (tmp_path / f"{side}.tar").write_bytes(data)
        paths = [str(tmp_path / f"{side}.tar") for side in "ab"]
        try:
            with compare(paths[0], paths[1], Options(spool=str(spool)), None) as report:
                problems = [one["message"] for one in report.header["problems"]]
                said = "; ".join(["verdict", *problems])
                assert bool(list(report.differences())) == (a != b)
        except InputError as error:
            said = str(error)
            assert said
            assert "\n" not in said
            assert "worker" not in said
        assert not os.listdir(spool)
        return said

    return compare_them


Quick = Callable[[bytes, bytes], str]


@pytest.mark.parametrize("which", ["index.json", "manifest", "config", "index", "manifest.json"])
def test_json_of_wrong_types(quick: Quick, which: str) -> None:
    """Every value of every document in turn is of every other type; digests are right again."""
    lines = 0
    if which == "manifest.json":
        good = docker_archive(ONE)
        plain = json.loads(_member(good, b"manifest.json"))
    else:
        good = oci_archive(index([ONE]) if which == "index" else ONE)
        manifest = json.loads(ONE.data)
        config = json.loads(ONE.blobs[manifest["config"]["digest"]])
        plain = {
            "index.json": json.loads(index_json([ONE])),
            "manifest": manifest,
            "config": config,
            "index": json.loads(index([ONE]).data),
        }[which]
    for path in _paths(plain):
        for value in WRONG_TYPES:
            changed = _with(plain, path, value)
            if which == "index.json":
                bad = _oci(_layout(ONE, index_json=document(changed)))
            elif which == "manifest":
                bad = oci_archive(Item(document(changed), ONE.media_type, ONE.blobs, ONE.platform))
            elif which == "config":
                bad = oci_archive(_with_config(document(changed)))
            elif which == "index":
                inner = document(changed)
                bad = oci_archive(Item(inner, INDEX, index([ONE]).blobs))
            else:
                bad = _replaced(good, b"manifest.json", document(changed))
            lines += not quick(bad, good).startswith("verdict")
    assert lines > 20


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below: list[tuple[Any, ...]] = [at]
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            below += _paths(item, (*at, key))
    return below


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = json.loads(json.dumps(value))
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return changed


def _with_config(config: bytes) -> Item:
    manifest = json.loads(ONE.data)
    old = manifest["config"]["digest"]
    manifest["config"] |= {"digest": digest(config), "size": len(config)}
    blobs = {key: data for key, data in ONE.blobs.items() if key != old} | {digest(config): config}
    return Item(document(manifest), ONE.media_type, blobs, ONE.platform)


def _member(data: bytes, name: bytes) -> bytes:
    at = _find(data, name)
    size = int(data[at + 124 : at + 135], 8)
    return data[at + 512 : at + 512 + size]


def _find(data: bytes, name: bytes) -> int:
    return next(at for at in range(0, len(data), 512) if data[at : at + 100].rstrip(b"\0") == name)


def _replaced(data: bytes, name: bytes, content: bytes) -> bytes:
    at = _find(data, name)
    end = at + 512 + -(-len(_member(data, name)) // 512) * 512
    return data[:at] + tar([file(name, content, 0o444)], b"") + data[end:]


CUT = {
    "outer tar": GOOD,
    "outer gzip": gzip.compress(GOOD, 1),
    "outer zstd": zstd(GOOD),
    "outer xz": xz(GOOD),
    "outer bzip2": bzip2(GOOD),
    "docker-archive": docker_archive(ONE),
}


@pytest.mark.parametrize("name", CUT)
def test_truncated_anywhere(quick: Quick, name: str) -> None:
    data = CUT[name]
    errors = 0
    for size in sorted({0, 1, *range(1, len(data), max(1, len(data) // 60))}):
        said = quick(data[:size], GOOD)
        if said.startswith("verdict"):
            # a tar archive may be cut behind the last member that matters
            assert name in ("outer tar", "docker-archive")
            assert "end-of-archive marker is missing" in said or len(data) - size <= 512
        else:
            errors += 1
    assert errors > 45


def test_an_archive_without_its_end_is_a_problem(run: Run) -> None:
    done = run(GOOD[:-1000])
    assert (done.code, done.report["equal_at"]) == (0, "index")
    assert "end-of-archive marker" in json.dumps(done.report["problems"])


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd", "xz", "bzip2"])
@pytest.mark.parametrize("published", [True, False])
def test_a_blob_truncated_anywhere(quick: Quick, packing: str, published: bool) -> None:
    """Published so (its digest is right), or damaged on its way."""
    content = tar(root())
    packers: dict[str, Callable[[bytes], bytes]] = {
        "plain": bytes,
        "gzip": gzip.compress,
        "zstd": zstd,
        "xz": xz,
        "bzip2": bzip2,
    }
    whole = packers[packing](content)
    for size in range(0, len(whole), len(whole) // 50):
        good = image([layer(content, whole)])
        if published:
            # the config goes on to promise the whole content
            bad = oci_archive(image([layer(content, whole[:size])]))
        else:
            files = oci_layout([good])
            files["blobs/" + digest(whole).replace(":", "/")] = whole[:size]
            bad = _oci(files)
        assert not quick(bad, oci_archive(good)).startswith("verdict"), size


def test_a_changed_byte_anywhere_in_an_archive(quick: Quick) -> None:
    choose = random.Random(10)
    counts = {True: 0, False: 0}
    for data in (GOOD, docker_archive(ONE), gzip.compress(GOOD, 1)):
        for at in choose.sample(range(len(data)), 80):
            changed = bytearray(data)
            changed[at] = choose.randrange(256)
            counts[quick(bytes(changed), data).startswith("verdict")] += 1
    assert min(counts.values()) > 20


SCRIPT = "<script>alert(1)</script>"
ODD_NAMES = [
    b"../outside",
    b"a/../../outside",
    b"/absolute",
    b"//absolute/twice",
    b"..",
    b"./.",
    b"control\x1b[31m\x07\r\n\x9bname",
    b"bell\x07",
    SCRIPT.encode(),
    b"' onmouseover='alert(1)",
    b'" onload="alert(1)',
    b"&lt;b&gt;",
    "right-to-left\u202etxt.exe".encode(),
    b"not-utf8-\xff\xfe",
    b"back\\slash\\x41",
    b"]]><!--",
    b"{{ 7 * 7 }}",
    b"%s%n",
    b"a" * 255,
    b"$(touch /tmp/sxdiff-was-here)",
    b"-rf",
    b"CON",
]


def _controls(text: str) -> set[str]:
    return {c for c in text if ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u202e"} - {"\n"}


def test_odd_names_are_only_names(run: Run, tmp_path: Path) -> None:
    """In files, links, owners, attributes, configs and tags: on either side, and renamed."""
    long = [(name, name.decode("utf-8", "replace")) for name in ODD_NAMES]
    members = [file(name, b"content of " + name).but(uname=name[:31], pax=()) for name in ODD_NAMES]
    links = [symlink(b"link%d" % n, name[:99]) for n, name in enumerate(ODD_NAMES)]
    hard = [hardlink(b"hard%d" % n, name[:99]) for n, name in enumerate(ODD_NAMES)]
    attributes = [
        file(f"attribute{n}").but(pax=((b"SCHILY.xattr.user." + name, name),))
        for n, name in enumerate(ODD_NAMES)
        if b"=" not in name and b"\n" not in name
    ]
    members = [one if len(one.name) <= 100 else one.but(dialect="gnu") for one in members]
    everything = [*members, *links, *hard, *attributes]
    text = "\n".join(name for _, name in long)
    names = {f"org.example.{name}": name for _, name in long}
    a = image([layer(tar(everything))], config={"author": text, "config": {"Labels": names}})
    for changed in (
        [one.but(content=b"other") if one.type == b"0" else one for one in everything],
        [one.but(linkname=one.linkname[::-1]) for one in everything],
        [one.but(name=b"moved/" + one.name[:90]) for one in everything],
        everything[:3],
    ):
        b = image([layer(tar(changed))], config={"author": text[::-1], "architecture": SCRIPT})
        done = run(oci_archive(a, names=[SCRIPT]), oci_archive(b, names=["\x1b[2J"]))
        if done.code == 2:
            # platforms that differ leave nothing to compare
            continue
        assert done.code == 1
        assert SCRIPT not in done.html
        assert "onmouseover='alert" not in done.html
        assert not _controls(done.text)
        assert not _controls(done.html) - {"\t"}
        problems = [one["message"] for one in done.report["problems"] if one["kind"] == "path"]
        assert any("'../outside'" in one for one in problems)
    assert not list(Path(tmp_path).rglob("outside"))
    assert not Path("/tmp/sxdiff-was-here").exists()  # noqa: S108 - that is the point


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_of_the_archive_s_own_members(quick: Quick, name: bytes) -> None:
    data = tar([file(name, "x").but(dialect="gnu")], b"")
    quick(data + GOOD, GOOD)
    quick(GOOD[:-1024] + data + bytes(1024), GOOD)


def test_members_that_lead_out_of_the_archive(quick: Quick) -> None:
    """Links of the outer archive are followed inside it only."""
    files = _layout(ONE)
    content = files.pop(LAYER_BLOB)
    others = [file(name, data) for name, data in files.items()]
    for target in ("/etc/passwd", "../../../../etc/passwd", "../sha256/../../../x", ""):
        line = quick(tar([*others, symlink(LAYER_BLOB, target)]), GOOD)
        assert "etc/passwd" in line or "x.tar" in line or "a.tar" in line
        assert not line.startswith("verdict")
    inside = tar([*others, file("blobs/elsewhere", content), symlink(LAYER_BLOB, "../elsewhere")])
    assert quick(inside, GOOD).startswith("verdict")


def test_blobs_of_a_directory_that_lead_out_of_it(run: Run, tmp_path: Path) -> None:
    files = _layout(ONE)
    write(files, tmp_path / "layout")
    secret = tmp_path / "secret"
    secret.write_bytes(files[LAYER_BLOB])
    (tmp_path / "layout" / LAYER_BLOB).unlink()
    (tmp_path / "layout" / LAYER_BLOB).symlink_to(secret)
    done = run(tmp_path / "layout")
    assert done.code == 2
    assert "leads out" in done.line


def _gzip_zeros(size: int, tail: bytes = b"") -> bytes:
    """A gzip stream of zeros, packed a thousand times smaller, made a piece at a time."""
    packer = zlib.compressobj(9, wbits=31)
    piece = bytes(1 << 20)
    out = [packer.compress(piece) for _ in range(size >> 20)]
    return b"".join([*out, packer.compress(tail), packer.flush()])


def _header(name: str, size: int) -> bytes:
    return tar([Member(name.encode(), size=size, stored=b"")], b"")


def _bomb(size: int, last: bytes) -> Item:
    """A layer with one file of `size` zeros, but for its last byte."""
    hashed = hashlib.sha256()
    packer = zlib.compressobj(9, wbits=31)
    out = []
    pieces = [_header("zeros", size), *[bytes(1 << 20)] * (size >> 20)]
    pieces[-1] = pieces[-1][:-1] + last
    for piece in [*pieces, bytes(1024)]:
        hashed.update(piece)
        out.append(packer.compress(piece))
    out.append(packer.flush())
    diff_id = f"sha256:{hashed.hexdigest()}"
    return image(
        [layer(b"", b"".join(out), GZIP)],
        config={"rootfs": {"type": "layers", "diff_ids": [diff_id]}},
    )


def test_a_gzip_bomb_is_compared_in_little_memory(run: Run) -> None:
    """Deflate packs a thousand times at most, so that time is bounded by what there is to read."""
    bombs = [oci_archive(_bomb(256 << 20, last)) for last in (b"\0", b"\1")]
    assert len(bombs[0]) < 512 << 10
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = run(*bombs)
    assert (done.code, done.report["equal_at"]) == (1, "nothing")
    (found,) = [one for one in done.report["differences"] if one["path"] == "zeros"]
    assert found["a"]["at"] == [(256 << 20) - 1, 1]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak < 150 << 10 or peak == before


def _zstd_zeros(blocks: int) -> bytes:
    block = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\0\x58" + block * (blocks - 1) + bytes([block[0] | 1]) + block[1:]


def test_a_zstd_bomb_ends_at_the_limit(quick: Quick, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes of it unpack to more than any layer holds."""
    monkeypatch.setattr("sxdiff.image.unpack._EARLY_BYTES", 64 << 20)
    bomb = oci_archive(image([layer(b"", _zstd_zeros(1 << 14), ZSTD)]))
    assert "unpacks to more than" in quick(bomb, GOOD)


def test_an_outer_bomb_is_no_image(run: Run) -> None:
    for data in (_gzip_zeros(32 << 20), _zstd_zeros(1 << 8)):
        assert run(data).code == 2


def test_a_gzip_in_a_gzip_in_a_gzip(run: Run) -> None:
    data = b"the innermost\n"
    for _ in range(60):
        data = gzip.compress(data, mtime=0)
    done = run(packed([file("f.gz", data)]), packed([file("f.gz", data[:-1] + b"\1")]))
    assert done.code == 1
    other = gzip.compress(data[:40] + b"\xff" + data[41:], mtime=0)
    assert (
        run(
            packed([file("f.gz", gzip.compress(data, mtime=0))]), packed([file("f.gz", other)])
        ).code
        == 1
    )


def test_headers_that_promise_much(run: Run) -> None:
    """Sizes that are lies cost no memory."""
    lies = [
        tar([Member(b"x", size=1 << 62, stored=b"")], b""),
        tar([Member(b"x", type=b"x", size=1 << 40, stored=b"")], b""),
        tar([Member(b"x", type=b"L", size=7 << 20, stored=b"")], b""),
        tar([file("x").but(pax=((b"size", b"9" * 19),))]),
        tar([sparse("x", 10**18, [])]),
    ]
    for lie in lies:
        assert run(oci_archive(image([layer(lie)]))).code == 2
        assert run(lie).code == 2
    assert run(tar([file("x").but(pax=((b"path", b"y" * (9 << 20)),))])).code == 2


def test_a_layer_with_everything_twice_and_nothing_right(run: Run) -> None:
    """Whiteouts of themselves, links in circles, one name in many types: compared as it is."""
    members = [
        whiteout("x"), file("x"), directory("x"), symlink("x", "x"), hardlink("x", "x"),
        hardlink("a", "b"), hardlink("b", "a"), hardlink("c", "nowhere"), opaque("x"), opaque("."),
        file(".wh."), file("x/.wh..wh..opq/y"), file("x/y/z"), directory("x/y"), file("x/y"),
        file(""), file("/"), Member(b"t", type=b"Z", content=b"unknown"), symlink("s", ""),
        Member(b"d", type=b"3", raw={"devmajor": b"\xff" * 8}),
        file("p").but(pax=(xattr("security.capability", CAP_NET_RAW[:7]), xattr("", b""))),
    ]  # fmt: skip
    shuffle = random.Random(11)
    for _ in range(6):
        one, other = (shuffle.sample(members, len(members)) for _ in "ab")
        layers = [[layer(tar(part)) for part in (side[:9], side[9:])] for side in (one, other)]
        done = run(*(oci_archive(image(side)) for side in layers))
        assert done.code == 1
        assert done.report["differences"]


def test_permissions_do_not_matter(run: Run, tmp_path: Path) -> None:
    """What the image says of modes and owners is never applied to anything."""
    odd = [one.but(mode=0o7777777, uid=2**20, gid=2**20) for one in root()]
    done = run(packed(odd))
    assert (done.code, done.report["equal_at"]) == (1, "contents")
    for path in tmp_path.rglob("*"):
        assert not path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_unprivileged_user_gets_the_same_report(run: Run) -> None:
    need("setpriv")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
    # the worker's interpreter too: a Python below /root is out of nobody's reach
    probe = "import subprocess, sys, sxdiff; subprocess.run([sys.executable, '-c', ''], check=True)"
    if subprocess.run(
        [*nobody, sys.executable, "-c", probe], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        pytest.skip("nobody cannot run this Python")
    expected = run(packed(root()), packed(root()[:-2])).report
    home = Path("/tmp") / f"sxdiff-nobody-{os.getpid()}"  # noqa: S108 - nobody must reach it
    home.mkdir()
    try:
        for side, data in (("a", packed(root())), ("b", packed(root()[:-2]))):
            (home / f"{side}.tar").write_bytes(data)
        (home / "out").mkdir()
        os.chown(home / "out", 65534, 65534)
        done = subprocess.run(
            [
                *nobody,
                *(sys.executable, "-c", MAIN, "--json", "r.json", "../a.tar", "../b.tar"),
            ],
            cwd=home / "out",
            env={"PATH": os.environ["PATH"], "TMPDIR": str(home / "out")},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, b"")
        assert os.listdir(home / "out") == ["r.json"]
        assert json.loads((home / "out" / "r.json").read_text()) == expected
    finally:
        shutil.rmtree(home)
