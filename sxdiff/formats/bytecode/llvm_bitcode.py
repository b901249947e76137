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
BLOCKS = {
    # LLVMBitCodes.h, enum BlockIDs
    0: "block info",
    8: "module",
    9: "attributes",
    10: "attribute groups",
    11: "constants",
    12: "function",
    13: "identification",
    14: "value symbols",
    15: "metadata",
    16: "metadata attachment",
    17: "types",
    18: "use lists",
    19: "module paths",
    20: "summary",
    21: "operand bundle tags",
    22: "metadata kinds",
    23: "strtab",
    24: "summary of all modules",
    25: "symtab",
    26: "synchronization scopes",
}
MODULE, FUNCTION, IDENTIFICATION, VALUE_SYMBOLS, STRTAB, SYMTAB = 8, 12, 13, 14, 23, 25
FUNCTION_RECORD, VST_OFFSET = 8, 13
"""Records of a module: a function, and the place of the symbols of its values."""
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
        names: list[bytes] = []  # of the last block of names; asked when all blocks are read
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
            if identity == STRTAB:
                names[:] = [_strings(content, head >> 10 & 7)]
            known = identity in (MODULE, IDENTIFICATION)
            yield Member(
                name,
                content,
                (at + 8, size),
                "llvm_bitcode.content",
                opaque=True,
                derived=identity == SYMTAB,
                inside=Inside("llvm_bitcode", partial(_told, identity, head >> 10 & 7, names))
                if known
                else None,
            )
            at += 8 + size


def _strings(blob: Blob, width: int) -> bytes:
    """The characters that names are spans of; none where they cannot be read."""
    try:
        return next((bytes(one.values) for one in _records(blob, width) if one.code == 1), b"")
    except (FormatError, ValueError):
        return b""


def _told(identity: int, width: int, names: list[bytes], blob: Blob) -> Iterator[Fact | Member]:
    """What a block says of itself, then its bits, from which that follows; a module's blocks
    by themselves."""
    met: dict[str, int] = {}
    inner: list[Entry] = []
    functions: list[str] = []
    try:
        for record in _records(blob, width):
            if record.is_block:
                inner.append(record)
                continue
            if identity == MODULE and record.code == FUNCTION_RECORD:
                functions += _defined(record.values, names)
            if identity == MODULE and record.code == VST_OFFSET and record.values:
                place = _place(blob, record)
                if place:
                    yield from place[1]
                    inner.append(place[0])
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
        met, inner = {}, []  # its bits do
    if identity == IDENTIFICATION and met:
        yield Fact("llvm_bitcode.bits", digest_of(blob), (0, blob.size), derived=True)
    else:
        yield from _spans(blob, inner, functions)


def _place(blob: Blob, record: "Entry") -> "tuple[Entry, tuple[Fact, Fact]] | None":
    """The word that says where the symbols of values lie: a consequence of the sizes before it.
    It ends with its record at any bit, so that other records' bits share its bytes."""
    at, end = (record.end - 32) // 8, -(-record.end // 8)
    raw = int.from_bytes(blob.part(at, end - at).read(), "little")
    shift = (record.end - 32) % 8
    if raw >> shift & 0xFFFFFFFF != record.values[0]:
        return None  # not written as a word
    beside = raw & ~(0xFFFFFFFF << shift)
    span = (at, end - at)
    facts = (
        Fact("llvm_bitcode.value_symbols", record.values[0], span, derived=True),
        Fact("llvm_bitcode.bits", f"{beside:#x}", span, "beside the place of value symbols"),
    )
    return record._replace(start=8 * at, end=8 * end), facts


def _defined(values: list[int], names: list[bytes]) -> list[str]:
    """The name of a function record's function, where it has a body (LLVM IR Encoding, since
    version 2: the name's span, type, calling convention, whether it is but a declaration)."""
    if len(values) < 5 or values[4]:
        return []
    raw = names[0][values[0] : values[0] + values[1]] if names else b""
    return [text_of(raw)]


def _spans(blob: Blob, inner: list["Entry"], functions: list[str]) -> Iterator[Fact | Member]:
    """The blocks in a block, and the records between them. Bodies of functions come in the
    order of their records."""
    at = bodies = 0
    met: dict[str, int] = {}

    def named(name: str) -> str:
        met[name] = met.get(name, 0) + 1
        return name if met[name] == 1 else f"{name} #{met[name]}"

    def records(end: int) -> Iterator[Member]:
        if end > at:
            part = blob.part(at, end - at)
            yield Member(
                named("records"), part, (at, part.size), "llvm_bitcode.records", opaque=True
            )

    for one in inner:
        start, end = one.start // 8, one.end // 8
        yield from records(start - 4 if one.is_block else start)
        if one.is_block:
            name = BLOCKS.get(one.code, f"block {one.code}")
            if one.code == FUNCTION:
                if bodies < len(functions) and functions[bodies]:
                    name = f"function {functions[bodies]}"
                bodies += 1
            name = named(name)
            size = int.from_bytes(blob.read(start - 4, 4), "little") * 4
            yield Fact("llvm_bitcode.block_size", size, (start - 4, 4), name, derived=True)
            # of a module these hold where the bodies of functions start
            derived = one.code == VALUE_SYMBOLS
            kind = "llvm_bitcode.function" if one.code == FUNCTION else "llvm_bitcode.content"
            part = blob.part(start, end - start)
            yield Member(name, part, (start, part.size), kind, opaque=True, derived=derived)
        at = end
    yield from records(blob.size)


class Entry(NamedTuple):
    """One record of a block, or a block in it (`code` is its kind). `start` and `end` are bits:
    of a block its content's, which words hold whole."""

    code: int
    values: list[int]
    start: int
    end: int
    is_block: bool = False


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

    def whole(self, size: int) -> bytes:
        """Bytes, where the place is one's start."""
        start = self.at >> 3
        self.skip(8 * size)
        return self._data[start : start + size]

    def align(self) -> None:
        self.at = -(-self.at // 32) * 32

    def skip(self, bits: int) -> None:
        self.at += bits
        if self.at > 8 * len(self._data):
            raise FormatError("block ends early", len(self._data))


def _records(blob: Blob, width: int) -> Iterator[Entry]:
    """The records of a block itself, and the blocks in it as a whole."""
    if blob.size > MOST_BYTES:
        raise FormatError(f"block of more than {MOST_BYTES} bytes")
    if width < 2:
        raise FormatError(f"abbreviations of {width} bits", 0)
    bits = _Bits(blob.read())
    abbreviations: list[list[Operand]] = []
    for _ in range(MOST_RECORDS):
        start = bits.at
        identity = bits.fixed(width)
        if identity == 0:  # END_BLOCK
            return
        if identity == 1:  # ENTER_SUBBLOCK
            code = bits.vbr(8)
            bits.vbr(4)
            bits.align()
            size = 32 * bits.fixed(32)
            start = bits.at
            bits.skip(size)
            yield Entry(code, [], start, bits.at, is_block=True)
        elif identity == 2:  # DEFINE_ABBREV
            abbreviations.append(_abbreviation(bits))
        elif identity == 3:  # UNABBREV_RECORD
            code, count = bits.vbr(6), bits.vbr(6)
            _bounded(blob, count, bits)
            values = [bits.vbr(6) for _ in range(count)]
            yield Entry(code, values, start, bits.at)
        elif identity - 4 < len(abbreviations):
            values = _abbreviated(blob, bits, abbreviations[identity - 4])
            if values:
                yield Entry(values[0], values[1:], start, bits.at)
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
            element = operands[place + 1] if place + 1 < len(operands) else (LITERAL, 0)
            # elements of no bits would be as many as the file says; LLVM has none either
            if element[0] in (ARRAY, BLOB, LITERAL) or element == (FIXED, 0):
                raise FormatError("array without an element", bits.at >> 3)
            out += [_scalar(bits, *element) for _ in range(count)]
            return out
        if encoding == BLOB:
            size = bits.vbr(6)
            bits.align()
            _bounded(blob, size, bits)
            out += bits.whole(size)
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
