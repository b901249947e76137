"""Formats are known by content; any bytes give parts or FormatError."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxdiff.formats.catalogue import FORMATS, HEAD, sniff
from sxdiff.formats.text import encoding_of
from sxdiff.formats.trust.secret import PRIVATE_KEY, secret_as_a_whole
from sxdiff.model import Blob, FormatError, Limits

ARTEFACTS = Path(__file__).parent.parent / "artefacts"
SEEDS = ("small-powerpc.o", "small-static", "small-thin.a", "numbers.gz", "small-debug.o")


@pytest.mark.parametrize(
    ("name", "format_name"),
    [("small-s390x.o", "elf"), ("small-thin.a", "ar"), ("numbers.gz", "gzip"), ("make.sh", None)],
)
def test_known_by_content(name: str, format_name: str | None) -> None:
    data = (ARTEFACTS / name).read_bytes()
    known = sniff(data[:HEAD], len(data))
    assert (known.name if known else None) == format_name


def test_heads_too_short_are_no_format() -> None:
    for data in (b"", b"\x7fELF", b"\x1f\x8b", b"!<arch>"):
        assert sniff(data, len(data)) is None


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=8)), max_size=6),
)
def test_any_bytes_give_parts_or_format_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[int, bytes]]
) -> None:
    """Law 6."""
    data = bytearray((ARTEFACTS / name).read_bytes())
    for at, raw in changes:
        start = at % len(data)
        data[start : start + len(raw)] = raw
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    for known in FORMATS:
        try:
            for part in known.dissect(Blob(str(path), 0, len(data)), Limits()):
                assert "." in part.kind or part.kind in ("bytes", known.name)
        except FormatError:
            pass


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", "ascii"),
        (b"plain\n", "ascii"),
        ("naïve\n".encode(), "utf-8"),
        ("naïve\n".encode("latin-1"), "8-bit"),
        ("naïve\n".encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff\0n", "utf-16-be"),
        (b"\xff\xfen", None),
        (b"a\0b", None),
        (b"a\1b", None),
        (bytes(range(160, 256)), None),
    ],
)
def test_text(tmp_path: Path, data: bytes, encoding: str | None) -> None:
    path = tmp_path / "text"
    path.write_bytes(data)
    assert encoding_of(Blob(str(path), 0, len(data))) == encoding


def test_a_character_across_chunks(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"x" * ((1 << 20) - 1) + "é".encode() + b"x" * 10)
    assert encoding_of(Blob(str(path), 0, path.stat().st_size)) == "utf-8"


def test_a_unit_of_dwarf_is_no_key_of_openpgp() -> None:
    """Its length may look like a secret key's first byte; keys have a length (RFC 4880, 4.2.1)
    and are younger than OpenPGP."""
    unit = bytes.fromhex("97060000050001080000000001000000") + bytes(64)
    assert secret_as_a_whole(unit) is None
    key = b"\x97\x04" + (1_600_000_000).to_bytes(4, "big") + b"\x01\x08\x00\x80" + bytes(64)
    assert secret_as_a_whole(key) == PRIVATE_KEY
