"""LLVM bitcode: producer and epoch, blocks, what a module says of itself.

Source: "LLVM Bitcode File Format" (llvm.org/docs/BitCodeFormat.html): "Bitstream Format",
"Bitcode Wrapper Format", "LLVM IR Encoding"; LLVM 14's llvm/Bitcode/LLVMBitCodes.h.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

from sxdiff.formats.digest import digest_of
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Inside, Limits, Member, text_of

MAGIC, WRAPPER = b"BC\xc0\xde", b"\xde\xc0\x17\x0b"
WRAPPED = Record(
    "llvm_bitcode.wrapper",
    "<",
    (
        Field("magic", "4s", hexadecimal),
        Field("version", "I"),
        Field("offset", "I", derived=True),
        Field("size", "I", derived=True),
        Field("cpu_type", "I", hexadecimal),
    ),
)
BLOCKS = {0: "block info", 8: "module", 13: "identification", 23: "strtab", 25: "symtab"}
MODULE, IDENTIFICATION, SYMTAB = 8, 13, 25
TEXTS = {
    # block, record: what it says in characters
    (IDENTIFICATION, 1): "producer",
    (MODULE, 2): "triple",
    (MODULE, 3): "data_layout",
    (MODULE, 4): "assembly",
    (MODULE, 5): "section_name",
    (MODULE, 16): "source_filename",
}
NUMBERS = {(IDENTIFICATION, 2): "epoch", (MODULE, 1): "version", (MODULE, 17): "hash"}
MOST_BLOCKS = 10_000
MOST_BYTES = 64 << 20
MOST_RECORDS = 1_000_000
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._"
LITERAL, FIXED, VBR, ARRAY, CHAR6, BLOB = 0, 1, 2, 3, 4, 5

Operand: TypeAlias = tuple[int, int]
"""An abbreviation's operand: its encoding, and its value (of a literal) or width."""


class LlvmBitcode:
    """Wrapper and magic number; a part for each block."""

    name = "llvm_bitcode"

    def recognises(self, head: bytes) -> bool:
        """A bitstream of LLVM IR, or the wrapper of one."""
        return len(head) >= 12 and head.startswith((MAGIC, WRAPPER))

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Blocks in the order of the file; each is aligned to 32 bits."""
        at, end = 0, blob.size
        if blob.read(0, 4) == WRAPPER:
            yield from WRAPPED.facts(blob, 0)
            at = WRAPPED.number(blob, 0, "offset")
            end = at + blob.part(at, WRAPPED.number(blob, 0, "size")).size
        met: dict[str, int] = {}
        for number in range(MOST_BLOCKS):
            if end - at < 4:
                break
            word = blob.part(at, 4).read()
            if word == MAGIC:
                yield Fact("llvm_bitcode.magic", word.hex(), (at, 4))
                at += 4
                continue
            if number == 0:
                raise FormatError("no magic number", at)
            head = int.from_bytes(word, "little")
            if head == 0 or end - at < 8:
                break  # padding
            if head & 3 != 1 or head & 1 << 9 or head & 1 << 13:
                raise FormatError("no block where one should be", at)
            identity = head >> 2 & 0xFF
            size = 4 * int.from_bytes(blob.part(at + 4, 4).read(), "little")
            name = BLOCKS.get(identity, f"block {identity}")
            met[name] = met.get(name, 0) + 1
            name = name if met[name] == 1 else f"{name} #{met[name]}"
            yield Fact("llvm_bitcode.block", f"{head:#x}", (at, 4), name)
            yield Fact("llvm_bitcode.block_size", size, (at + 4, 4), name, derived=True)
            content = blob.part(at + 8, size)
            known = identity in (MODULE, IDENTIFICATION)
            yield Member(
                name,
                content,
                (at + 8, size),
                "llvm_bitcode.content",
                opaque=True,
                derived=identity == SYMTAB,
                inside=Inside("llvm_bitcode", partial(_told, identity, head >> 10 & 7))
                if known
                else None,
            )
            at += 8 + size


def _told(identity: int, width: int, blob: Blob) -> Iterator[Fact | Member]:
    """What a block says of itself, then its bits, from which that follows."""
    met: dict[str, int] = {}
    try:
        for record in _records(blob, width):
            key = identity, record.code
            name = TEXTS.get(key) or NUMBERS.get(key)
            if name is None:
                continue
            met[name] = met.get(name, 0) + 1
            text = ".".join(map(str, record.values))
            if key in TEXTS:
                text = text_of(bytes(value & 0xFF for value in record.values))
            label = "" if met[name] == 1 else f"#{met[name]}"
            derived = identity == MODULE
            yield Fact(f"llvm_bitcode.{name}", text, None, label, derived=derived)
    except FormatError:
        met = {}  # its bits do
    if identity == IDENTIFICATION and met:
        yield Fact("llvm_bitcode.bits", digest_of(blob), (0, blob.size), derived=True)
    else:
        yield Member("bits", blob, (0, blob.size), "llvm_bitcode.bits", opaque=True)


class Entry(NamedTuple):
    """One record of a block."""

    code: int
    values: list[int]


class _Bits:
    """Numbers at bits, the lowest bit of the first byte first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def fixed(self, width: int) -> int:
        if not width:
            return 0
        first, last = self.at >> 3, (self.at + width + 7) >> 3
        if last > len(self._data):
            raise FormatError("block ends early", first)
        value = int.from_bytes(self._data[first:last], "little") >> (self.at & 7)
        self.at += width
        return value & ((1 << width) - 1)

    def vbr(self, width: int) -> int:
        value = shift = 0
        high = 1 << (width - 1)
        while shift < 70:
            chunk = self.fixed(width)
            value |= (chunk & (high - 1)) << shift
            if not chunk & high:
                return value
            shift += width - 1
        raise FormatError("number of more than 64 bits", self.at >> 3)

    def align(self) -> None:
        self.at = -(-self.at // 32) * 32

    def skip(self, bits: int) -> None:
        self.at += bits
        if self.at > 8 * len(self._data):
            raise FormatError("block ends early", len(self._data))


def _records(blob: Blob, width: int) -> Iterator[Entry]:
    """The records of a block itself, not of those in it."""
    if blob.size > MOST_BYTES:
        raise FormatError(f"block of more than {MOST_BYTES} bytes")
    if width < 2:
        raise FormatError(f"abbreviations of {width} bits", 0)
    bits = _Bits(blob.read())
    abbreviations: list[list[Operand]] = []
    for _ in range(MOST_RECORDS):
        identity = bits.fixed(width)
        if identity == 0:  # END_BLOCK
            return
        if identity == 1:  # ENTER_SUBBLOCK
            bits.vbr(8)
            bits.vbr(4)
            bits.align()
            bits.skip(32 * bits.fixed(32))
        elif identity == 2:  # DEFINE_ABBREV
            abbreviations.append(_abbreviation(bits))
        elif identity == 3:  # UNABBREV_RECORD
            code, count = bits.vbr(6), bits.vbr(6)
            _bounded(blob, count, bits)
            yield Entry(code, [bits.vbr(6) for _ in range(count)])
        elif identity - 4 < len(abbreviations):
            values = _abbreviated(blob, bits, abbreviations[identity - 4])
            if values:
                yield Entry(values[0], values[1:])
        else:
            raise FormatError(f"no abbreviation {identity}", bits.at >> 3)


def _bounded(blob: Blob, count: int, bits: _Bits) -> None:
    if count > 8 * blob.size:
        raise FormatError(f"{count} operands in fewer bits", bits.at >> 3)


def _abbreviation(bits: _Bits) -> list[Operand]:
    out: list[Operand] = []
    for _ in range(bits.vbr(5)):
        if bits.fixed(1):
            out.append((LITERAL, bits.vbr(8)))
            continue
        encoding = bits.fixed(3)
        value = bits.vbr(5) if encoding in (FIXED, VBR) else 0
        if encoding == 0 or encoding > BLOB or value > 64 or (encoding == VBR and value < 2):
            raise FormatError(f"no encoding {encoding} of {value} bits", bits.at >> 3)
        out.append((encoding, value))
    return out


def _abbreviated(blob: Blob, bits: _Bits, operands: list[Operand]) -> list[int]:
    out: list[int] = []
    for place, (encoding, value) in enumerate(operands):
        if encoding == ARRAY:
            count = bits.vbr(6)
            _bounded(blob, count, bits)
            if place + 1 >= len(operands) or operands[place + 1][0] in (ARRAY, BLOB, LITERAL):
                raise FormatError("array without an element", bits.at >> 3)
            out += [_scalar(bits, *operands[place + 1]) for _ in range(count)]
            return out
        if encoding == BLOB:
            size = bits.vbr(6)
            bits.align()
            _bounded(blob, size, bits)
            out += [bits.fixed(8) for _ in range(size)]
            bits.align()
            continue
        out.append(_scalar(bits, encoding, value))
    return out


def _scalar(bits: _Bits, encoding: int, value: int) -> int:
    if encoding == LITERAL:
        return value
    if encoding == FIXED:
        return bits.fixed(value)
    if encoding == VBR:
        return bits.vbr(value)
    return ord(CHARACTERS[bits.fixed(6)])
