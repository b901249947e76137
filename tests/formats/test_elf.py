"""ELF: names and places as readelf says them, every class and byte order, damaged tables."""

import re
import struct
import subprocess
from pathlib import Path

import pytest

from sxdiff.compare.ranges import symbols_of
from sxdiff.formats.elf.file import Elf
from sxdiff.model import Blob, Fact, FormatError, Limits, Member
from tests.tools import need

ARTEFACTS = Path(__file__).parent.parent / "artefacts"
OBJECTS = [*sorted(path.name for path in ARTEFACTS.glob("small-*.o")), "small-static"]


def blob_of(path: Path) -> Blob:
    return Blob(str(path), 0, path.stat().st_size)


def parts(path: Path) -> list[Fact | Member]:
    return list(Elf().dissect(blob_of(path), Limits()))


def facts(path: Path, kind: str) -> dict[str, object]:
    """The values of one kind by name."""
    return {
        part.name: part.value
        for part in parts(path)
        if isinstance(part, Fact) and part.kind == f"elf.{kind}"
    }


@pytest.mark.parametrize("name", OBJECTS)
def test_sections_agree_with_readelf(name: str) -> None:
    need("readelf")
    path = ARTEFACTS / name
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True)
    rows = re.findall(r"\[ *[1-9]\d*\] (\S+) +\S+ +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)", out.stdout)
    offsets, sizes = facts(path, "section.sh_offset"), facts(path, "section.sh_size")
    ours = [
        (
            re.sub(r" #\d+$", "", section),
            int(str(offsets[section]), 16),
            int(str(sizes[section]), 16),
        )
        for section in list(offsets)[1:]
    ]
    assert ours == [(section, int(at, 16), int(size, 16)) for section, _, at, size in rows]


@pytest.mark.parametrize(
    ("name", "machine", "width", "order"),
    [
        ("small-x86_64.o", "EM_X86_64", "ELFCLASS64", "ELFDATA2LSB"),
        ("small-aarch64.o", "EM_AARCH64", "ELFCLASS64", "ELFDATA2LSB"),
        ("small-riscv64.o", "EM_RISCV", "ELFCLASS64", "ELFDATA2LSB"),
        ("small-s390x.o", "EM_S390", "ELFCLASS64", "ELFDATA2MSB"),
        ("small-powerpc.o", "EM_PPC", "ELFCLASS32", "ELFDATA2MSB"),
    ],
)
def test_every_class_and_order(name: str, machine: str, width: str, order: str) -> None:
    path = ARTEFACTS / name
    assert facts(path, "header.e_machine") == {"": machine}
    assert facts(path, "header.EI_CLASS") == {"": width}
    assert facts(path, "header.EI_DATA") == {"": order}
    assert facts(path, "header.e_type") == {"": "ET_REL"}
    assert facts(path, "header.e_shstrndx") == {"": ".shstrtab"}
    assert facts(path, "section.sh_link")[".symtab"] == ".strtab"


@pytest.mark.parametrize("name", OBJECTS)
def test_symbols_cover_what_they_name(name: str) -> None:
    """`build_date` covers the date, wherever the compiler put it."""
    path = ARTEFACTS / name
    data = path.read_bytes()
    named = [
        data[part.at[0] + symbol.at :][: symbol.size]
        for part in parts(path)
        if isinstance(part, Member) and part.at
        for symbol in symbols_of(part)
        if symbol.name == "build_date"
    ]
    assert named == [b"2026-01-0" + (b"2" if "-b" in name else b"1") + b"\0"]


def test_facts_lie_where_they_say() -> None:
    path = ARTEFACTS / "small-s390x.o"
    data = path.read_bytes()
    for part in parts(path):
        if isinstance(part, Fact) and isinstance(part.value, str) and part.value.startswith("0x"):
            assert part.at
            raw = data[part.at[0] :][: part.at[1]]
            assert int.from_bytes(raw, "big") == int(part.value, 16)


def test_compressed_section_is_told_unpacked() -> None:
    path = ARTEFACTS / "small-debug.o"
    assert facts(path, "compression.ch_type")
    for part in parts(path):
        if isinstance(part, Member) and part.name == ".debug_str" and callable(part.content):
            unpacked = b"".join(part.content())
            assert b"GNU C" in unpacked
            assert facts(path, "compression.ch_size")[".debug_str"] == len(unpacked)


def test_segments_are_numbered_by_type() -> None:
    offsets = facts(ARTEFACTS / "small-static", "segment.p_offset")
    assert "LOAD #1" in offsets


def patched(tmp_path: Path, name: str, changes: dict[int, bytes]) -> Path:
    data = bytearray((ARTEFACTS / name).read_bytes())
    for at, raw in changes.items():
        data[at : at + len(raw)] = raw
    path = tmp_path / "patched"
    path.write_bytes(data)
    return path


E_SHOFF, E_SHENTSIZE, E_SHNUM, E_SHSTRNDX = 40, 58, 60, 62
"""Offsets in a 64-bit header."""
SH_LINK, SH_SIZE = 40, 32
"""Offsets in a 64-bit section header."""


def test_large_counts_lie_in_section_0(tmp_path: Path) -> None:
    """gABI: e_shnum 0 and SHN_XINDEX refer to sh_size and sh_link of section 0."""
    data = (ARTEFACTS / "small-x86_64.o").read_bytes()
    (table,) = struct.unpack_from("<Q", data, E_SHOFF)
    count, names = struct.unpack_from("<HH", data, E_SHNUM)
    path = patched(
        tmp_path,
        "small-x86_64.o",
        {
            E_SHNUM: struct.pack("<HH", 0, 0xFFFF),
            table + SH_SIZE: struct.pack("<Q", count),
            table + SH_LINK: struct.pack("<I", names),
        },
    )
    assert (
        list(facts(path, "section.sh_size"))[1:]
        == list(facts(ARTEFACTS / "small-x86_64.o", "section.sh_size"))[1:]
    )


def test_without_section_names(tmp_path: Path) -> None:
    path = patched(tmp_path, "small-x86_64.o", {E_SHSTRNDX: b"\0\0"})
    assert list(facts(path, "section.sh_type"))[:2] == ["section 0", "section 1"]


def test_without_sections_segments_are_members(tmp_path: Path) -> None:
    path = patched(
        tmp_path, "small-static", {E_SHOFF: bytes(8), E_SHNUM: bytes(2), E_SHSTRNDX: bytes(2)}
    )
    members = [part for part in parts(path) if isinstance(part, Member)]
    assert {member.kind for member in members} == {"elf.segment.content"}
    assert "LOAD #1" in {member.name for member in members}


@pytest.mark.parametrize(
    "changes",
    [
        {E_SHOFF: struct.pack("<Q", 1 << 60)},
        {E_SHENTSIZE: struct.pack("<H", 3)},
        {E_SHNUM: struct.pack("<H", 0xFEFF)},
    ],
)
def test_tables_outside_the_file_are_format_errors(
    tmp_path: Path, changes: dict[int, bytes]
) -> None:
    with pytest.raises(FormatError):
        parts(patched(tmp_path, "small-x86_64.o", changes))


def test_duplicate_names_are_numbered(tmp_path: Path) -> None:
    """A name met again gets ` #2`."""
    data = (ARTEFACTS / "small-x86_64.o").read_bytes()
    (table,) = struct.unpack_from("<Q", data, E_SHOFF)
    text = data[table + 64 : table + 68]
    path = patched(tmp_path, "small-x86_64.o", {table + 2 * 64: text})
    assert list(facts(path, "section.sh_type"))[1:3] == [".text", ".text #2"] or list(
        facts(path, "section.sh_type")
    )[2].endswith(" #2")
