"""What is written of another stream's content follows from it, if it is its digest or size."""

import base64
import hashlib
from pathlib import Path

import pytest

from sxdiff.compare.digests import LOOKUP, Known, pending, settled, values, written
from sxdiff.model import Blob, Claim, Difference, Node, Value

SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


@pytest.mark.parametrize("algorithm", SIZES)
def test_a_digest_is_known_however_it_is_written(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"content")
    raw = hashlib.new(algorithm, b"content", usedforsecurity=False).digest()
    plain, safe = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    for text in (raw.hex(), raw.hex().upper(), plain, plain.rstrip("="), safe, safe.rstrip("=")):
        assert written(text) == raw, text
    assert values(Blob(str(path), 0, 7), {SIZES[algorithm]}) == [raw]


@pytest.mark.parametrize("text", ["", "abc", "x" * 63, "ä" * 32, "12345678901234567890"])
def test_other_words_are_no_digests(text: str) -> None:
    assert written(text) is None


def test_a_size_is_known_too(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"content")
    assert values(Blob(str(path), 0, 7), {0}) == [written("7")]


def _node(*claims: Claim) -> Node:
    found = Difference("text", Value("a"), Value("b"), bytes=1, claims=claims)
    return Node("RECORD", "text", (found,))


def _claim(a: bytes, b: bytes) -> Claim:
    return Claim(
        "derived-manifest-hash",
        hashlib.sha256(a).hexdigest(),
        hashlib.sha256(b).hexdigest(),
        LOOKUP,
    )


def _known() -> Known:
    known = Known()
    known.add([hashlib.sha256(b"1").digest()], [hashlib.sha256(b"2").digest()], ("m.py",))
    return known


def test_digests_of_a_differing_stream_are_a_consequence() -> None:
    node = _node(_claim(b"1", b"2"))
    assert pending(node)
    (found,) = settled(node, _known()).differences
    assert found.derived
    assert found.derived_from == (("m.py",),)
    assert not found.claims


@pytest.mark.parametrize("sides", [(b"1", b"3"), (b"2", b"1"), (b"0", b"2")])
def test_digests_of_anything_else_stay_as_they_are(sides: tuple[bytes, bytes]) -> None:
    node = _node(_claim(*sides))
    assert settled(node, _known()) == node


def test_a_place_that_says_more_is_no_consequence() -> None:
    node = _node(_claim(b"1", b"2"), Claim("timestamp-in-text", "x", "y"))
    assert settled(node, _known()) == node
