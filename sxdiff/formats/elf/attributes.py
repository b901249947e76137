"""Build attributes: what an object asks of the machine (.riscv.attributes, .ARM.attributes,
.gnu.attributes), attribute by attribute.

Source: Addenda to the ABI for the Arm Architecture, "Build Attributes"; RISC-V ELF
specification, "Attributes"; GNU as manual, "Object Attributes".
"""

from collections.abc import Iterator, Mapping
from functools import cache, partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.names import Names
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Member, Scalar, text_of

LONGEST = 1 << 20
MOST = 1 << 16
"""Attributes of one section."""
FILE, SECTION, SYMBOL = 1, 2, 3
SCOPES = {FILE: "file", SECTION: "section", SYMBOL: "symbol"}
COMPATIBILITY = 32
"""Tag_compatibility: a number and a text, of every vendor."""
ARM_TEXTS = frozenset({4, 5, 67})
"""CPU_raw_name, CPU_name, conformance."""
ARM_NUMBER_BELOW = 32
GNU_TAGS: Mapping[int, Mapping[int, str]] = {
    schema.EM_MIPS: {4: "Tag_GNU_MIPS_ABI_FP", 8: "Tag_GNU_MIPS_ABI_MSA"},
    20: {
        4: "Tag_GNU_Power_ABI_FP",
        8: "Tag_GNU_Power_ABI_Vector",
        12: "Tag_GNU_Power_ABI_Struct_Return",
    },
    21: {4: "Tag_GNU_Power_ABI_FP", 8: "Tag_GNU_Power_ABI_Vector"},
    22: {8: "Tag_GNU_S390_ABI_Vector"},
}


def attributes(elf: ElfFile, index: int) -> Inside | None:
    """Facts of each attribute, named by the vendor and its tag."""
    section = elf.layout.sections[index]
    machine = elf.layout.machine
    if section.type != schema.SHT_GNU_ATTRIBUTES and (
        machine not in (schema.EM_ARM, schema.EM_RISCV) or section.type != schema.SHT_ARM_ATTRIBUTES
    ):
        return None
    return Inside("elf.attribute", partial(_facts, elf))


@cache
def _tags(vendor: str, machine: int) -> Mapping[int, str]:
    from elftools.elf import enums  # noqa: PLC0415 - start-up time: only differing ELF files need it

    if vendor == "gnu":
        return {COMPATIBILITY: "Tag_compatibility", **GNU_TAGS.get(machine, {})}
    known = {"aeabi": enums.ENUM_ATTR_TAG_ARM, "riscv": enums.ENUM_ATTR_TAG_RISCV}.get(vendor, {})
    # pyelftools' names are `TAG_CPU_ARCH`; the documents write `Tag_CPU_arch`
    return {number: f"Tag_{name[4:]}" for name, number in known.items() if isinstance(number, int)}


class _Reader:
    """Numbers and texts of the section, one after the other, each within `end`."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._little = order == "<"
        self.at = 0

    def byte(self) -> int:
        if self.at >= len(self._data):
            raise FormatError("attributes end early", self.at)
        self.at += 1
        return self._data[self.at - 1]

    def word(self) -> int:
        raw = self._data[self.at : self.at + 4]
        if len(raw) < 4:
            raise FormatError("attributes end early", self.at)
        self.at += 4
        return int.from_bytes(raw, "little" if self._little else "big")

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 70:
                raise FormatError("number without an end", self.at)

    def text(self) -> str:
        end = self._data.find(b"\0", self.at)
        if end < 0:
            raise FormatError("text without an end", self.at)
        start, self.at = self.at, end + 1
        return text_of(self._data[start:end])


def _facts(elf: ElfFile, blob: Blob) -> Iterator[Fact | Member]:
    if blob.size > LONGEST:
        raise LimitError(f"attributes of {blob.size} bytes")
    reader = _Reader(blob.read(), elf.layout.order)
    names = Names()
    count = 0
    yield Fact("elf.attribute.version", chr(reader.byte()), (0, 1))
    while reader.at < blob.size:
        start = reader.at
        size = reader.word()
        blob.part(start, size)
        vendor_at = reader.at
        vendor = reader.text()
        group = names.unique(vendor)
        yield Fact("elf.attribute.size", size, (start, 4), group, derived=True)
        yield Fact("elf.attribute.vendor", vendor, (vendor_at, reader.at - vendor_at), group)
        if size < reader.at - start:
            raise FormatError(f"attributes of {size} bytes", start)
        while reader.at < start + size:
            scope_at = reader.at
            scope = reader.number()
            size_at = reader.at
            part = reader.word()
            end = scope_at + part
            if scope not in SCOPES or not reader.at <= end <= start + size:
                raise FormatError(f"attributes of scope {scope} with {part} bytes", scope_at)
            label = names.unique(f"{vendor} {SCOPES[scope]}")
            yield Fact("elf.attribute.scope", scope, (scope_at, size_at - scope_at), label)
            yield Fact("elf.attribute.size", part, (size_at, 4), label, derived=True)
            if scope != FILE:  # the sections or symbols that it is for, ended by 0
                list_at = reader.at
                numbers = list(iter(reader.number, 0))
                told = " ".join(map(str, numbers))
                yield Fact("elf.attribute.of", told, (list_at, reader.at - list_at), label)
            while reader.at < end:
                at = reader.at
                tag = reader.number()
                value_at = reader.at
                value = _value(reader, vendor, tag)
                known = _tags(vendor, elf.layout.machine).get(tag, f"Tag {tag}")
                name = names.unique(f"{label} {known}" if scope != FILE else f"{vendor} {known}")
                yield Fact("elf.attribute.tag", tag, (at, value_at - at), name)
                yield Fact("elf.attribute", value, (value_at, reader.at - value_at), name)
                count += 1
                if count > MOST:
                    raise LimitError(f"more than {MOST} attributes", at)
            if reader.at != end:
                raise FormatError("attribute reaches behind its part", end)


def _value(reader: _Reader, vendor: str, tag: int) -> Scalar:
    """An odd tag has a text, an even one a number, but for the old ones of Arm."""
    if tag == COMPATIBILITY and vendor != "riscv":
        return f"{reader.number()} {reader.text()}"
    if vendor == "aeabi" and tag in ARM_TEXTS:
        return reader.text()
    if vendor == "aeabi" and (tag < ARM_NUMBER_BELOW or tag % 2 == 0):
        return reader.number()
    return reader.text() if tag % 2 else reader.number()
