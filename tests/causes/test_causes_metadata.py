"""Owners, modes, order and headers: what a builder varies is explained, what means more is not."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.tar import Member, directory, file, hardlink, opaque, sparse, tar, whiteout, xattr
from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.compare.closer import is_explained, look
from sxdiff.model import Blob, Difference, Limits, Node, Value
from sxdiff.work.diagnosis import explained
from tests.images import Told, causes, layered, roots
from tests.look import Files, differences
from tests.tools import run, want

PAIRS = Path(__file__).parents[2] / "fixtures/causes/pairs"


def nested(tmp_path: Path, a: bytes, b: bytes, name: str) -> Node:
    """Two archives as files of an image."""
    blobs = []
    for side, data in (("a", a), ("b", b)):
        place = tmp_path / f"{side}.tar"
        place.write_bytes(data)
        blobs.append(Blob(str(place), 0, len(data)))
    node = look(blobs[0], blobs[1], name, Files(tmp_path), Limits())
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("pair", "cause"),
    [
        ("tar-mtime/{}/o.tar", "tar-mtime"),
        ("tar-subsecond-pax/{}/o.tar", "tar-mtime-subsecond"),
        ("tar-pax-atime-ctime/{}/o.tar", "tar-pax-atime-ctime"),
        ("tar-uid-gid/{}/o.tar", "tar-uid-gid"),
        ("tar-uname/{}/o.tar", "tar-uname-gname"),
        ("tar-umask/{}/o.tar", "different-due-to-umask"),
        ("tar-order/{}/o.tar", "archive-member-order"),
        ("tar-readdir/{}/o.tar", "archive-member-order"),
        ("tar-format/{}/o.tar", "tar-format"),
        ("tar-blocking-factor/{}/o.tar", "tar-trailing-padding"),
        ("tar-pax-pid-natural/{}/o.tar", "tar-pax-header-pid"),
        ("tar-selinux-xattr/{}/o.tar", "tar-xattrs"),
        ("deb-umask/{}/o.deb", "different-due-to-umask"),
        ("deb-owner/{}/o.deb", "tar-uid-gid"),
        ("targz-mtime/{}/o.tar.gz", "tar-mtime"),
    ],
)
def test_real_pairs(tmp_path: Path, pair: str, cause: str) -> None:
    a, b = ((PAIRS / pair.format(side)).read_bytes() for side in "ab")
    node = nested(tmp_path, a, b, pair.rpartition("/")[2])
    found = [one for one in differences(node) if not one.derived]
    assert found
    assert {claim.cause for one in found for claim in one.claims} == {cause}
    assert all(one.claims for one in found)
    assert node.verified


def test_one_more_change_stays(tmp_path: Path) -> None:
    """A real pair that differs in one byte of a content more."""
    a, b = ((PAIRS / f"tar-umask/{side}/o.tar").read_bytes() for side in "ab")
    at = b.index(b"1\n2\n3\n")
    node = nested(tmp_path, a, b[:at] + b"7" + b[at + 1 :], "o.tar")
    assert [one.kind for one in differences(node) if not one.derived and not one.claims] == ["text"]


MODES = ("0644", "0664"), ("0755", "0775")


@pytest.mark.parametrize(("one", "two"), MODES)
def test_what_a_umask_gives(one: str, two: str) -> None:
    found = diagnose(Site("tar.mode", one, two))
    assert found is not None
    assert [(claim.a, claim.b) for claim in found.claims] == [("umask 022", "umask 002")]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("0755", "4755"),
        ("2755", "2775"),
        ("1777", "1775"),
        ("0644", "0755"),
        ("0644", "0666"),
        ("0755", "0777"),
        ("0600", "0644"),
        ("0640", "0644"),
        ("0700", "0755"),
        ("0644", "0775"),
        ("0440", "0460"),
        ("120644", "120664"),
    ],
)
def test_modes_that_mean_more(one: str, two: str) -> None:
    assert diagnose(Site("tar.mode", one, two)) is None


@pytest.mark.parametrize(
    ("one", "two"),
    [("0", "1000"), ("0", "0x1"), ("33", "1000"), ("999", "998"), ("1000", "65534"), ("", "1000")],
)
def test_owners_that_mean_more(one: str, two: str) -> None:
    for kind in ("tar.uid", "tar.gid"):
        assert diagnose(Site(kind, one, two)) is None


def two_layers(tmp_path: Path, a: list[Member], b: list[Member]) -> list[Told]:
    return roots(tmp_path, layered(a), layered(b))


def test_owners_go_one_to_one(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(4)]
    a = [replace(file(name, name), uid=1000 + number % 2) for number, name in enumerate(names)]
    one_to_one = [replace(one, uid=one.uid + 1000) for one in a]
    assert causes(two_layers(tmp_path, a, one_to_one)) == {"tar-uid-gid"}
    all_to_one = [replace(one, uid=2000) for one in a]
    assert causes(two_layers(tmp_path, a, all_to_one)) == {""}
    swapped = [replace(one, uid=2001 - one.uid) for one in a]
    assert causes(two_layers(tmp_path, a, swapped)) == {""}


def test_a_umask_is_one_of_a_whole_side(tmp_path: Path) -> None:
    a = [file("x", "x", 0o664), file("y", "y", 0o644), directory("z", 0o775)]
    b = [file("x", "x", 0o644), file("y", "y", 0o664), directory("z", 0o755)]
    assert causes(two_layers(tmp_path, a[::2], b[::2])) == {"different-due-to-umask"}
    assert causes(two_layers(tmp_path, a, b)) == {""}


def test_the_owner_is_suspected(tmp_path: Path) -> None:
    told = two_layers(tmp_path, [file("x", "x")], [replace(file("x", "x"), uid=1000)])
    assert told == [Told("tar.uid", "x", (), "tar-uid-gid")]


def test_times_of_whiteouts(tmp_path: Path) -> None:
    upper = whiteout("etc/hosts"), file("etc/new", "x")
    sides = [
        layered([directory("etc"), file("etc/hosts", "x")], [replace(m, mtime=at) for m in upper])
        for at in (1_768_039_200, 1_773_578_096)
    ]
    assert {(one.place, one.causes) for one in roots(tmp_path, *sides)} == {
        ("etc/.wh.hosts", ("oci-whiteout-timestamp",)),
        ("etc/new", ("tar-mtime",)),
    }


@pytest.mark.parametrize("marker", [opaque("etc"), whiteout("etc/gone")])
def test_markers_that_hide_nothing(tmp_path: Path, marker: Member) -> None:
    """A marker with nothing below it is idle; with something below it is a change."""
    upper = [directory("etc"), file("etc/new", "x")]
    idle = layered([directory("usr")], upper)
    marked = layered([directory("usr")], [*upper, marker])
    told = roots(tmp_path, idle, marked)
    assert [(one.kind, one.causes) for one in told] == [
        ("file.idle_marker", ("oci-opaque-whiteout",))
    ]
    lower = [directory("etc"), file("etc/gone", "x")]
    told = roots(tmp_path, layered(lower, upper), layered(lower, [*upper, marker]))
    assert [(one.kind, one.causes) for one in told] == [("file.only_in_b", ())]


def test_a_whiteout_of_what_is_below_a_folder(tmp_path: Path) -> None:
    """A layer need not have a member for a folder whose files it has."""
    lower, upper = [file("opt/app/x", "x")], [file("etc/new", "x")]
    told = roots(tmp_path, layered(lower, upper), layered(lower, [*upper, whiteout("opt/app")]))
    assert [(one.kind, one.causes) for one in told] == [("file.only_in_b", ())]


def test_hard_links_and_copies(tmp_path: Path) -> None:
    content = b"the same\n" * 9
    linked = [file("a", content), hardlink("b", "a")]
    told = two_layers(tmp_path, linked, [file("a", content), file("b", content)])
    assert [(one.kind, one.causes) for one in told] == [("file.hard_link", ("hardlink-dedup",))]


@pytest.mark.parametrize(
    "copy",
    [
        file("b", b"the sane\n" * 9),
        file("b", b"the same\n" * 9, 0o755),
        replace(file("b", b"the same\n" * 9), uid=7),
        replace(file("b", b"the same\n" * 9), pax=(xattr("security.capability", b"x"),)),
    ],
)
def test_a_copy_that_is_another_file(tmp_path: Path, copy: Member) -> None:
    """Content, mode, owner and attributes of the file that the link names all count, whatever
    the link's own header says."""
    content = b"the same\n" * 9
    link = replace(copy, type=b"1", linkname=b"a", content=b"")
    told = two_layers(tmp_path, [file("a", content), link], [file("a", content), copy])
    assert ("file.type", ()) in [(one.kind, one.causes) for one in told]


def test_a_link_to_what_comes_later(tmp_path: Path) -> None:
    content = b"the same\n" * 9
    a = [hardlink("b", "a"), file("a", content)]
    told = two_layers(tmp_path, a, [file("b", content), file("a", content)])
    assert ("file.type", ()) in [(one.kind, one.causes) for one in told]


MEMBER = file("etc/hosts", "x")
LABEL = xattr("security.selinux", b"system_u:object_r:container_file_t:s0:c1,c2")


@pytest.mark.parametrize(
    ("a", "b", "cause"),
    [
        (MEMBER, replace(MEMBER, dialect="gnu"), "tar-format"),
        (MEMBER, replace(MEMBER, name=b"./etc/hosts"), "tar-format"),
        (MEMBER, replace(MEMBER, pax=((b"path", b"etc/hosts"),)), "tar-format"),
        (MEMBER, replace(MEMBER, raw={"mode": b"0100644\0"}), "tar-format"),
        (MEMBER, replace(MEMBER, raw={"mode": b"0104644\0"}), ""),
        (MEMBER, replace(MEMBER, pax=((b"comment", b"1768039200"),)), ""),
        (MEMBER, replace(MEMBER, raw={"linkname": b"hidden".ljust(100, b"\0")}), ""),
        (MEMBER, replace(MEMBER, raw={"magic": b"ustar!"}), ""),
        (MEMBER, replace(MEMBER, uname=b"builder", gname=b"users"), "tar-uname-gname"),
        (MEMBER, replace(MEMBER, uname=b"a b"), ""),
        (MEMBER, replace(MEMBER, pax=((b"ctime", b"1768039200.5"),)), "tar-pax-atime-ctime"),
        (MEMBER, replace(MEMBER, pax=(LABEL,)), "tar-xattrs"),
        (MEMBER, replace(MEMBER, pax=(xattr("user.selinux", LABEL[1]),)), ""),
        (MEMBER, replace(MEMBER, pax=(xattr("security.capability", b"x"),)), ""),
        (MEMBER, replace(MEMBER, stored=b"x".ljust(512, b"!")), ""),
    ],
)
def test_headers_of_layers(tmp_path: Path, a: Member, b: Member, cause: str) -> None:
    """Each member beside one that is the same; "" where something stays."""
    told = two_layers(tmp_path, [a], [b])
    assert told
    assert cause in causes(told)
    if cause:
        assert causes(told) <= {cause, "tar-format"}


def test_how_holes_are_stored(tmp_path: Path) -> None:
    plain = file("disk", bytes(8192) + b"data" + bytes(8192))
    holes = sparse("disk", 16388, [(8192, b"data")])
    told = two_layers(tmp_path, [plain], [holes])
    assert causes(told) <= {"tar-sparse-encoding", "tar-format"}
    other = sparse("disk", 16388, [(8192, b"Data")])
    assert "" in causes(two_layers(tmp_path, [plain], [other]))


def test_what_ends_a_layer(tmp_path: Path) -> None:
    ends = [bytes(1024), bytes(2048), bytes(1024) + b"hidden".ljust(512, b"\0")]
    plain, longer, hidden = (oci_archive(image([layer(tar([MEMBER], end=end))])) for end in ends)
    assert causes(roots(tmp_path, plain, longer)) == {"tar-trailing-padding"}
    assert causes(roots(tmp_path, plain, hidden)) == {""}


def test_order_of_members(tmp_path: Path) -> None:
    a, b, c = (file(name, name) for name in "abc")
    assert causes(two_layers(tmp_path, [a, b, c], [c, a, b])) == {"archive-member-order"}
    assert causes(two_layers(tmp_path, [a, b, c], [c, a, file("b", "B")])) == {
        "archive-member-order",
        "",
    }


@pytest.mark.parametrize("times", [(1_768_039_200, 1_773_578_096), (0, 1), (1, 2_000_000_000)])
def test_the_short_way_says_what_the_proof_says(times: tuple[int, int]) -> None:
    found = Difference("tar.mtime", Value(times[0]), Value(times[1]))
    short = explained(found, ("layer 1", "x"), "tar", "x")
    proof = diagnose(Site("tar.mtime", str(times[0]), str(times[1]), path="x", format="tar"))
    assert proof is not None
    assert short.claims == proof.claims


@pytest.mark.parametrize("times", [(1_768_039_200, 5_000_000_000), (-1, 1_768_039_200)])
def test_no_time_of_a_build(times: tuple[int, int]) -> None:
    found = Difference("tar.mtime", Value(times[0]), Value(times[1]))
    assert explained(found, ("layer 1", "x"), "tar", "x").claims == ()


def _pair_of_links() -> tuple[bytes, bytes]:
    a, b = ((PAIRS / "tar-hardlink-vs-file" / side / "o.tar").read_bytes() for side in "ab")
    return a, b


def test_a_link_in_a_tar_file_is_a_copy_of_what_it_links_to(tmp_path: Path) -> None:
    a, b = _pair_of_links()
    for one, two in ((a, b), (b, a)):
        node = nested(tmp_path, one, two, "usr/lib/o.tar")
        assert {claim.cause for each in differences(node) for claim in each.claims} == {
            "hardlink-dedup"
        }
        assert node.verified


_FILE = file("t/a", b"one")


@pytest.mark.parametrize(
    "copy",
    [
        [_FILE, file("t/b", b"two")],  # another content
        [_FILE, file("t/b", b"one", mode=0o755)],  # other permissions than the link's header has
        [_FILE, file("t/b", b"one").but(uid=7)],
        [file("t/a", b"two"), file("t/b", b"one")],  # and another change
    ],
)
def test_a_link_in_a_tar_file_that_is_no_copy(tmp_path: Path, copy: list[Member]) -> None:
    node = nested(tmp_path, tar([_FILE, hardlink("t/b", "t/a")]), tar(copy), "usr/lib/o.tar")
    assert not is_explained(node)
    assert not node.verified


def test_a_link_to_what_has_other_attributes_is_no_copy(tmp_path: Path) -> None:
    """Unpacked, a link has the owner and the mode of what it links to."""
    first = file("t/a", b"one", mode=0o4755)
    link, copy = hardlink("t/b", "t/a"), file("t/b", b"one")
    node = nested(tmp_path, tar([first, link]), tar([first, copy]), "usr/lib/o.tar")
    assert not is_explained(node)


def test_no_byte_of_a_copy_hides(tmp_path: Path) -> None:
    a, b = _pair_of_links()
    for at in range(10240 + 512, len(b), 509):
        changed = bytearray(b)
        changed[at] ^= 1
        assert not nested(tmp_path, a, bytes(changed), "usr/lib/o.tar").verified, at


def _with_holes(tmp_path: Path, *words: str) -> bytes:
    """An archive of one file with holes, as GNU tar writes it with some options."""
    want("tar")
    name = tmp_path / "holes"
    with name.open("wb") as holes:
        for number in range(30):
            holes.seek(20_000 * number)
            holes.write(b"data %d" % number)
        holes.truncate(700_000)
    os.utime(name, (0, 0))
    out = tmp_path / "out.tar"
    owner = ("--owner=0", "--group=0", "--numeric-owner")
    run("tar", *owner, *words, "-cf", str(out), "-C", str(tmp_path), "holes")
    return out.read_bytes()


_PAX_WORDS = ("--format=pax", "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f")


@pytest.mark.parametrize(
    "words",
    [
        ("--format=gnu",),
        (*_PAX_WORDS, "--sparse-version=0.0"),
        (*_PAX_WORDS, "--sparse-version=0.1"),
        (*_PAX_WORDS, "--sparse-version=1.0"),
    ],
    ids=["old", "0.0", "0.1", "1.0"],
)
def test_a_file_of_a_tar_file_may_be_stored_with_holes(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    # a version of the form asks for holes, too
    plain = _with_holes(tmp_path, *(word for word in words if "--sparse" not in word))
    holes = _with_holes(tmp_path, *words, "--sparse")
    for one, two in ((plain, holes), (holes, plain)):
        node = nested(tmp_path, one, two, "usr/lib/o.tar")
        found = {claim.cause for each in differences(node) for claim in each.claims}
        assert found - {"tar-format"} == {"tar-sparse-encoding"}
        assert node.verified
    other = holes.replace(b"data 7", b"data 8")
    node = nested(tmp_path, plain, other, "usr/lib/o.tar")
    assert not node.verified
    assert not is_explained(node)


def test_no_byte_of_a_file_with_holes_hides(tmp_path: Path) -> None:
    """Its header, the blocks of its map behind it, and its data."""
    plain = _with_holes(tmp_path, "--format=gnu")
    holes = _with_holes(tmp_path, "--format=gnu", "--sparse")
    assert holes[512 + 504] == 1
    for at in (*range(0, 3 * 512, 13), 386, 482, 494, 495, 505, 511, 3 * 512 + 4096):
        changed = bytearray(holes)
        changed[at] ^= 1
        head = changed[:512]
        head[148:156] = b" " * 8
        changed[148:156] = b"%06o\0 " % sum(head)
        if changed != holes:
            node = nested(tmp_path, plain, bytes(changed), "usr/lib/o.tar")
            found = {claim.cause for each in differences(node) for claim in each.claims}
            assert not node.verified or found - {"tar-sparse-encoding"}, at
