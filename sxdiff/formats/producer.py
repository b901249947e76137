"""What an artefact says of the tool that made it: a compiler, an interpreter, a generator.

Reads a few places that are known beforehand, never a whole stream: it is asked for every file
in which a cause was found. Sources: gABI 4.1, chapter 4, DWARF 5, section 7.5 (ELF); Go, package
`debug/buildinfo`; PEP 3147; JVMS, section 4.1; PE format, "Optional Header"; PNG, section 11.3.3;
ISO 32000-1, section 14.3.3.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sxdiff.formats.bytecode.pyc import VERSIONS
from sxdiff.model import Blob, FormatError

HEAD = 4096
MOST_SECTIONS = 2048
LONGEST = 400
"""Characters of what is told."""
UNPACKED = 256 << 10
"""Bytes of a packed section that are unpacked."""
MOST_UNITS = 8
"""Compilation units that are asked for their producer, of those at the start."""
TAIL = 32 << 10
"""Bytes at the end of a PDF file in which its information dictionary is looked for."""

_WORD = re.compile(rb"[ -~\t]{2,}")
_GO = re.compile(rb"(?:go1|devel)[ -~]{1,80}")
_RUSTC = re.compile(rb"rustc(?: version)? [0-9]+\.[0-9]+\.[0-9]+[ -~]{0,60}?\)")
_PDF = re.compile(
    rb"/Producer\s*(?:\(((?:[^()\\]|\\.){1,300})\)|<([0-9A-Fa-f\s]{2,600})>)", re.DOTALL
)
_GENERATOR = re.compile(
    rb"""<(?i:meta\s+name=["']?generator["']?\s+content)=["']([^"'<>]{1,200})["']|"""
    rb"""\b(?i:generated|created|produced|written)\ (?:automatically\ )?(?:by|with|using)[:\ ]"""
    rb"""\s*["'`]?((?:[A-Z]|[\w+-]+\ (?:version\ )?v?\d)[^\n"'`<>]{1,120})|"""
    rb"""^.?[\\]"\s+Generator:\s*([^\n]{1,120})|"""
    rb"""^;;;\ in\ (Emacs\ version\ [\d.]+)""",
    re.VERBOSE | re.MULTILINE,
)
_END = re.compile(rb"\s*(?:\*/|-->|\s(?:on|at)\s(?:\d|Mon|Tue|Wed|Thu|Fri|Sat|Sun))|[.,]?\s*\Z")
"""What stands behind a generator's name in a comment."""


def producer_of(blob: Blob) -> str | None:
    """What made the stream, in its own words ("GCC: (Debian 12.2.0-14) 12.2.0", "go1.22.1"); a
    line for each where it says several; None where it says nothing."""
    words: list[str] = []
    try:
        head = blob.read(0, HEAD)
        tell = next(tell for magic, tell in _TELLERS if head.startswith(magic))
        for word in tell(blob, head):
            words.append(word.strip())  # noqa: PERF401 - those before an error count
    except (FormatError, struct.error, IndexError, ValueError, OverflowError, zlib.error):
        pass  # it is no such file, or damaged from there on
    return "\n".join(filter(None, dict.fromkeys(words)))[:LONGEST] or None


@dataclass(frozen=True, slots=True)
class _Section:
    type: int
    flags: int
    offset: int
    size: int
    info: int


class _Elf:
    """The headers of an ELF file's sections, by name."""

    def __init__(self, blob: Blob, head: bytes) -> None:
        self.blob = blob
        self.order = "<" if head[5] == 1 else ">"
        self.wide = head[4] == 2
        self.relocatable = self.number(head, 16, 2) == 1
        self.sections: dict[str, _Section] = {}
        self.relocations: dict[int, _Section] = {}
        self.numbers: dict[str, int] = {}
        at = self.number(head, 40, 8) if self.wide else self.number(head, 32, 4)
        size, count, names_at = struct.unpack_from(f"{self.order}3H", head, 58 if self.wide else 46)
        row = struct.Struct(self.order + ("IIQQQQIIQQ" if self.wide else "10I"))
        if size != row.size or not at:
            return
        table = blob.read(at, size * min(count, MOST_SECTIONS))
        rows = [row.unpack_from(table, place) for place in range(0, len(table) - size + 1, size)]
        if not names_at < len(rows):
            return
        names = blob.read(rows[names_at][4], min(rows[names_at][5], UNPACKED))
        for number, (name, kind, flags, _, offset, length, _, info, _, _) in enumerate(rows):
            end = names.find(b"\0", name)
            word = names[name : end if end >= 0 else None].decode("latin-1")
            section = _Section(kind, flags, offset, length, info)
            if kind == 4:  # SHT_RELA
                self.relocations.setdefault(info, section)
            self.sections.setdefault(word, section)
            self.numbers.setdefault(word, number)

    def number(self, data: bytes, at: int, size: int) -> int:
        if at + size > len(data):
            raise IndexError(at)
        return int.from_bytes(data[at : at + size], "little" if self.order == "<" else "big")

    def read(self, name: str, at: int = 0, size: int = HEAD) -> bytes:
        """Bytes of a section, unpacked; none where there is no such section."""
        section = self.sections.get(name) or self.sections.get(f".z{name[1:]}")
        if section is None or section.type == 8:  # SHT_NOBITS
            return b""
        old = name not in self.sections
        if not old and not section.flags & 0x800:  # SHF_COMPRESSED
            return self.blob.read(section.offset + at, min(size, max(0, section.size - at)))
        if at + size > UNPACKED:
            return b""
        raw = self.blob.read(section.offset, min(section.size, UNPACKED))
        skipped = 12 if old else 24 if self.wide else 12
        if not old and self.number(raw, 0, 4) != 1:  # ELFCOMPRESS_ZLIB
            return b""
        return zlib.decompressobj().decompress(raw[skipped:], at + size)[at:]

    def value(self, name: str, at: int, size: int, data: bytes, start: int = 0) -> int:
        """A number of a section, whose bytes from `start` are `data`: in an object file what the
        relocation of its place says."""
        index = self.numbers.get(name, self.numbers.get(f".z{name[1:]}", -1))
        if self.relocatable and (section := self.relocations.get(index)):
            row = 24 if self.wide else 12
            table = self.blob.read(section.offset, min(section.size, 64 * row))
            for place in range(0, len(table) - row + 1, row):
                width = row // 3
                if self.number(table, place, width) == at:
                    return self.number(table, place + 2 * width, width)
        return self.number(data, at - start, size)

    def text(self, name: str, at: int) -> bytes:
        return self.read(name, at, LONGEST).partition(b"\0")[0]


def _elf(blob: Blob, head: bytes) -> Iterator[str]:
    elf = _Elf(blob, head)
    if found := _GO.search(elf.read(".go.buildinfo", 32, 128)):
        yield found[0].decode()
    for name in (".rustc", ".rmeta"):
        if found := _RUSTC.search(elf.read(name, 0, 128)):
            yield found[0].decode()
    for word in _WORD.findall(elf.read(".comment")):
        yield word.decode()
    if elf.sections.keys() & {".debug_info", ".zdebug_info"}:
        yield from _units(elf)


_FORMS = {
    **dict.fromkeys((0x0B, 0x0C, 0x11, 0x25, 0x29), 1),
    **dict.fromkeys((0x05, 0x12, 0x26, 0x2A), 2),
    **dict.fromkeys((0x27, 0x2B), 3),
    **dict.fromkeys((0x06, 0x13, 0x1C, 0x28, 0x2C), 4),
    **dict.fromkeys((0x07, 0x14, 0x20, 0x24), 8),
    0x1E: 16,
    **dict.fromkeys((0x19, 0x21), 0),
}
"""Sizes of the values of DWARF's forms."""
_OFFSETS = frozenset({0x0E, 0x10, 0x17, 0x1D, 0x1F, 0x1F20, 0x1F21})
_LEB = frozenset({0x0D, 0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23, 0x1F01, 0x1F02})
_INDEXES = {0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4}


def _units(elf: _Elf) -> Iterator[str]:
    """DW_AT_producer of the first compilation unit that has one."""
    at = 0
    for _ in range(MOST_UNITS):
        head = elf.read(".debug_info", at, HEAD)
        if len(head) < 12:
            return
        size, place, width = elf.number(head, 0, 4), 4, 4
        if size == 0xFFFFFFFF:
            size, place, width = elf.number(head, 4, 8), 12, 8
        if told := _unit(elf, at, head, place, width):
            yield told.decode("latin-1")
            return
        at += place + size


def _unit(elf: _Elf, start: int, head: bytes, at: int, width: int) -> bytes | None:
    version = elf.number(head, at, 2)
    kind = 1
    if version >= 5:
        kind, pointers = head[at + 2], head[at + 3]
        table = elf.value(".debug_info", start + at + 4, width, head, start)
        at += 4 + width + (8 if kind in (4, 5) else 0)
    else:
        table = elf.value(".debug_info", start + at + 2, width, head, start)
        pointers = head[at + 2 + width]
        at += 3 + width
    if not 2 <= version <= 5 or kind not in (1, 3, 4, 5):
        return None
    code, at = _leb(head, at)
    for name, form in _abbreviation(elf.read(".debug_abbrev", table), code):
        if name == 0x25:  # DW_AT_producer
            return _string(elf, form, head, start, at, width)
        at = _behind(elf, form, head, at, width, pointers)
    return None


def _abbreviation(data: bytes, wanted: int) -> Iterator[tuple[int, int]]:
    """Names and forms of the attributes of an abbreviation."""
    at = 0
    while True:
        code, at = _leb(data, at)
        if not code:
            return
        _, at = _leb(data, at)
        at += 1
        while True:
            name, at = _leb(data, at)
            form, at = _leb(data, at)
            if form == 0x21:  # DW_FORM_implicit_const
                _, at = _leb(data, at)
            if not name and not form:
                break
            if code == wanted:
                yield name, form
        if code == wanted:
            return


def _behind(elf: _Elf, form: int, data: bytes, at: int, width: int, pointers: int) -> int:
    """Where the value of a form that starts at `at` ends."""
    if form in _FORMS:
        return at + _FORMS[form]
    if form in _OFFSETS:
        return at + width
    if form in _LEB:
        return _leb(data, at)[1]
    if form == 0x01:  # DW_FORM_addr
        return at + pointers
    if form == 0x08:  # DW_FORM_string
        return data.index(b"\0", at) + 1
    if form in (0x0A, 0x03, 0x04):  # DW_FORM_block1, 2, 4
        size = {0x0A: 1, 0x03: 2, 0x04: 4}[form]
        return at + size + elf.number(data, at, size)
    if form in (0x09, 0x18):  # DW_FORM_block, DW_FORM_exprloc
        size, at = _leb(data, at)
        return at + size
    raise ValueError(form)


def _string(elf: _Elf, form: int, data: bytes, start: int, at: int, width: int) -> bytes | None:
    if form == 0x08:  # DW_FORM_string
        return data[at:].partition(b"\0")[0]
    if form in (0x0E, 0x1F):  # DW_FORM_strp, DW_FORM_line_strp
        place = elf.value(".debug_info", start + at, width, data, start)
        return elf.text(".debug_str" if form == 0x0E else ".debug_line_str", place)
    if form in _INDEXES or form == 0x1A:  # DW_FORM_strx
        index = elf.number(data, at, _INDEXES[form]) if form in _INDEXES else _leb(data, at)[0]
        place = 2 * width + index * width  # the first unit's base
        raw = elf.read(".debug_str_offsets", place, width)
        return elf.text(".debug_str", elf.value(".debug_str_offsets", place, width, raw, place))
    return None


def _leb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        shift += 7
        if not data[at - 1] & 0x80:
            return value, at


def _archive(blob: Blob, _: bytes) -> Iterator[str]:
    """What the first objects in an archive of ar say."""
    at = 8
    for _member in range(4):
        header = blob.read(at, 60)
        if len(header) < 60:
            return
        size = int(header[48:58])
        if size < 0:
            return
        content = Blob(blob.path, blob.offset + at + 60, min(size, blob.size - at - 60))
        if told := producer_of(content):
            yield told
            return
        at += 60 + size + size % 2


def _python(_: Blob, head: bytes) -> Iterator[str]:
    magic = int.from_bytes(head[:2], "little")
    for first, last, (major, minor) in VERSIONS:
        if first <= magic <= last:
            yield f"CPython {major}.{minor}"


def _java(_: Blob, head: bytes) -> Iterator[str]:
    major = int.from_bytes(head[6:8], "big")
    if 45 <= major <= 99:  # a Mach-O file for several machines starts alike
        yield f"Java {major - 44}"


def _pe(blob: Blob, head: bytes) -> Iterator[str]:
    at = int.from_bytes(head[60:64], "little")
    header = blob.read(at, 264)
    if header[:4] != b"PE\0\0":
        return
    magic = int.from_bytes(header[24:26], "little")
    directories = 24 + (112 if magic == 0x20B else 96)
    if any(header[directories + 14 * 8 : directories + 14 * 8 + 4]):
        yield ".NET"
    else:
        yield f"PE linker {header[26]}.{header[27]}"


def _png(blob: Blob, _: bytes) -> Iterator[str]:
    at = 8
    for _chunk in range(64):
        size, kind = struct.unpack(">I4s", blob.read(at, 8))
        if kind in (b"tEXt", b"zTXt", b"iTXt") and size < 64 << 10:
            key, _, value = blob.read(at + 8, size).partition(b"\0")
            if key == b"Software":
                yield _png_text(kind, value).decode("latin-1")
        if kind == b"IEND":
            return
        at += 12 + size


def _png_text(kind: bytes, value: bytes) -> bytes:
    packed = kind == b"zTXt"
    if kind == b"zTXt":
        value = value[1:]
    if kind == b"iTXt":
        packed = value[:1] == b"\1"
        value = value[2:].partition(b"\0")[2].partition(b"\0")[2]
    return zlib.decompressobj().decompress(value, LONGEST) if packed else value


def _pdf(blob: Blob, head: bytes) -> Iterator[str]:
    tail = blob.read(max(0, blob.size - TAIL))
    found = _PDF.search(tail) or _PDF.search(head)
    if not found:
        return
    raw = re.sub(rb"\\(.)", rb"\1", found[1]) if found[1] else bytes.fromhex(found[2].decode())
    if raw.startswith(b"\xfe\xff"):
        yield raw[2:].decode("utf-16-be", "replace")
    else:
        yield raw.decode("latin-1")


def _lua(_: Blob, head: bytes) -> Iterator[str]:
    yield f"Lua {head[4] >> 4}.{head[4] & 15}"


def _text(_: Blob, head: bytes) -> Iterator[str]:
    if b"\0" not in head and (found := _GENERATOR.search(head)):
        word = next(group for group in found.groups() if group)
        yield _END.split(word)[0].decode("utf-8", "replace")


_Tell = Callable[[Blob, bytes], Iterator[str]]
_TELLERS: tuple[tuple[bytes | tuple[bytes, ...], _Tell], ...] = (
    (b"\x7fELF", _elf),
    (b"!<arch>\n", _archive),
    (tuple(
        number.to_bytes(2, "little") + b"\r\n"
        for first, last, _ in VERSIONS
        for number in range(first, last + 1)
    ), _python),
    (b"\xca\xfe\xba\xbe", _java),
    (b"MZ", _pe),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"%PDF-", _pdf),
    (b"\x1bLua", _lua),
    (b"rust\0\0\0", lambda _, head: (found[0].decode() for found in _RUSTC.finditer(head))),
    (b"", _text),
)  # fmt: skip
"""What a stream starts with, and what reads it; the first that fits."""
