"""Names on one side only that go together."""

import random
from pathlib import Path

import pytest

from sxdiff.compare.renames import Lone, Sketch, matches, similarity, sketch, without_varying
from sxdiff.model import Blob


def sketched(folder: Path, data: bytes) -> Sketch:
    path = folder / "content"
    path.write_bytes(data)
    return sketch(Blob(str(path), 0, len(data)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"usr/lib/libfoo.so.1.2.3", b"usr/lib/libfoo.so.1.2.4"),
        (b"lib/libstd-0d4a3b1c9f21.rlib", b"lib/libstd-77aa3b1c9f99.rlib"),
        (b"assets/index-BfA93kd_.js", b"assets/index-C0zz81Qx.js"),
        (b"man/ls.1.gz", b"man/ls.1.xz"),
        (b"tmp/tmp.XkS93d", b"tmp/tmp.q8Rt2B"),
        (b"var/lib/x/pid-1234", b"var/lib/x/pid-98"),
        (b"debug/.build-id/78/900ad1e6e773.debug", b"debug/.build-id/ec/7e9792383238.debug"),
    ],
)
def test_names_that_hold_what_builds_make_anew(one: bytes, other: bytes) -> None:
    assert without_varying(one) == without_varying(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(b"usr/bin/cat", b"usr/bin/cut"), (b"a/README", b"b/README"), (b"x.desktop", b"x.service")],
)
def test_names_that_differ_in_words(one: bytes, other: bytes) -> None:
    assert without_varying(one) != without_varying(other)


def test_two_such_names_on_a_side_are_not_paired_by_name() -> None:
    ours = [Lone(b"lib-1"), Lone(b"lib-2")]
    assert matches(ours, [Lone(b"lib-3")]) == []
    assert matches(ours[:1], [Lone(b"lib-3")]) == [(0, 0, 0)]


def test_another_type_is_no_rename() -> None:
    assert matches([Lone(b"lib-1", "file")], [Lone(b"lib-2", "directory")]) == []


def test_similar_content_is_paired_best_first(tmp_path: Path) -> None:
    lines = [b"line %d of a text\n" % number for number in range(400)]
    same = sketched(tmp_path, b"".join(lines))
    near = sketched(tmp_path, b"".join([*lines[:390], b"other\n" * 5, *lines[390:]]))
    half = sketched(tmp_path, b"".join(lines[:250]))
    far = sketched(tmp_path, b"".join(lines[:40]) + b"".join(line[::-1] for line in lines))
    ours = [Lone(b"old", sketch=same)]
    theirs = [Lone(b"x", sketch=half), Lone(b"y", sketch=near), Lone(b"z", sketch=far)]
    ((_, found, alike),) = matches(ours, theirs)
    assert (found, alike >= 95) == (1, True)
    assert matches(ours, theirs[2:]) == []
    assert matches(theirs, ours) == [(1, 0, alike)]


def test_names_of_build_ids_go_together_where_each_is_the_others_best(tmp_path: Path) -> None:
    """What is compressed has nothing in common; the names of symbols are left."""

    def drawn(name: str, number: int) -> Lone:
        chance = random.Random(number)
        symbols = b"".join(b"%s_symbol_%d\0" % (name.encode(), each) for each in range(100))
        content = symbols + chance.randbytes(20_000)
        build_id = chance.randbytes(20).hex()
        path = f".build-id/{build_id[:2]}/{build_id[2:]}.debug"
        return Lone(path.encode(), sketch=sketched(tmp_path, content))

    ours = [drawn("one", 1), drawn("two", 2), drawn("gone", 3)]
    theirs = [drawn("two", 4), drawn("new", 5), drawn("one", 6)]
    assert [pair[:2] for pair in matches(ours, theirs)] == [(0, 2), (1, 0)]
    assert [pair[:2] for pair in matches(theirs, ours)] == [(0, 1), (2, 0)]
    # two that are as good: none is taken
    assert (
        matches(ours, [theirs[2], Lone(b".build-id/00/11223344.debug", None, theirs[2].sketch)])
        == []
    )


def test_an_estimate_is_near_the_share(tmp_path: Path) -> None:
    chance = random.Random(1)
    pieces = [chance.randbytes(20).replace(b"\0", b"1").replace(b"\n", b"2") for _ in range(4000)]
    one = sketched(tmp_path, b"\0".join(pieces[:3000]))
    two = sketched(tmp_path, b"\0".join(pieces[1000:]))
    assert abs(similarity(one, two) - 50) < 10
    assert similarity(one, one) == 100


def test_what_is_inserted_in_front_moves_nothing(tmp_path: Path) -> None:
    data = b"".join(b"line %d\n" % number for number in range(200_000))
    assert similarity(sketched(tmp_path, data), sketched(tmp_path, b"new\n" + data)) >= 99
