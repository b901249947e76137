"""Texts: groups of lines, and the kinds that name all there is to a difference."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxdiff.compare import lines
from sxdiff.compare.align import align
from sxdiff.formats.text import encoding_of
from sxdiff.model import Blob, Difference


def told(directory: Path, a: bytes, b: bytes, most: int = 100) -> list[Difference]:
    sides = []
    for name, data in (("a", a), ("b", b)):
        path = directory / name
        path.write_bytes(data)
        sides.append(Blob(str(path), 0, len(data)))
    encodings = [encoding_of(side) for side in sides]
    assert encodings[0] and encodings[1]
    return lines.differences(sides[0], sides[1], (encodings[0], encodings[1]), most, 8 << 20)[0]


TEXT = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b"} else {", b"d"]), max_size=40)


@given(TEXT, TEXT)
def test_aligned_changes_turn_a_into_b(a: list[bytes], b: list[bytes]) -> None:
    """Replacing every group gives the other list; swapped sides swap the groups."""
    out, at = [], 0
    for a0, a1, b0, b1 in align(a, b):
        assert a0 >= at
        out += a[at:a0] + b[b0:b1]
        at = a1
    assert out + a[at:] == b
    assert [(b0, b1, a0, a1) for a0, a1, b0, b1 in align(a, b)] == align(b, a)


@given(TEXT, TEXT, st.booleans())
def test_any_texts(
    tmp_path_factory: pytest.TempPathFactory, a: list[bytes], b: list[bytes], end: bool
) -> None:
    """Values are the bytes at their spans, and some bytes are told if any differ."""
    left, right = b"\n".join(a) + b"\n" * end, b"\n".join(b)
    if left == right:
        return
    found = told(tmp_path_factory.getbasetemp(), left, right)
    assert sum(one.bytes for one in found) > 0
    for one in found:
        for value, data in ((one.a, left), (one.b, right)):
            assert value and value.at
            assert data[value.at[0] : sum(value.at)].decode() == value.value


def test_a_hunk(tmp_path: Path) -> None:
    a = b"".join(b"line %d\n" % number for number in range(1, 21))
    (found,) = told(tmp_path, a, a.replace(b"line 10\n", b"line ten\n"))
    assert found.kind == "text"
    assert found.a and found.b
    assert (found.a.value, found.a.line, found.a.at) == ("line 10\n", 10, (63, 8))
    assert found.diff == (
        "@@ -7,7 +7,7 @@\n line 7\n line 8\n line 9\n-line 10\n+line ten\n"
        " line 11\n line 12\n line 13\n"
    )


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        (b"x\ny\n", b"x\r\ny\r\n", "text.line_endings"),
        (b"x\ny\nz\n", b"z\nx\ny\n", "text.order"),
        (b"x\ny\nz", b"z\nx\ny", "text.order"),
        (b"x y\n", b"x  y\n", "text.whitespace"),
        (b"x\n", b"x", "text.whitespace"),
        (b"x\ny\n", b"y\nX\n", "text"),
        (b"x\r\ny\n", b"x\nz\n", "text"),
    ],
)
def test_what_alone_differs(tmp_path: Path, a: bytes, b: bytes, kind: str) -> None:
    """Line endings, order and white space are said only if exactly true."""
    assert {one.kind for one in told(tmp_path, a, b)} == {kind}


def test_missing_newline_at_the_end(tmp_path: Path) -> None:
    (found,) = told(tmp_path, b"a\nb\n", b"a\nc")
    assert found.diff == "@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n"


def test_utf_16(tmp_path: Path) -> None:
    """Shown decoded, at offsets of its own bytes."""
    a, b = ("one\ntwo €\n".encode("utf-16"), "one\nTwo €\n".encode("utf-16"))
    (found,) = told(tmp_path, a, b)
    assert found.b and found.b.value == "Two €\n"
    assert found.b.at == (10, 12)
    (encoding,) = told(tmp_path, a, "one\ntwo €\n".encode())
    assert encoding.kind == "text.encoding"


_NAMES = "René Müller, 5 €\n"


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        (_NAMES.encode(), _NAMES.encode("cp1252"), ("utf-8", "cp1252")),
        (_NAMES.encode(), _NAMES.encode("iso-8859-15"), ("utf-8", "iso-8859-15")),
        (b"caf\xc3\xa9\n", b"caf\xe9\n", ("utf-8", "iso-8859-1")),
        (_NAMES.encode("utf-16"), _NAMES.encode("cp1252"), ("utf-16-le", "cp1252")),
        (_NAMES.encode("utf-16"), _NAMES.encode(), ("utf-16-le", "utf-8")),
        (b"a\n", b"\xef\xbb\xbfa\n", ("ascii", "utf-8 with a byte order mark")),
        (b"\xc3\xa9\n", b"\xef\xbb\xbf\xc3\xa9\n", ("utf-8", "utf-8 with a byte order mark")),
        (b"caf\xc3\xa9\n", b"caf&eacute;\n", ("utf-8", "ascii with character references")),
        (b"<?xml ?>\xc3\xa9", b"<?xml ?>&#xE9;", ("utf-8", "ascii with character references")),
    ],
)
def test_one_text_in_two_encodings(
    tmp_path: Path, a: bytes, b: bytes, names: tuple[str, str]
) -> None:
    (found,) = told(tmp_path, a, b)
    assert found.kind == "text.encoding"
    assert found.a
    assert found.b
    assert (found.a.value, found.b.value) == names
    assert (found.a.at, found.b.at) == ((0, len(a)), (0, len(b)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (b"caf\xc3\xa9\n", b"caf\xe8\n"),  # another letter
        (b"caf\xc3\xa9\nx\n", b"caf\xe9\ny\n"),  # another line, too
        (b"#!/bin/sh\n", b"\xef\xbb\xbf#!/bin/sh\n"),  # no script any more
        (b"<?php\n", b"\xef\xbb\xbf<?php\n"),  # a program that writes three bytes more
        (b"\xc3\xa9\n", b"\xc3\x83\xc2\xa9\n"),  # encoded twice
        (b"x &lt; y\n", b"x < y\n"),  # a reference that is needed
        (b"<?xml ?>\xc3\xa9", b"<?xml ?>&eacute;"),  # an entity that XML does not know
        (b"\xc3\xa9 \xc3\xa9\n", b"\xc3\xa9 &eacute;\n"),  # ASCII was not what was asked for
        (b"five \xa4\n", b"five \x80\n"),  # the euro sign of two older encodings, or two bytes
    ],
)
def test_two_texts_in_two_encodings(tmp_path: Path, a: bytes, b: bytes) -> None:
    assert all(
        one.kind != "text.encoding" or one.a is None or one.a.at is None
        for one in told(tmp_path, a, b)
    )


def test_bytes_of_older_encodings_are_shown(tmp_path: Path) -> None:
    (found,) = told(tmp_path, b"caf\xe9 au lait\n", b"caf\xe8 au lait\n")
    assert found.a and found.a.value == "caf\\xe9 au lait\n"


@pytest.mark.parametrize("alphabet", [2, 4, 100, 10**6])
def test_time_follows_length(tmp_path: Path, alphabet: int) -> None:
    """Not even texts without any common structure take quadratic time."""
    pick = random.Random(1)
    sides = [b"".join(b"%d\n" % pick.randrange(alphabet) for _ in range(60_000)) for _ in range(2)]
    start = time.process_time()
    told(tmp_path, sides[0], sides[1])
    assert time.process_time() - start < 15
