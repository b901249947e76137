"""Notes: each by its owner and type, with the content of those that are known.

Source: gABI 4.1, chapter 5, "Note Section"; Linux Extensions to gABI (NT_GNU_PROPERTY_TYPE_0);
x86-64 psABI 1.0, AArch64 and RISC-V ELF specifications for their properties; binutils'
documentation of build-id; systemd's "Package Metadata for Executable Files" and "ELF Note
dlopen"; SystemTap's "UserSpaceProbeImplementation"; Go's `cmd/internal/buildid`; the Watermark
specification (annobin) for .gnu.build.attributes; Linux' `include/linux/elfnote.h`.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from sxdiff.formats.digest import digest_of
from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile, Layout
from sxdiff.formats.elf.names import Names
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Member, Scalar, text_of

MOST_NOTES = 1 << 16
LONGEST = 4096
"""Bytes of a text or a number that are told; a longer content is told by its digest."""
LONGEST_OWNER = 1 << 16
MOST_PROPERTIES = 4096

GNU_ABI_TAG, GNU_BUILD_ID, GNU_GOLD_VERSION, GNU_PROPERTY = 1, 3, 4, 5
TYPES: Mapping[tuple[str, int], str] = {
    ("GNU", GNU_ABI_TAG): "ABI tag",
    ("GNU", 2): "hardware capabilities",
    ("GNU", GNU_BUILD_ID): "build-id",
    ("GNU", GNU_GOLD_VERSION): "gold version",
    ("GNU", GNU_PROPERTY): "property",
    ("Go", 1): "Go package list",
    ("Go", 2): "Go ABI hash",
    ("Go", 3): "Go dependencies",
    ("Go", 4): "Go build ID",
    ("stapsdt", 3): "probe",
    ("FDO", 0xCAFE1A7E): "package",
    ("FDO", 0x407C0C0A): "dlopen",
    ("Linux", 0x100): "build salt",
    ("Linux", 0x101): "link-time optimisation",
    ("Android", 1): "Android version",
    ("FreeBSD", 1): "FreeBSD version",
    ("FreeBSD", 2): "FreeBSD init",
    ("FreeBSD", 4): "FreeBSD features",
    ("NetBSD", 1): "NetBSD version",
    ("OpenBSD", 1): "OpenBSD version",
    ("CORE", 1): "PRSTATUS",
    ("CORE", 2): "FPREGSET",
    ("CORE", 3): "PRPSINFO",
    ("CORE", 6): "AUXV",
    ("CORE", 0x46494C45): "FILE",
    ("CORE", 0x53494749): "SIGINFO",
}
ABI_SYSTEMS = {0: "Linux", 1: "Hurd", 2: "Solaris", 3: "FreeBSD", 4: "NetBSD", 5: "Syllable"}
BUILD_ID_KINDS = {8: "xxhash or other 8 bytes", 16: "md5 or uuid", 20: "sha1", 32: "sha256"}
TEXTS = frozenset({"gold version", "Go build ID", "Go package list", "package", "dlopen"})
"""Notes whose content is text."""
OPEN, FUNCTION = 0x100, 0x101
"""Types of .gnu.build.attributes: of a range of the code, and of one function in it."""

X86_FEATURES = {1: "IBT", 2: "SHSTK", 4: "LAM_U48", 8: "LAM_U57"}
X86_LEVELS = {1: "x86-64-baseline", 2: "x86-64-v2", 4: "x86-64-v3", 8: "x86-64-v4"}
X86_USED = {
    1: "x86",
    2: "x87",
    4: "MMX",
    8: "XMM",
    0x10: "YMM",
    0x20: "ZMM",
    0x40: "FXSR",
    0x80: "XSAVE",
    0x100: "XSAVEOPT",
    0x200: "XSAVEC",
    0x400: "TMM",
    0x800: "MASK",
}
AARCH64_FEATURES = {1: "BTI", 2: "PAC", 4: "GCS"}
RISCV_FEATURES = {1: "CFI_LP_UNLABELED", 2: "CFI_SS", 4: "CFI_LP_FUNC_SIG"}
PROPERTIES: Mapping[int, Mapping[int, tuple[str, Mapping[int, str]]]] = {
    schema.EM_X86_64: {
        0xC0000000: ("x86 ISA used (old)", {}),
        0xC0000001: ("x86 ISA needed (old)", {}),
        0xC0000002: ("x86 features", X86_FEATURES),
        0xC0008001: ("x86 features needed", X86_USED),
        0xC0008002: ("x86 ISA needed", X86_LEVELS),
        0xC0010001: ("x86 features used", X86_USED),
        0xC0010002: ("x86 ISA used", X86_LEVELS),
    },
    schema.EM_AARCH64: {
        0xC0000000: ("AArch64 features", AARCH64_FEATURES),
        0xC0000001: ("AArch64 pointer authentication", {}),
    },
    schema.EM_RISCV: {0xC0000000: ("RISC-V features", RISCV_FEATURES)},
}
"""Properties of each machine, with the names of their bits."""
GENERIC_PROPERTIES = {1: "stack size", 2: "no copy on protected", 0xB0008000: "1 needed"}


@dataclass(frozen=True, slots=True)
class Note:
    """One note: where it lies, its owner's bytes, its type, and where its content lies."""

    at: int
    size: int
    owner: bytes
    type: int
    content_at: int
    content_size: int

    @property
    def owner_text(self) -> str:
        """The owner without its NUL."""
        return text_of(self.owner.rstrip(b"\0"))


def notes(elf: ElfFile, index: int) -> Inside | None:
    """Facts of each note of a section of notes."""
    section = elf.layout.sections[index]
    if section.type != schema.SHT_NOTE:
        return None
    align = section.row[8]
    return Inside("elf.note", partial(note_facts, elf.layout, align))


def note_facts(layout: Layout, align: int, blob: Blob) -> Iterator[Fact | Member]:
    """Facts of each note in `blob`. Raises `FormatError` where a note reaches behind its end."""
    names = Names()
    for note in read_notes(blob, layout.order, 8 if align == 8 else 4):
        content = blob.part(note.content_at, note.content_size)
        kind = TYPES.get((note.owner_text, note.type), f"type {note.type:#x}")
        name = f"{note.owner_text} {kind}"
        if kind == "probe":
            name = _probe_name(layout, content) or name
        name = names.unique(name)
        at = note.at
        yield Fact("elf.note.n_namesz", len(note.owner), (at, 4), name, derived=True)
        yield Fact("elf.note.n_descsz", note.content_size, (at + 4, 4), name, derived=True)
        yield Fact("elf.note.n_type", f"{note.type:#x}", (at + 8, 4), name)
        yield Fact("elf.note.owner", text_of(note.owner), (at + 12, len(note.owner)), name)
        for fact in _content(layout, note, kind, content):
            yield Fact(
                fact.kind,
                fact.value,
                fact.at and (fact.at[0] + note.content_at, fact.at[1]),
                fact.name or name,
                fact.derived,
            )


def read_notes(blob: Blob, order: str, align: int) -> Iterator[Note]:
    """The notes that lie in `blob` one after the other; zeros behind the last one are none."""
    at = count = 0
    while at + 12 <= blob.size:
        owner_size, size, kind = struct.unpack(order + "III", blob.read(at, 12))
        if not (owner_size or size or kind) and not blob.read(at, 4096).strip(b"\0"):
            return
        if owner_size > LONGEST_OWNER:
            raise LimitError(f"owner of {owner_size} bytes", at)
        owner = blob.part(at + 12, owner_size).read()
        # the content starts at a multiple of `align`, and so does the next note
        content_at = _aligned(at + 12 + owner_size, align)
        blob.part(content_at, size)
        yield Note(at, content_at + size - at, owner, kind, content_at, size)
        at = _aligned(content_at + size, align)
        count += 1
        if count > MOST_NOTES:
            raise LimitError(f"more than {MOST_NOTES} notes", at)


def _aligned(at: int, align: int) -> int:
    return at + -at % align


def _content(layout: Layout, note: Note, kind: str, content: Blob) -> Iterator[Fact]:
    """What a note's content says, as facts whose spans count from its start."""
    whole = (0, content.size)
    if not content.size:
        return
    if note.owner.startswith(b"GA") and note.type in (OPEN, FUNCTION):
        # the range of addresses that an attribute is for
        yield Fact("elf.note.range", _shown(content), whole, derived=True)
    elif kind == "build-id":
        length = BUILD_ID_KINDS.get(content.size, f"{content.size} bytes")
        yield Fact("elf.note.build_id_kind", length)
        yield Fact("elf.note.build_id", _shown(content), whole, derived=True)
    elif kind == "property":
        yield from _properties(layout, content)
    elif kind == "ABI tag" and content.size == 16:
        system, *version = struct.unpack(layout.order + "IIII", content.read())
        yield Fact("elf.note.system", ABI_SYSTEMS.get(system, system), (0, 4))
        yield Fact("elf.note.version", ".".join(map(str, version)), (4, 12))
    elif kind == "probe":
        yield from _probe(layout, content)
    elif kind in TEXTS and content.size <= LONGEST:
        # a Go build ID is made of digests of what was built
        derived = kind == "Go build ID"
        text = text_of(content.read().removesuffix(b"\0"))
        yield Fact("elf.note.text", text, whole, derived=derived)
    else:
        yield Fact("elf.note.content", _told(layout, content), whole)


def _shown(content: Blob) -> str:
    return content.read().hex() if content.size <= LONGEST else digest_of(content)


def _told(layout: Layout, content: Blob) -> Scalar:
    """A content that is not known: printable text, a number, or hex digits."""
    if content.size > LONGEST:
        return digest_of(content)
    data = content.read()
    text = data.removesuffix(b"\0")
    if len(data) > 4 and text.isascii() and text.decode("ascii").isprintable():
        return data.decode("ascii").replace("\0", "\\x00")
    if len(data) == 4:
        return int.from_bytes(data, layout.byteorder)
    return data.hex()


def _properties(layout: Layout, content: Blob) -> Iterator[Fact]:
    """Each property of the array, named (Linux Extensions to gABI, 2.1)."""
    known = PROPERTIES.get(layout.machine, PROPERTIES[schema.EM_X86_64])
    names = Names()
    align = 8 if layout.width == 64 else 4
    at = count = 0
    while at + 8 <= content.size:
        kind, size = struct.unpack(layout.order + "II", content.read(at, 8))
        data = content.part(at + 8, size)
        label, bits = known.get(kind, (GENERIC_PROPERTIES.get(kind, f"property {kind:#x}"), {}))
        name = names.unique(f"property {label}")
        yield Fact("elf.note.pr_type", f"{kind:#x}", (at, 4), name)
        yield Fact("elf.note.pr_datasz", size, (at + 4, 4), name, derived=True)
        if size:
            value: Scalar = _shown(data)
            if size == 4 and bits:
                value = schema.flags_text(int.from_bytes(data.read(), layout.byteorder), bits)
            yield Fact("elf.note.property", value, (at + 8, size), name)
        at = _aligned(at + 8 + size, align)
        count += 1
        if count > MOST_PROPERTIES:
            raise LimitError(f"more than {MOST_PROPERTIES} properties", at)


def _probe_texts(layout: Layout, content: Blob) -> tuple[int, list[bytes]]:
    """Where a probe's texts start, and provider, name, arguments with their NULs."""
    start = 3 * layout.width // 8
    if not start < content.size <= LONGEST + start:
        raise FormatError(f"probe of {content.size} bytes")
    texts = content.read(start).split(b"\0", 3)
    if len(texts) != 4 or texts[3]:
        raise FormatError("probe without its three texts")
    return start, texts[:3]


def _probe_name(layout: Layout, content: Blob) -> str | None:
    try:
        _, (provider, name, _) = _probe_texts(layout, content)
    except FormatError:
        return None
    return f"probe {text_of(provider)}:{text_of(name)}"


def _probe(layout: Layout, content: Blob) -> Iterator[Fact]:
    try:
        start, texts = _probe_texts(layout, content)
    except FormatError:
        yield Fact("elf.note.content", _shown(content), (0, content.size))
        return
    size = layout.width // 8
    for place, field in enumerate(("pc", "base", "semaphore")):
        address = int.from_bytes(content.read(place * size, size), layout.byteorder)
        yield Fact(f"elf.note.{field}", f"{address:#x}", (place * size, size), derived=True)
    for field, text in zip(("provider", "name", "arguments"), texts, strict=True):
        yield Fact(f"elf.note.{field}", text_of(text), (start, len(text) + 1))
        start += len(text) + 1
