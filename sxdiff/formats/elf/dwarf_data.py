"""The bytes of debug sections: unpacked where they are packed, addresses traced to sections.

Source: DWARF 5, section 7.4 (offset size), 7.6 (variable length data); gABI 2001 update, "Section
Compression"; gABI 4.1, chapter 4, "Relocation".
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from sxdiff.formats.elf import schema
from sxdiff.model import Blob, FormatError, LimitError, text_of

if TYPE_CHECKING:
    from sxdiff.formats.elf.layout import ElfFile, Section

T = TypeVar("T")
Order: TypeAlias = Literal["little", "big"]

WHOLE = 4 << 20
"""Size up to which a section is held as a whole."""
PAGE = 256 << 10
PAGES = 16
"""Pages of a larger section that are held at a time."""
UNPACKED = 64 << 20
"""Bytes of one packed section that are unpacked to look things up."""
LONGEST = 64 << 10
"""Longest string."""
MOST_RELOCATIONS = 1 << 20
"""Relocations of one section of an object file that are read."""
ALLOCATED = 0x2


class Content:
    """A section's bytes by offset, read as they are asked for."""

    def __init__(self, source: Blob | bytes) -> None:
        self._source = source
        self._pages: dict[int, bytes] = {}
        self.size = len(source) if isinstance(source, bytes) else source.size
        self._whole: bytes | None = source if isinstance(source, bytes) else None

    def read(self, at: int, size: int) -> bytes:
        """Exactly `size` bytes. Raises `FormatError` where they lie outside."""
        if at < 0 or size < 0 or at + size > self.size:
            raise FormatError(f"{size} bytes outside a section of {self.size}", at)
        return self.some(at, size)

    def some(self, at: int, size: int) -> bytes:
        """At most `size` bytes; fewer only at the end."""
        if self._whole is None and self.size <= WHOLE:
            assert isinstance(self._source, Blob)  # noqa: S101 - bytes are whole
            self._whole = self._source.read()
        if self._whole is not None:
            return self._whole[at : at + size]
        assert isinstance(self._source, Blob)  # noqa: S101 - bytes are whole
        if size > PAGE:
            return self._source.read(at, size)
        number, start = divmod(at, PAGE)
        data = self._page(number)[start : start + size]
        if len(data) < size:
            data += self._page(number + 1)[: size - len(data)]
        return data

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            assert isinstance(self._source, Blob)  # noqa: S101 - bytes are whole
            if len(self._pages) >= PAGES:
                self._pages.pop(next(iter(self._pages)))
            page = self._pages[number] = self._source.read(number * PAGE, PAGE)
        return page

    def string(self, at: int) -> str:
        """The NUL-terminated string at `at`, as text; empty where there is none."""
        if not 0 <= at < self.size:
            return ""
        data = self.some(at, 256)
        end = data.find(b"\0")
        if end < 0:
            data = self.some(at, LONGEST)
            end = data.find(b"\0")
        return text_of(data[:end] if end >= 0 else data)


class Debug:
    """What lies where in the debug sections of one file; made once for each file."""

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self.order: Order = "little" if elf.layout.order == "<" else "big"
        self.relocatable = elf.layout.type == schema.ET_REL
        self.kept: dict[str, object] = {}
        self._read: dict[str, int] = {}
        self._contents: dict[str, Content] = {}
        self._relocations: dict[str, Mapping[int, tuple[int, int]]] = {}
        self._by_address: tuple[list[int], list[Section]] | None = None

    def content(self, name: str) -> Content:
        """The unpacked bytes of the section `name`; empty where there is none that is sound."""
        known = self._contents.get(name)
        if known is None:
            section = self.elf.named(name)
            try:
                found = unpacked(self.elf, section) if section else b""
            except FormatError:  # as damaged as it is, it only names nothing
                found = b""
            known = self._contents[name] = Content(found)
        return known

    def use(self, name: str, blob: Blob) -> Content:
        """The same for the section that is looked into, whose unpacked bytes are `blob`."""
        known = self._contents.get(name)
        if known is None or known.size != blob.size:
            known = self._contents[name] = Content(blob)
        return known

    def may_read(self, what: str, size: int, most: int) -> bool:
        """Whether `size` bytes more of a kind may be read, `most` of one file; counts them."""
        before = self._read.get(what, 0)
        if before + size > most:
            return False
        self._read[what] = before + size
        return True

    def place(self, address: int) -> tuple[str, int] | None:
        """The loaded section that an address lies in, and the offset in it."""
        if self.relocatable:
            return None
        if self._by_address is None:
            found = sorted(
                (
                    section
                    for section in self.elf.layout.sections
                    if section.flags & ALLOCATED and section.address
                ),
                key=lambda section: section.address,
            )
            self._by_address = [section.address for section in found], found
        number = bisect_right(self._by_address[0], address) - 1
        if number < 0:
            return None
        section = self._by_address[1][number]
        # an end of a range lies one behind its section
        if address - section.address > section.size:
            return None
        return section.name, address - section.address

    def relocations(self, name: str) -> Mapping[int, tuple[int, int]]:
        """Of an object file's section: offset to (symbol's section index, offset in it)."""
        if not self.relocatable:
            return {}
        known = self._relocations.get(name)
        if known is None:
            try:
                known = _relocations(self.elf, name)
            except FormatError:
                known = {}
            self._relocations[name] = known
        return known


def debug(elf: ElfFile) -> Debug:
    """The `Debug` of a file."""
    known = elf.kept.get("debug")
    if not isinstance(known, Debug):
        known = elf.kept["debug"] = Debug(elf)
    return known


def unpacked(elf: ElfFile, section: Section) -> Blob | bytes:
    """A section's content. Raises `FormatError` where it is packed and not sound, `LimitError`
    where it would be larger than `UNPACKED`."""
    content = elf.content(section)
    if not section.flags & schema.SHF_COMPRESSED or not section.has_content:
        return content
    wide = elf.layout.width == 64
    table = elf.layout.table(schema.COMPRESSION_HEADER_64 if wide else schema.COMPRESSION_HEADER_32)
    row = table.row.unpack(content.part(0, table.size).read())
    packed = content.part(table.size, content.size - table.size)
    if packed.size > UNPACKED:
        raise LimitError(f"packed section of {packed.size} bytes")
    if row[0] == 1:  # ELFCOMPRESS_ZLIB
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(packed.read(), UNPACKED + 1)
        except zlib.error as error:
            raise FormatError(f"packed section: {error}") from error
    elif row[0] == 2:  # ELFCOMPRESS_ZSTD
        import zstandard  # noqa: PLC0415 - start-up time

        try:
            reader = zstandard.ZstdDecompressor().stream_reader(packed.read())
            data = reader.read(UNPACKED + 1)
        except zstandard.ZstdError as error:
            raise FormatError(f"packed section: {error}") from error
    else:
        raise FormatError(f"packing {row[0]} of a section")
    if len(data) > UNPACKED:
        raise LimitError(f"section of more than {UNPACKED} bytes")
    return data


def numbers(data: bytes, order: Order) -> Callable[[int, int], int]:
    """What gives the unsigned number of a size at an offset of `data`; 0 behind its end."""
    return lambda at, size: int.from_bytes(data[at : at + size], order)


def string_end(data: bytes, at: int) -> int:
    """The offset of the NUL that ends the string at `at`. Raises `IndexError` without one."""
    end = data.find(b"\0", at)
    if end < 0:
        raise IndexError("string without an end")
    return end


def uleb(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number at `at`, and the offset behind it (DWARF 5, 7.6)."""
    value = data[at]
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 140:
            raise FormatError("number of more than 20 bytes", at)


def sleb(data: bytes, at: int) -> tuple[int, int]:
    """A signed LEB128 number at `at`, and the offset behind it."""
    start = at
    value, at = uleb(data, at)
    if data[at - 1] & 0x40:
        value -= 1 << (7 * (at - start))
    return value, at


def unique(found: Iterable[tuple[T, str]]) -> Iterator[tuple[T, str]]:
    """The same with unique names: one met again gets ` #2`; none ends like the name of a part
    of another, ` (unit)`."""
    met: dict[str, int] = {}
    for one, name in found:
        text = name.removesuffix(")")
        number = met[text] = met.get(text, 0) + 1
        yield one, text if number == 1 else f"{text} #{number}"


def _relocations(elf: ElfFile, name: str) -> Mapping[int, tuple[int, int]]:
    layout = elf.layout
    target = next((at for at, one in enumerate(layout.sections) if one.name == name), 0)
    out: dict[int, tuple[int, int]] = {}
    for section in layout.sections:
        if section.type not in (schema.SHT_REL, schema.SHT_RELA) or section.row[7] != target:
            continue
        symbols = elf.linked(section)
        if not target or not symbols:
            continue
        order: Order = "little" if layout.order == "<" else "big"
        word = layout.width // 8
        step = word * (3 if section.type == schema.SHT_RELA else 2)
        if section.size // step > MOST_RELOCATIONS:
            raise LimitError(f"{section.size // step} relocations")
        data = elf.content(section).read()
        mips = layout.machine == 8 and layout.width == 64 and layout.order == "<"
        table = layout.table(schema.SYMBOL_64 if layout.width == 64 else schema.SYMBOL_32)
        value_at, owner_at = table.index("st_value"), table.index("st_shndx")
        rows = list(table.row.iter_unpack(_whole_rows(elf.content(symbols), table.size)))
        original = elf.content(layout.sections[target]) if step == 2 * word else None
        for at in range(0, len(data) - step + 1, step):
            where = int.from_bytes(data[at : at + word], order)
            info = int.from_bytes(data[at + word : at + 2 * word], order)
            number = info >> (32 if word == 8 else 8)
            if mips:  # r_sym comes first, then four bytes of types
                number = info & 0xFFFFFFFF
            raw = original.read(where, 4) if original else data[at + 2 * word : at + step]
            addend = int.from_bytes(raw, order, signed=original is None)
            if number < len(rows) and where not in out:
                out[where] = rows[number][owner_at], rows[number][value_at] + addend
    return out


def _whole_rows(content: Blob, size: int) -> bytes:
    if content.size // size > MOST_RELOCATIONS:
        raise LimitError(f"{content.size // size} symbols")
    return content.read(0, content.size - content.size % size)
