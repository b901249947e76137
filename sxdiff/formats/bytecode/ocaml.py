"""Compiled OCaml: interfaces (.cmi, .cmt), bytecode (.cmo, .cma), native descriptions (.cmx, ...).

Source: OCaml's utils/config.mlp (magic numbers), file_formats/cmo_format.mli, cmi_format.ml,
runtime/caml/intext.h and runtime/intern.c (marshalled values). All numbers are big-endian.
"""

import re
from collections.abc import Iterator

from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    LimitError,
    Limits,
    Listing,
    Member,
    Row,
    text_of,
)

MAGIC = re.compile(rb"Caml1999([AIMNOTYZ])([0-9]{3})")
KINDS = {
    "A": "bytecode library",
    "I": "interface",
    "M": "syntax tree of an implementation",
    "N": "syntax tree of an interface",
    "O": "bytecode object",
    "T": "typed tree",
    "Y": "native object's description",
    "Z": "native library's description",
}
SIZE = 12
WITH_CODE = "AO"
"""Kinds whose magic number is followed by the place of a value behind the code."""
DIGEST = 16
SMALL = Record(
    "ocaml.value",
    ">",
    (
        Field("magic", "I", hexadecimal),
        Field("size", "I", derived=True),
        Field("objects", "I", derived=True),
        Field("words_32", "I", derived=True),
        Field("words_64", "I", derived=True),
    ),
)
BIG = Record(
    "ocaml.value",
    ">",
    (
        Field("magic", "I", hexadecimal),
        Field("reserved", "I"),
        Field("size", "Q", derived=True),
        Field("objects", "Q", derived=True),
        Field("words_64", "Q", derived=True),
    ),
)
HEADERS = {b"\x84\x95\xa6\xbe": SMALL, b"\x84\x95\xa6\xbf": BIG}
MOST_VALUES = 10_000
MOST_BYTES = 256 << 20

# intext.h: code, name, bytes of the number behind it
NUMBERS = {0: 1, 1: 2, 2: 4, 3: 8}
SHARED = {4: 1, 5: 2, 6: 4, 0x14: 8}
BLOCKS = {8: 4, 0x13: 8}
STRINGS = {9: 1, 10: 4, 0x15: 8}
DOUBLES = {0x0B: (0, 1), 0x0C: (0, 1), 0x0D: (1, 8), 0x0E: (1, 8), 0x0F: (4, 8), 0x07: (4, 8)}
CUSTOM = (0x12, 0x18, 0x19)
CUSTOM_SIZES = {b"_j": 8, b"_i": 4}


class Ocaml:
    """Magic number, code as it lies, marshalled values item by item."""

    name = "ocaml"

    def recognises(self, head: bytes) -> bool:
        """A magic number of one of the kinds."""
        return MAGIC.match(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """In the order of the file."""
        found = MAGIC.match(blob.read(0, SIZE))
        if found is None:
            raise FormatError("no magic number", 0)
        yield _magic(blob, 0)
        at = SIZE
        if found[1].decode() in WITH_CODE:
            place = int.from_bytes(blob.part(at, 4).read(), "big")
            yield Fact("ocaml.place", place, (at, 4), derived=True)
            code = blob.part(at + 4, place - at - 4)
            yield Member("code", code, (at + 4, code.size), "ocaml.code", opaque=True)
            at = place
        for number in range(1, MOST_VALUES):
            header = HEADERS.get(blob.read(at, 4))
            if header is None and MAGIC.match(blob.read(at, SIZE)):
                yield _magic(blob, at)
                at += SIZE
                header = HEADERS.get(blob.read(at, 4))
            if header is None:
                break
            name = f"value {number}"
            yield from header.facts(blob, at, name)
            size = header.number(blob, at, "size")
            at += header.size
            yield Member(
                name,
                blob.part(at, size),
                (at, size),
                "ocaml.value",
                inside=Listing("ocaml.value", _rows),
            )
            at += size
        if blob.size - at == DIGEST:
            yield Fact("ocaml.digest", blob.read(at).hex(), (at, DIGEST), derived=True)
        elif at < blob.size:
            rest = blob.part(at, blob.size - at)
            yield Member("rest", rest, (at, rest.size), "ocaml.rest", opaque=True)


def _magic(blob: Blob, at: int) -> Fact:
    text = text_of(blob.part(at, SIZE).read())
    return Fact("ocaml.magic", f"{text} ({KINDS[text[8]]})", (at, SIZE))


def _rows(blob: Blob) -> Iterator[Row]:
    """The codes of a marshalled value in their order; what is no known code ends them."""
    if blob.size > MOST_BYTES:
        raise LimitError(f"value of more than {MOST_BYTES} bytes")
    data = blob.read()
    at = 0
    while at < len(data):
        size, text = _code(data, at)
        size = min(size, len(data) - at) if size else len(data) - at
        yield Row((at, size), text or data[at:].hex())
        at += size


def _string(raw: bytes) -> str:
    """A string in quotes; bytes that are no text (digests) in hex digits."""
    try:
        return repr(raw.decode())
    except UnicodeDecodeError:
        return f"bytes {raw.hex()}"


def _code(data: bytes, at: int) -> tuple[int, str]:
    """Size and text of the code at `at`; (0, "") where it is none that is known."""
    code = data[at]
    at += 1

    def number(size: int, signed: bool = False) -> int:
        return int.from_bytes(data[at : at + size], "big", signed=signed)

    if code >= 0x80:
        return 1, f"block of tag {code & 15}, {code >> 4 & 7} fields"
    if code >= 0x40:
        return 1, str(code & 0x3F)
    if code >= 0x20:
        size = code & 0x1F
        return 1 + size, _string(data[at : at + size])
    if code in NUMBERS:
        return 1 + NUMBERS[code], str(number(NUMBERS[code], True))
    if code in SHARED:
        return 1 + SHARED[code], f"shared {number(SHARED[code])}"
    if code in BLOCKS:
        header = number(BLOCKS[code])
        return 1 + BLOCKS[code], f"block of tag {header & 255}, {header >> 10} fields"
    if code in STRINGS:
        size = number(STRINGS[code])
        start = at + STRINGS[code]
        return 1 + STRINGS[code] + size, _string(data[start : start + size])
    if code in DOUBLES:
        width, each = DOUBLES[code]
        size = width + 8 * (number(width) if width else each)
        return 1 + size, f"double {data[at : at + size].hex()}"
    if code in CUSTOM:
        end = data.find(b"\0", at, at + 64)
        name = data[at:end] if end >= 0 else b""
        size = CUSTOM_SIZES.get(name, 0)
        if not size:
            return 0, ""
        start = end + 1 + (12 if code == 0x18 else 0)
        return start + size - at + 1, f"custom {text_of(name)} {data[end + 1 : start + size].hex()}"
    return 0, ""
