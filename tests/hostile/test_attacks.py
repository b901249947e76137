"""Attacks by name, small and by hand: each ends in bounded time, in a verdict or in one line.

docs/security.md lists them with the tests that show what they get.
"""

import bz2
import gzip
import json
import lzma
import random
import re
import resource
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from fixtures.images import (
    INDEX,
    Item,
    archive,
    digest,
    document,
    image,
    layer,
    oci_archive,
    oci_layout,
)
from fixtures.tar import Member, device, file, hardlink, symlink, tar
from sxdiff.model import InputError
from sxdiff.report import json as json_report
from sxdiff.run import Options, compare
from tests.local import LocalPool
from tests.sample import so_many

ROOT = Path(__file__).parent.parent.parent
ARTEFACTS = ROOT / "tests" / "artefacts"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
SECONDS = 120
"""Of processor, for any of these, on a slow machine."""
MEMORY = 1 << 30
"""Address space that one may take on top of what the test has anyway."""

Attack = Callable[[bytes, bytes], tuple[str, list[str]]]


@pytest.fixture
def attack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attack]:
    """Compares two inputs here, with bounds: ("verdict", problems) or (the line, [])."""
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    (tmp_path / "spool").mkdir()
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)

    def compare_them(a: bytes, b: bytes) -> tuple[str, list[str]]:
        for side, data in (("a", a), ("b", b)):
            (tmp_path / f"{side}.tar").write_bytes(data)
        start = _cpu()
        paths = str(tmp_path / "a.tar"), str(tmp_path / "b.tar")
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, before[1]))
        try:
            with compare(*paths, Options(spool=str(tmp_path / "spool")), None) as report:
                found = json.loads("".join(json_report.chunks(report)))
            assert bool(found["differences"]) == (a != b)
            return "verdict", [one["message"] for one in found["problems"]]
        except InputError as error:
            assert "\n" not in str(error)
            return str(error), []
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
            assert _cpu() - start < SECONDS
            assert not list((tmp_path / "spool").iterdir())
            assert {one.name for one in tmp_path.iterdir()} == {"a.tar", "b.tar", "spool"}

    yield compare_them
    resource.setrlimit(resource.RLIMIT_AS, before)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _files(**contents: bytes) -> bytes:
    return oci_archive(image([layer(tar([file(name, one) for name, one in contents.items()]))]))


def _members(*members: Member) -> bytes:
    return oci_archive(image([layer(tar(list(members)))]))


def test_links_and_devices_are_only_names(attack: Attack, tmp_path: Path) -> None:
    """A link out, then a file through it; a device: nothing is made of any of them."""
    outside = tmp_path / "outside"
    tricks = [
        symlink("out", str(tmp_path)),
        file("out/outside", "written through a link"),
        hardlink("hard", "/etc/passwd"),
        hardlink("up", "../../../../etc/shadow"),
        symlink("loop", "loop"),
        file("loop/x", "x"),
        device("disk", 8, 0, b"4"),
        device("mem", 1, 1),
    ]
    assert attack(_members(*tricks), _members(*tricks[::-1]))[0] == "verdict"
    assert not outside.exists()


def _zip(entries: int, content: bytes, *, overlap: bool) -> bytes:
    """A zip archive whose central records all name the one local entry (or each its own)."""
    packed = zlib.compress(content, 9)[2:-4]
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, zlib.crc32(content), len(packed),
                         len(content), 1, 0)  # fmt: skip
    local = b"PK\3\4" + fields + b"f" + packed
    out, central = local, b""
    for number in range(entries):
        at = 0
        if not overlap and number:
            at, out = len(out), out + local
        central += (
            b"PK\1\2"
            + struct.pack("<H", 20)
            + fields
            + struct.pack("<HHHII", 0, 0, 0, 0, at)
            + b"f"
        )
    end = struct.pack("<HHHHIIH", 0, 0, entries, entries, len(central), len(out), 0)
    return out + central + b"PK\5\6" + end


def test_a_zip_whose_entries_overlap(attack: Attack) -> None:
    """2,000 records of one entry: 4 GB of content in 100 kB of archive."""
    zeros = bytes(2 << 20)
    said, problems = attack(*[
        _files(f=_zip(2000, zeros + last, overlap=True)) for last in (b"a", b"b")
    ])  # fmt: skip
    assert said == "verdict"
    assert problems


def test_zips_in_zips(attack: Attack) -> None:
    """As 42.zip: 16 in each of 16, four deep, 65,536 times what lies innermost."""
    sides = []
    for last in (b"a", b"b"):
        data = bytes(16 << 10) + last
        for _ in range(4):
            data = _zip(16, data, overlap=False)
        sides.append(_files(f=data))
    assert attack(sides[0], sides[1])[0] == "verdict"


def test_an_archive_that_holds_itself(attack: Attack) -> None:
    """A quine has no innermost archive: depth ends it as it ends this one."""
    sides = []
    for last in (b"a", b"b"):
        data = last
        for _ in range(200):
            data = _zip(1, data, overlap=False)
        sides.append(_files(f=data))
    said, problems = attack(sides[0], sides[1])
    assert said == "verdict"
    assert any("nested" in one for one in problems)


@pytest.mark.parametrize("packing", ["gzip", "xz", "bzip2", "zstd"])
def test_a_bomb_as_a_layer(attack: Attack, packing: str) -> None:
    """128 MiB of zeros in a few kB: hashed as they go by, never held, never written."""
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda data: gzip.compress(data, 9, mtime=0),
        "xz": lambda data: lzma.compress(data, preset=0),
        "bzip2": lambda data: bz2.compress(data, 9),
        "zstd": zstandard.ZstdCompressor().compress,
    }
    sides = []
    for last in (b"a", b"b"):
        content = tar([file("zeros", bytes((128 << 20) - 1) + last)])
        packed = packers[packing](content)
        sides.append(oci_archive(image([layer(content, packed, GZIP)])))
    assert len(sides[0]) < 1 << 20
    assert attack(sides[0], sides[1])[0] == "verdict"


@pytest.mark.parametrize("packing", ["gzip", "xz", "bzip2"])
def test_a_bomb_as_a_file(attack: Attack, packing: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "xz": lzma.compress,
        "bzip2": bz2.compress,
    }
    sides = [_files(f=packers[packing](bytes(64 << 20) + last)) for last in (b"a", b"b")]
    assert attack(sides[0], sides[1])[0] == "verdict"


def _wide_xz(content: bytes) -> bytes:
    """An xz stream whose block wants a dictionary of 4 GiB; xz file format 1.1, 3.1 and 5.3.1."""
    data = bytearray(lzma.compress(content, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]))
    size = (data[12] + 1) * 4
    at = data.index(b"\x21\x01\x00", 12)
    data[at + 2] = 40
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 12 + size - 4]).to_bytes(4, "little")
    return bytes(data)


def _wide_zstd(content: bytes) -> bytes:
    """A frame that wants a window of 2 GiB; RFC 8878, 3.1.1.1.2."""
    block = (len(content) << 3 | 1).to_bytes(3, "little") + content
    return b"\x28\xb5\x2f\xfd\0" + bytes([31 - 10 << 3]) + block


@pytest.mark.parametrize("packing", [_wide_xz, _wide_zstd])
def test_a_window_of_gigabytes(attack: Attack, packing: Callable[[bytes], bytes]) -> None:
    content = tar([file("x", "x")])
    bad = oci_archive(image([layer(content, packing(content), GZIP)]))
    line, _ = attack(bad, _files(x=b"x"))
    assert "window" in line or "wants over" in line
    said, problems = attack(_files(f=packing(b"one")), _files(f=packing(b"two")))
    assert said == "verdict"
    assert problems


PAX = [
    b"99999999 path=x\n", b"5 a\n", b"-1 path=x\n", b"0 path=x\n", b"9 path=x\n", b"11 path=x\n\n",
    b"path=x\n", b"9" * 5000 + b" path=x\n", b"10 path=x", b"6 =x\n", b"\xff\xfe\n", b"8 size=\n",
    b"13 size=-100\n", b"18 size=999999999\n", b"16 mtime=1e9999\n", b"14 uid=0x1234\n",
    b"12 path=\0/x\n", b"28 GNU.sparse.realsize=9999\n", b"25 GNU.sparse.map=1,2,3\n",
    b"9 path=x\n" * 1000,
]  # fmt: skip


@pytest.mark.parametrize("records", PAX, ids=range(len(PAX)))
def test_garbage_in_pax_records(attack: Attack, records: bytes) -> None:
    for kind in (b"x", b"g"):
        header = Member(b"pax", type=kind, content=records)
        bad = oci_archive(image([layer(tar([header, file("f", "x")]))]))
        said, _ = attack(bad, _files(f=b"x"))
        assert said == "verdict" or "a.tar" in said


def test_a_wide_index(attack: Attack) -> None:
    """As many entries as a document can hold, all of one manifest or of none that is there."""
    one = image([layer(tar([file("f", "x")]))])
    known = {"mediaType": one.media_type, "digest": digest(one.data), "size": len(one.data)}
    for more in ({}, {"digest": "sha256:" + "5" * 64}):
        wide = document({"schemaVersion": 2, "manifests": [known, *[known | more] * 15_000]})
        item = Item(wide, INDEX, one.blobs | {digest(one.data): one.data})
        said, _ = attack(oci_archive(item), oci_archive(one))
        assert said == "verdict" or "a.tar" in said


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224", "crc32", "SHA256"])
def test_weak_digests_are_no_promise(attack: Attack, algorithm: str) -> None:
    """Whoever finds two contents of one MD5 could swap them: such a digest names nothing."""
    import hashlib

    one = image([layer(tar([file("f", "x")]))])
    files = oci_layout([one])
    value = zlib.crc32(one.data).to_bytes(4).hex()
    if algorithm.lower() in hashlib.algorithms_available:
        value = hashlib.new(algorithm.lower(), one.data).hexdigest()
    entry = {"mediaType": one.media_type, "digest": f"{algorithm}:{value}", "size": len(one.data)}
    files[f"blobs/{algorithm}/{value}"] = one.data
    files["index.json"] = document({"schemaVersion": 2, "manifests": [entry]})
    line, _ = attack(archive(files), oci_archive(one))
    assert algorithm in line


def test_elf_with_every_field_at_its_extremes(attack: Attack) -> None:
    """Each field of the ELF header and of each section header: all bits, none, or one."""
    good = (ARTEFACTS / "small-debug.o").read_bytes()
    (table,), (count,) = struct.unpack_from("<Q", good, 40), struct.unpack_from("<H", good, 60)
    fields = [(at, 8) for at in (24, 32, 40)] + [(at, 2) for at in (52, 54, 56, 58, 60, 62)]
    for number in range(count):
        start = table + number * 64
        fields += [(start + at, 4) for at in (0, 4, 40, 44)]
        fields += [(start + at, 8) for at in (8, 16, 24, 32, 48, 56)]
    bad = {}
    for at, width in fields:
        for value in (b"\xff" * width, b"\0" * width, b"\xff" * (width - 1) + b"\x7f"):
            data = bytearray(good)
            data[at : at + width] = value
            bad[f"{at}-{value.hex()}.o"] = bytes(data)
    names = sorted(bad)
    for start in range(0, len(names), 100):
        part = names[start : start + 100]
        said, _ = attack(_files(**dict.fromkeys(part, good)),
                         _files(**{name: bad[name] for name in part}))  # fmt: skip
        assert said == "verdict"


def test_dwarf_that_leads_in_circles(attack: Attack) -> None:
    """Units, abbreviations and line programs of which words are others: they refer to anything."""
    good = (ARTEFACTS / "small-debug.o").read_bytes()
    choose = random.Random(13)
    bad = {}
    for number in range(120):
        data = bytearray(good)
        for _ in range(choose.randrange(1, 12)):
            at = choose.randrange(64, len(data) - 8)
            data[at : at + choose.choice((1, 2, 4))] = choose.choice(
                (b"\0\0\0\0", b"\xff\xff\xff\xff", struct.pack("<I", choose.randrange(200)))
            )[: choose.choice((1, 2, 4))]
        bad[f"f{number}.o"] = bytes(data[: len(good)].ljust(len(good), b"\0"))
    said, _ = attack(_files(**dict.fromkeys(bad, good)), _files(**bad))
    assert said == "verdict"


def test_fifty_megabytes_of_lines_that_all_differ(attack: Attack) -> None:
    """Time follows the length, not its square; so does a file of lines in another order."""
    lines = [b"%09d\n" % one for one in range(5_000_000)]
    said, problems = attack(_files(f=b"".join(lines)), _files(f=b"x".join(lines)))
    assert said == "verdict"
    assert any("text that differs" in one for one in problems)
    few = lines[: so_many(200_000, 600_000)]
    shuffled = random.Random(1).sample(few, len(few))
    assert attack(_files(f=b"".join(few)), _files(f=b"".join(shuffled)))[0] == "verdict"
    count = so_many(500_000, 2_000_000)
    twice = [b"%d\n" % (one % 7) for one in range(count)]
    other = [b"%d\n" % (one * one % 7) for one in range(count)]
    assert attack(_files(f=b"".join(twice)), _files(f=b"".join(other)))[0] == "verdict"


def test_every_test_that_security_names_exists() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    table = page.partition("| attack |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`((?:tests|bench)/[\w/.]+)::(\w+)`", row)
        assert named, row
        for path, name in named:
            text = (ROOT / path).read_text()
            assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{path}::{name}"
