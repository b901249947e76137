"""Tar headers as real tools write them, and any bytes at all."""

import os
import random
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixtures.tar import (
    Member,
    base256,
    device,
    encode,
    file,
    global_header,
    hardlink,
    old_sparse,
    pax_records,
    symlink,
)
from fixtures.tar import tar as tar_of
from sxdiff.formats import tar, xattr
from sxdiff.formats.tar import Header
from sxdiff.model import FormatError, text_of
from tests.layers import content_digest, headers
from tests.tools import need, run

LONG = b"a-directory-name-of-some-length/" * 5 + b"file"
VERY_LONG = b"long/" * 60 + b"file"
TAR = ("tar", "--sort=name", "--owner=7:8", "--group=9:10", "--mtime=2001-02-03 04:05:06.789Z")


def parse(*members: Member) -> Header:
    """The header of the last member."""
    return Header.parse(b"".join(encode(member.but(stored=b"")) for member in members), {})


def meaning(header: Header) -> dict[str, object]:
    return {f"{fact.kind} {fact.name}".strip(): fact.value for fact in tar.meaning(header, 0)}


@pytest.mark.parametrize("form", ["ustar", "pax", "gnu", "v7"])
def test_what_gnu_tar_writes_reads_alike_in_every_dialect(tmp_path: Path, form: str) -> None:
    need("tar")
    tree, out = tmp_path / "tree", tmp_path / "out"
    tree.mkdir()
    out.mkdir()
    (tree / "file").write_bytes(b"content")
    (tree / "file").chmod(0o4755)
    os.link(tree / "file", tree / "hard")
    (tree / "link").symlink_to("file")
    (tree / "directory").mkdir()
    run(*TAR, f"--format={form}", "-cf", tmp_path / "x.tar", ".", cwd=tree)
    found = headers(out, (tmp_path / "x.tar").read_bytes())
    row, header = found[b"file"]
    second = 981173106
    assert header.mtime == second * 10**9 + (789_000_000 if form == "pax" else 0)
    assert header.whole_seconds == (form != "pax")
    assert (header.permissions, header.uid, header.gid, header.size) == (0o4755, 8, 10, 7)
    assert (header.uname, header.gname) == ((b"7", b"9") if form != "v7" else (b"", b""))
    assert row.content == content_digest(b"content")
    assert found[b"hard"][1].type == tar.HARD_LINK
    assert tar.path_of(found[b"hard"][1].linkname) == b"file"
    assert (found[b"link"][1].type, found[b"link"][1].linkname) == (tar.SYMBOLIC_LINK, b"file")
    assert found[b"directory"][1].type == tar.DIRECTORY
    said = {"ustar": "ustar", "pax": "pax, ustar", "gnu": "GNU", "v7": "v7"}[form]
    raw = (tmp_path / "x.tar").read_bytes()[row.at : row.data_at]
    assert tar.dialect(header, raw) == said


@pytest.mark.parametrize("form", ["pax", "gnu"])
@pytest.mark.parametrize("name", [LONG, VERY_LONG, b"not-utf8-\xff\xfe", b"new\nline", b"c\\x41"])
def test_names_of_any_bytes_and_length(tmp_path: Path, form: str, name: bytes) -> None:
    need("tar")
    tree, out = tmp_path / "tree", tmp_path / "out"
    out.mkdir()
    path = os.path.join(os.fsencode(tree), name)
    os.makedirs(os.path.dirname(path))
    Path(os.fsdecode(path)).write_bytes(b"x")
    os.symlink(name, os.path.join(os.fsencode(tree), b"link"))
    run(*TAR, f"--format={form}", "-cf", tmp_path / "x.tar", ".", cwd=tree)
    found = headers(out, (tmp_path / "x.tar").read_bytes())
    assert name in found
    assert found[b"link"][1].linkname == name
    with tarfile.open(tmp_path / "x.tar", errors="surrogateescape") as archive:
        theirs = {os.fsencode(os.path.normpath(info.name)) for info in archive}
    assert {path or b"." for path in found} == theirs


def test_a_ustar_prefix_is_part_of_the_name() -> None:
    header = parse(file("base").but(raw={"prefix": b"some/directory"}))
    assert header.name == b"some/directory/base"
    # GNU keeps other things there
    assert parse(file("base").but(raw={"prefix": b"x"}, dialect="gnu")).name == b"base"


def test_global_records_hold_for_all_that_follow_and_give_way_to_local_ones(
    tmp_path: Path,
) -> None:
    found = headers(
        tmp_path,
        tar_of(
            [
                file("before"),
                global_header([(b"mtime", b"5.5"), (b"uid", b"77")]),
                file("first"),
                file("own").but(pax=((b"mtime", b"6"),)),
                global_header([(b"uid", b"78")]),
                file("last"),
            ]
        ),
    )
    half = 5_500_000_000
    said = {path: (header.mtime, header.uid) for path, (_, header) in found.items()}
    assert said == {
        b"before": (0, 0),
        b"first": (half, 77),
        b"own": (6 * 10**9, 77),
        b"last": (half, 78),
    }


def test_a_local_record_counts_more_even_in_front_of_a_global_one() -> None:
    local = encode(file("x").but(pax=((b"uid", b"1"),)))
    shared = encode(global_header([(b"uid", b"2")]))
    raw = local[:1024] + shared + local[1024:1536]
    assert Header.parse(raw, {}).uid == 1


@pytest.mark.parametrize("value", [-1, -(2**31), 8**7, 2**40, -(2**55)])
def test_numbers_in_base_256(value: int) -> None:
    assert tar.number(base256(value, 8)) == value
    assert tar.number(base256(value, 12)) == value
    header = parse(file("x").but(raw={"mtime": base256(value, 12), "uid": base256(value, 8)}))
    assert (header.mtime, header.uid) == (value * 10**9, value)


def test_negative_and_large_numbers_by_gnu_tar(tmp_path: Path) -> None:
    need("tar")
    (tmp_path / "tree").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "tree" / "old").write_bytes(b"")
    os.utime(tmp_path / "tree" / "old", ns=(0, -1_500_000_000))
    for form, mtime in (("gnu", -2 * 10**9), ("pax", -1_500_000_000)):
        words = ("tar", f"--format={form}", "--owner=:3000000", "--group=:4000000", "-cf")
        run(*words, tmp_path / "x.tar", "old", cwd=tmp_path / "tree")
        header = headers(tmp_path / "out", (tmp_path / "x.tar").read_bytes())[b"old"][1]
        assert (header.mtime, header.uid, header.gid) == (mtime, 3_000_000, 4_000_000)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"644\0junk", 0o644),
        (b"\0" * 8, 0),
        (b"        ", 0),
        (b"77777777", 0o77777777),
        (b"", 0),
    ],
)
def test_octal_fields_in_all_their_spellings(field: bytes, value: int) -> None:
    assert tar.number(field) == value


@pytest.mark.parametrize("field", [b"0000648\0", b"-0000001", b"0x1\0", b"1 2\0", b"\x7f"])
def test_what_is_no_number_is_an_error(field: bytes) -> None:
    with pytest.raises(FormatError, match="no octal number"):
        tar.number(field)


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        (b"1", 10**9),
        (b"1.", 10**9),
        (b"0.5", 5 * 10**8),
        (b"-0.5", -5 * 10**8),
        (b"-1.25", -1_250_000_000),
        (b"1.0000000019", 1_000_000_001),
        (b"-1.0000000011", -1_000_000_002),
        (b"12345678901.123456789", 12345678901123456789),
    ],
)
def test_times_are_cut_towards_the_past(value: bytes, nanoseconds: int) -> None:
    assert tar.nanoseconds(value) == nanoseconds


@given(st.binary(max_size=24))
def test_any_bytes_are_a_number_or_an_error(field: bytes) -> None:
    try:
        value = tar.number(field)
    except FormatError:
        return
    assert isinstance(value, int)


@given(st.binary(max_size=200))
@example(b"6 a=b\n0 =\n")
@example(b"99999999999999999999 a=b\n")
@example(b"3 =\n" + bytes(100))
@example(b"-6 a=b\n")
@example(b" 6 a=b\n")
def test_any_bytes_are_records_or_an_error(data: bytes) -> None:
    try:
        records = list(tar.pax_records(data))
    except FormatError:
        return
    # what was read covers the data from its start, record by record
    at = 0
    for key, value, (start, size) in records:
        assert start == at
        assert data[start : start + size].endswith(b"=" + value + b"\n")
        assert text_of(data[start : start + size]).count(key)
        at += size
    assert not data[at:].strip(b"\0")


@given(
    st.lists(
        st.tuples(st.binary(min_size=1).filter(lambda key: b"=" not in key), st.binary()),
        max_size=8,
    )
)
def test_records_are_read_as_they_were_written(written: list[tuple[bytes, bytes]]) -> None:
    read = [(key, value) for key, value, _ in tar.pax_records(pax_records(written))]
    assert read == [(text_of(key), value) for key, value in written]


@given(st.binary(max_size=70))
def test_any_bytes_are_a_time_or_an_error(value: bytes) -> None:
    try:
        assert isinstance(tar.nanoseconds(value), int)
    except FormatError:
        pass
    else:
        assert value.strip(b"-.0123456789") == b""


RICH = (
    file("x").but(pax=((b"mtime", b"1.5"), (b"SCHILY.xattr.user.a", b"\xff\0"))),
    file("x").but(
        pax=((b"GNU.sparse.map", b"0,1,5,2"), (b"GNU.sparse.size", b"9")), content=b"abc"
    ),
    Member(LONG, dialect="gnu", linkname=LONG, type=b"2"),
    device("dev", 5, 1),
    Member(b"s", type=b"S", dialect="gnu", raw={"prefix": bytes(41) + b"1".ljust(24) * 4}),
)


@pytest.mark.parametrize("member", RICH, ids=lambda member: text_of(member.name[:8]))
def test_damaged_headers_are_facts_or_an_error(member: Member) -> None:
    """Law 6, on headers made from good ones: one byte changed, or cut."""
    good = encode(member.but(stored=b""))
    changes = random.Random(1)
    for at in range(len(good)):
        raw = bytearray(good)
        raw[at] = changes.randrange(256)
        for data in (bytes(raw), good[:at]):
            try:
                header = Header.parse(data, {})
                facts = list(tar.meaning(header, 0))
                spelled = list(tar.spelling(header, data, 0))
            except FormatError:
                continue
            assert facts
            assert spelled


def test_a_gnu_sparse_map_ends_at_the_first_empty_entry() -> None:
    """As GNU tar, libarchive and Go read it."""
    good = encode(old_sparse("x", 9000, [(4096, b"data")]).but(stored=b""))
    assert Header.parse(good, {}).sparse == ((4096, 4), (9000, 0))
    for at in (0, 12):
        raw = bytearray(good)
        raw[386 + at] = 0
        assert Header.parse(bytes(raw), {}).sparse == ()


def test_the_spelling_covers_every_byte_of_a_header() -> None:
    raw = encode(file("x"))[:512]
    header = Header.parse(raw, {})
    covered: list[int] = []
    for _, fact in tar.spelling(header, raw, 0):
        assert fact.at
        covered += range(fact.at[0], sum(fact.at))
    assert sorted(covered) == list(range(512))


def test_the_checksum_may_be_of_signed_bytes() -> None:
    block = bytearray(encode(file(b"\xe9\xff"))[:512])
    assert tar.checksum_is_right(bytes(block))
    block[148:156] = b" " * 8
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % signed
    assert tar.checksum_is_right(bytes(block))
    block[148:156] = b"%06o\0 " % (signed + 1)
    assert not tar.checksum_is_right(bytes(block))


def _holes(path: Path, regions: int) -> bytes:
    """A file with so many pieces of data between holes, and a hole at its end."""
    with path.open("wb") as stream:
        for number in range(regions):
            stream.seek(number * (1 << 16))
            stream.write(bytes([number + 1]) * 5000)
        stream.truncate((regions << 16) + 12345)
    return path.read_bytes()


@pytest.mark.parametrize("regions", [0, 1, 3, 4, 5, 25, 26, 60])
@pytest.mark.parametrize(
    "form",
    ["gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax --sparse-version=1.0"],
)
def test_sparse_files_are_what_they_expand_to(tmp_path: Path, form: str, regions: int) -> None:
    need("tar")
    (tmp_path / "out").mkdir()
    content = _holes(tmp_path / "disk.img", regions)
    words = (*["tar", "--sparse", "--hole-detection=raw"], *f"--format={form}".split())
    run(*words, "-cf", tmp_path / "x.tar", "disk.img", cwd=tmp_path)
    archive = (tmp_path / "x.tar").read_bytes()
    if regions > 1:
        assert len(archive) < len(content)
    row, header = headers(tmp_path / "out", archive)[b"disk.img"]
    assert header.size == len(content)
    assert header.name == b"disk.img"
    assert row.content == content_digest(content)


def test_a_sparse_file_by_libarchive(tmp_path: Path) -> None:
    need("bsdtar")
    (tmp_path / "out").mkdir()
    content = _holes(tmp_path / "disk.img", 9)
    run("bsdtar", "--format=pax", "-cf", tmp_path / "x.tar", "disk.img", cwd=tmp_path)
    row, header = headers(tmp_path / "out", (tmp_path / "x.tar").read_bytes())[b"disk.img"]
    assert (header.size, row.content) == (len(content), content_digest(content))


@pytest.mark.parametrize(
    "words",
    [
        "cap_net_raw=ep",
        "cap_net_bind_service,cap_net_admin=eip",
        "cap_chown=p",
        "cap_chown=ei",
        "cap_sys_admin=ep",
        "cap_checkpoint_restore=ep",
    ],
)
def test_capabilities_read_as_getcap_says_them(tmp_path: Path, words: str) -> None:
    need("setcap", "getcap")
    path = tmp_path / "program"
    path.write_bytes(b"")
    if os.geteuid():
        pytest.skip("only root can set a capability")
    run("setcap", words, path)
    theirs = run("getcap", path).split(maxsplit=1)[1].strip()
    assert xattr.capability_text(os.getxattr(path, "security.capability")) == theirs


def test_capabilities_with_a_root_id_and_of_the_first_revision() -> None:
    third = bytes.fromhex("0100000300200000000000000000000000000000e8030000")
    assert xattr.capability_text(third) == "cap_net_raw=ep rootid=1000"
    first = bytes.fromhex("010000010020000000000000")
    assert xattr.capability_text(first) == "cap_net_raw=ep"
    mixed = bytes.fromhex("0000000201000000002000000000000000000000")
    assert xattr.capability_text(mixed) == "cap_chown=p cap_net_raw=i"


@given(st.binary(max_size=40))
def test_any_bytes_are_a_capability_or_shown_as_they_are(value: bytes) -> None:
    said = xattr.capability_text(value)
    assert said == value.hex() or "=" in said
    assert xattr.acl_text(value) == value.hex() or len(value) % 8 == 4


def test_access_control_lists_read_as_getfacl_says_them(tmp_path: Path) -> None:
    need("setfacl", "getfacl")
    path = tmp_path / "file"
    path.write_bytes(b"")
    run("setfacl", "-m", "u:12345:rwx,g:54321:r-x,m::rx,o::-", path)
    value = os.getxattr(path, "system.posix_acl_access")
    theirs = run(
        "getfacl", "--absolute-names", "--omit-header", "--numeric", "--no-effective", path
    )
    assert xattr.acl_text(value).split(",") == theirs.split()


@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_extended_attributes_are_the_same_whoever_packs_them(tmp_path: Path, tool: str) -> None:
    """libarchive writes each of them twice, once in base64."""
    need(tool)
    (tmp_path / "out").mkdir()
    path = tmp_path / "file"
    path.write_bytes(b"")
    values = {"user.text": b"text", "user.bytes": b"\0\xff\n=", "user.empty": b""}
    for name, value in values.items():
        os.setxattr(path, name, value)
    pattern = ("--xattrs-include=user.*",) if tool == "tar" else ()
    words = (tool, "--format=pax", "--xattrs", *pattern, "-cf", tmp_path / "x.tar", "file")
    run(*words, cwd=tmp_path)
    header = headers(tmp_path / "out", (tmp_path / "x.tar").read_bytes())[b"file"][1]
    assert dict(header.xattrs) == values


def test_a_record_that_only_libarchive_knows_counts() -> None:
    header = parse(
        file("x").but(
            pax=(
                (b"LIBARCHIVE.xattr.user.a%20b", b"AP8B"),
                (b"LIBARCHIVE.xattr.user.c", b"not base64!"),
            )
        )
    )
    assert header.xattrs == (("user.a b", b"\0\xff\x01"), ("user.c", b"not base64!"))


def test_what_a_header_means_in_words() -> None:
    said = meaning(parse(device("null", 1, 3)))
    assert said["tar.device"] == "1:3"
    said = meaning(
        parse(
            symlink(b"l\xff", b"t\xfe").but(mode=0o100644, mtime=1, uname=b"root", gname=b"wheel")
        )
    )
    assert said == {
        "tar.name": "l\\xff",
        "tar.mode": "0644",
        "tar.uid": 0,
        "tar.gid": 0,
        "tar.uname": "root",
        "tar.gname": "wheel",
        "tar.size": 0,
        "tar.mtime": 1,
        "tar.linkname": "t\\xfe",
    }
    assert meaning(parse(hardlink("h", "x")))["tar.linkname"] == "x"
    assert meaning(parse(file("x").but(pax=((b"mtime", b"1.50"),))))["tar.mtime"] == "1.5"


def test_python_reads_the_same(tmp_path: Path) -> None:
    """Python's tarfile as a second opinion on one archive with all kinds of members."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for kind in (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE):
            for name in ("short", "ü", "l" * 300, "d/" * 120 + "x"):
                info = tarfile.TarInfo(name + kind.decode())
                info.type, info.linkname, info.uid, info.mtime = kind, name, 2**33, 12.25
                info.devmajor = 3
                archive.addfile(info)
    found = headers(tmp_path, stream.getvalue())
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        for info in archive:
            header = found[tar.path_of(info.name.encode())][1]
            assert header.type == info.type
            assert (header.uid, header.mtime) == (info.uid, int(info.mtime * 10**9))
            if info.issym():
                assert header.linkname == info.linkname.encode()
            if info.ischr():
                assert header.device == (info.devmajor, info.devminor)
