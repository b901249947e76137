"""The first pass over a layer: what is verified, what is indexed, what is refused."""

import gzip
import hashlib
import random
from pathlib import Path

import pytest

from fixtures.images import digest as sha256
from fixtures.tar import (
    END,
    Member,
    device,
    directory,
    encode,
    file,
    global_header,
    hardlink,
    old_sparse,
    sparse,
    symlink,
    tar,
    xattr,
)
from sxdiff.compare.index import pack_records, unpack_records
from sxdiff.model import FormatError, InputError, Limits
from tests.layers import content_digest, headers, members_of, rows_of, scanned

MEMBERS = [
    directory("etc"),
    file("etc/hosts", "127.0.0.1 localhost\n").but(pax=(xattr("user.a", b"1"),)),
    file("etc/empty"),
    file("etc/blocks", bytes(range(256)) * 4),
    symlink("etc/link", "hosts"),
    hardlink("etc/hard", "./etc/hosts"),
    device("etc/null", 1, 3),
    sparse("etc/sparse", 20_000, [(4096, b"data")]),
    old_sparse("etc/old", 20_000, [(4096, b"data")]),
    file("long/" * 50 + "name", "x").but(dialect="gnu"),
]
LAYER = tar(MEMBERS)


def test_what_was_promised_is_verified(tmp_path: Path) -> None:
    packed = gzip.compress(LAYER)
    found = scanned(tmp_path, packed, digest=sha256(packed), diff_id=sha256(LAYER))
    assert (found.digest, found.diff_id) == (sha256(packed), sha256(LAYER))
    assert (found.unpacked, found.members, found.compression) == (len(LAYER), 10, "gzip")
    plain = scanned(tmp_path, LAYER, digest=sha256(LAYER), diff_id=sha256(LAYER))
    assert plain.digest == plain.diff_id == sha256(LAYER)
    other = "sha512:" + hashlib.sha512(LAYER).hexdigest()
    assert scanned(tmp_path, LAYER, digest=other, diff_id=sha256(LAYER)).digest == other


WRONG = "sha256:" + 64 * "0"


@pytest.mark.parametrize("index", [True, False])
def test_a_broken_promise_names_what_was_promised_and_what_was_found(
    tmp_path: Path, index: bool
) -> None:
    packed = gzip.compress(LAYER)
    for promise, found in (("digest", sha256(packed)), ("diff_id", sha256(LAYER))):
        promises = {"digest": None, "diff_id": None, promise: WRONG}
        with pytest.raises(InputError) as error:
            scanned(
                tmp_path,
                packed,
                index=index,
                digest=promises["digest"],
                diff_id=promises["diff_id"],
            )
        assert str(error.value) == f"the layer: {promise} promised {WRONG}, found {found}"


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("promised", [True, False])
def test_a_damaged_blob_is_no_layer_whatever_was_promised(
    tmp_path: Path, index: bool, promised: bool
) -> None:
    """With its digest right, it was published so; else that its digest is wrong says more."""
    cut = gzip.compress(LAYER)[:-20]
    with pytest.raises(InputError, match=r"^the layer: gzip stream is truncated"):
        scanned(
            tmp_path,
            cut,
            index=index,
            digest=sha256(cut) if promised else None,
            diff_id=sha256(LAYER) if promised else None,
        )
    with pytest.raises(InputError, match=f"digest promised {WRONG}, found {sha256(cut)}$"):
        scanned(tmp_path, cut, index=index, digest=WRONG, diff_id=sha256(LAYER))


def test_the_index_says_where_everything_lies(tmp_path: Path) -> None:
    found = scanned(tmp_path, LAYER)
    with members_of(found) as (members, rows):
        assert [row.ordinal for row in rows] == list(range(1, 11))
        assert b"".join(members.raw_header(row) for row in rows[:1]) == LAYER[:512]
        for row, member in zip(rows, MEMBERS, strict=True):
            raw = members.raw_header(row)
            assert raw == LAYER[row.at : row.data_at] == encode(member.but(stored=b""))
            assert members.row(row.ordinal) == row
            stored = LAYER[row.data_at : row.data_at + row.size]
            assert stored == (member.content if row.type == b"0" else b"")
            if row.type == b"0" and "sparse" not in str(row.path) and b"old" not in row.path:
                assert row.content == content_digest(member.content)
        by_path = {row.path: row for row in rows}
        assert by_path[b"etc/hard"].link == b"etc/hosts"
        assert by_path[b"etc/null"].link == b"1:3"
        assert by_path[b"etc/link"].link == b"hosts"
        expanded = bytearray(20_000)
        expanded[4096:4100] = b"data"
        for name in (b"etc/sparse", b"etc/old"):
            assert by_path[name].content == content_digest(bytes(expanded))
            assert by_path[name].residue is not None
    assert found.end == (len(LAYER) - 1024, 1024)
    assert found.end_told == "1024 zero bytes"


def test_members_of_one_name_are_numbered(tmp_path: Path) -> None:
    layer = tar([file("a", "1"), file("b"), file("./a", "2"), file("a", "3"), file("/b/")])
    found = scanned(tmp_path, layer)
    assert found.duplicates == 3
    assert [(row.path, row.occurrence) for row in rows_of(found.index or "")] == [
        (b"a", 0),
        (b"b", 0),
        (b"a", 1),
        (b"a", 2),
        (b"b", 1),
    ]


def test_the_order_of_members_has_a_digest(tmp_path: Path) -> None:
    orders = {
        scanned(tmp_path, tar(members)).order
        for members in (MEMBERS, MEMBERS[::-1], [*MEMBERS[1:], MEMBERS[0]])
    }
    assert len(orders) == 3
    assert scanned(tmp_path, LAYER).order == scanned(tmp_path, LAYER[:-1024]).order


def test_names_that_step_out_are_told_and_counted(tmp_path: Path) -> None:
    names = ["../up", "a/../../b", "..", "a/..", "..a", "a..", ". ./x", "/absolute"]
    found = scanned(tmp_path, tar([file(name) for name in names]))
    told = [message for kind, message in found.problems if kind == "path"]
    assert len(told) == 4
    assert "'../up'" in told[0]
    assert [row.path for row in rows_of(found.index or "")][-1] == b"absolute"
    many = scanned(tmp_path, tar([file(f"../{number}") for number in range(1000)]))
    assert len(many.problems) == 11
    assert many.problems[-1] == ("path", "990 more member names step out with '..'")


def test_padding_that_is_not_zero_is_kept(tmp_path: Path) -> None:
    member = file("a", "abc").but(stored=b"abc" + bytes(100) + b"x" + bytes(408))
    found = scanned(tmp_path, tar([member, file("b", "abc")]))
    first, second = rows_of(found.index or "")
    assert first.content == second.content
    assert (first.residue or b"").endswith(bytes(100) + b"x" + bytes(408))
    assert second.residue is None


ENDS = {
    b"": "no end-of-archive blocks",
    bytes(512): "512 zero bytes",
    END: "1024 zero bytes",
    bytes(10240): "10240 zero bytes",
    bytes(1024 + 7): "1031 zero bytes",
}


@pytest.mark.parametrize("end", ENDS, ids=len)
def test_zeros_at_the_end(tmp_path: Path, end: bytes) -> None:
    data = tar([file("a", "x" * 512)], end)
    found = scanned(tmp_path, data)
    assert (found.end_told, found.end) == (ENDS[end], (1024, len(end)))
    assert found.diff_id == sha256(data)


def test_whatever_stands_behind_the_end_changes_what_is_told(tmp_path: Path) -> None:
    """Law 2 for the end of an archive: no two of these are told in the same words."""
    lonely = encode(global_header([(b"comment", b"one")]))
    other = encode(global_header([(b"comment", b"two")]))
    ends = [
        *ENDS,
        END + b"x",
        END + b"y",
        END + bytes(511) + b"x",
        END + bytes(600) + encode(file("hidden")),
        END + bytes(600) + encode(file("Hidden")),
        lonely + END,
        other + END,
        lonely,
        encode(file("long/" * 50).but(dialect="gnu"))[:1024] + END,
    ]
    told = [scanned(tmp_path, tar([file("a", "x" * 512)], end)).end_told for end in ends]
    assert len(set(told)) == len(ends)
    padding = [
        scanned(tmp_path, tar([file("a", "x")], b"")[:-cut]).end_told for cut in (1, 200, 511)
    ]
    assert len({*padding, *told}) == len(padding) + len(told)


@pytest.mark.parametrize("index", [True, False])
def test_cut_anywhere_it_is_an_error_or_a_shorter_archive(tmp_path: Path, index: bool) -> None:
    whole = scanned(tmp_path, LAYER)
    ends = {row.at: row.ordinal - 1 for row in rows_of(whole.index or "")}
    errors = 0
    for size in range(0, len(LAYER), 61):
        try:
            found = scanned(tmp_path, LAYER[:size], index=index)
        except InputError as error:
            assert index
            assert "\n" not in str(error)
            errors += 1
            continue
        if found.problems:
            assert not index
            assert found.problems[0][0] == "tar"
            errors += 1
        else:
            # cut between two members, or in the zeros behind one
            assert not LAYER[size - 1 : size].strip(b"\0")
            assert any(at <= size for at in ends) or size == 0
            assert found.diff_id == sha256(LAYER[:size])
    assert errors > 50


@pytest.mark.parametrize("index", [True, False])
def test_a_changed_byte_is_an_error_or_another_layer(tmp_path: Path, index: bool) -> None:
    change = random.Random(4)
    good = scanned(tmp_path, LAYER, index=True)
    good_rows = {row[1:] for row in rows_of(good.index or "")}
    for at in range(0, len(LAYER), 23):
        data = bytearray(LAYER)
        data[at] ^= 1 << change.randrange(8)
        try:
            found = scanned(tmp_path, bytes(data), index=index)
        except InputError:
            continue
        assert found.diff_id != good.diff_id
        if index:
            other_rows = {row[1:] for row in rows_of(found.index or "")}
            assert other_rows != good_rows or found.end_told != good.end_told


HUGE = b"\x80" + b"\xff" * 11


@pytest.mark.parametrize(
    "members",
    [
        [file("x").but(size=-1)],
        [file("x").but(raw={"size": HUGE})],
        [file("x").but(raw={"size": b"99999999999\0"})],
        [file("x", "abc").but(size=1 << 62)],
        [file("x").but(raw={"chksum": b"0000000\0"})],
        [file("x").but(pax=((b"size", b"x"),))],
        [file("x").but(pax=((b"size", b"9" * 30),))],
        [file("x").but(pax=((b"path", b"y"),)).but(raw={"uid": b"zzzzzzz\0"})],
        [Member(b"x", type=b"x", content=b"no record"), file("x")],
        [Member(b"x", type=b"x", content=b"9999999 a=b\n"), file("x")],
        [Member(b"x", type=b"x", size=100 << 20)],
        [Member(b"x", type=b"x", raw={"size": HUGE})],
        [Member(b"x", type=b"L", content=b"name", size=5 << 40)],
        # sparse maps that promise what is not there, or would never end
        [sparse("x", 10, [(5, b"abcdef")])],
        [sparse("x", 100, [(50, b"a"), (20, b"b")])],
        [sparse("x", 1 << 60, [])],
        [sparse("x", 100, [(1 << 50, b"")])],
        [sparse("x", 100, [(4, b"abcd")]).but(content=b"1\n4\n90\n".ljust(512, b"\0") + b"abcd")],
        [sparse("x", 100, []).but(content=b"x\n".ljust(512, b"\0"))],
        [sparse("x", 100, []).but(content=b"99999999\n" + b"1\n" * 500)],
        [sparse("x", 100, []).but(content=b"")],
        [file("x").but(pax=((b"GNU.sparse.map", b"1,2,3"), (b"GNU.sparse.size", b"9")))],
        [file("x").but(pax=((b"GNU.sparse.map", b"-1,2"), (b"GNU.sparse.size", b"9")))],
        [file("x").but(pax=((b"GNU.sparse.map", b"a,b"), (b"GNU.sparse.size", b"9")))],
        [old_sparse("x", 1 << 32, [(1 << 31, b"a")]).but(stored=b"")],
        [Member(b"x", type=b"S", dialect="gnu", raw={"prefix": bytes(137) + b"\1"})],
    ],
)
def test_garbage_is_one_line(tmp_path: Path, members: list[Member]) -> None:
    with pytest.raises(InputError) as error:
        scanned(tmp_path, tar(members, b""))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("the layer: ")


def test_holes_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    """A hole costs time, even if it holds nothing."""
    with pytest.raises(InputError, match="holes, beyond the limit"):
        scanned(tmp_path, tar([sparse("x", 1 << 20, [])]), limits=Limits(hole_bytes=1 << 19))


def test_no_data_follows_what_is_no_file(tmp_path: Path) -> None:
    """As Go's archive/tar and GNU tar have it; otherwise members could hide from one of them."""
    for kind in b"123456":
        member = Member(b"x", type=bytes([kind]), size=1024, stored=b"", linkname=b"l")
        found = headers(tmp_path, tar([member, file("seen", "s"), file("too", "t")]))
        assert found.keys() == {b"x", b"seen", b"too"}
        assert found[b"x"][0].size == 0


def test_an_unknown_type_has_data(tmp_path: Path) -> None:
    found = headers(tmp_path, tar([Member(b"x", type=b"V", content=b"label"), file("seen")]))
    assert found.keys() == {b"x", b"seen"}
    assert found[b"x"][0].content == content_digest(b"label")


def test_a_file_whose_name_ends_as_a_directorys_has_data(tmp_path: Path) -> None:
    """Of the types of POSIX only those of `HEADER_ONLY` have none, as Go and GNU tar have it."""
    found = headers(tmp_path, tar([Member(b"x/", content=b"hidden"), file("seen")]))
    assert found.keys() == {b"x", b"seen"}
    assert found[b"x"][0].content == content_digest(b"hidden")


def test_global_records_survive_the_index(tmp_path: Path) -> None:
    records = {"a": b"1", "key with = \0 and spaces": b"\0value\n", "empty": b"", "ü": b"\xff"}
    assert unpack_records(pack_records(records)) == records
    layer = tar([global_header([(b"uid", b"7"), (b"odd\0key", b"5 6 x")]), file("a"), file("b")])
    found = headers(tmp_path, layer)
    assert [header.uid for _, header in found.values()] == [7, 7]


def test_only_input_errors_leave_a_scan(tmp_path: Path) -> None:
    """Law 6, for random blocks behind good ones."""
    noise = random.Random(5)
    for _ in range(60):
        blocks = [encode(one) for one in noise.sample(MEMBERS, 4)] + [noise.randbytes(512)] * 2
        noise.shuffle(blocks)
        with pytest.raises((InputError, FormatError)):
            scanned(tmp_path, b"".join(blocks))
