"""Places, sizes and tables that are not what they must be follow from nothing."""

import struct
from pathlib import Path

import pytest

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile, read_layout
from sxdiff.formats.elf.lookup_tables import gnu_hash
from sxdiff.model import Blob, Limits
from tests.look import looking, told
from tests.tools import run, want

SOURCE = """
#include <stdio.h>
static int twice(int x) { return 2 * x; }
int shown(int x) { return printf("%d\\n", twice(x)); }
int other(int x) { return shown(x + 1) + 3; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    want("gcc")
    folder = tmp_path_factory.mktemp("library")
    (folder / "m.c").write_text(SOURCE)
    run("gcc", "-O1", "-g", "-shared", "-fPIC", "-o", "m.so", "m.c", cwd=folder)
    return folder / "m.so"


def opened(path: Path) -> ElfFile:
    blob = Blob(str(path), 0, path.stat().st_size)
    return ElfFile(blob, read_layout(blob), Limits())


def test_the_hash_of_a_name() -> None:
    """As in the loader's own tests."""
    assert (gnu_hash(b""), gnu_hash(b"printf"), gnu_hash(b"exit")) == (
        0x00001505,
        0x156B2BB8,
        0x7C967E3F,
    )


@pytest.mark.parametrize("section", [".gnu.hash", ".eh_frame_hdr"])
def test_no_bit_of_a_table_flips_unseen(tmp_path: Path, library: Path, section: str) -> None:
    look = looking(tmp_path)
    table = opened(library).named(section)
    assert table
    data = library.read_bytes()
    for at in range(table.offset, table.offset + table.size):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        assert told(look(library, bytes(changed))), at - table.offset


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        (".text", "sh_addralign", 3),
        (".text", "sh_addralign", 1 << 40),
        (".debug_info", "sh_addr", 0x1000),
        (".symtab", "sh_info", 1),
    ],
)
def test_fields_of_section_headers(
    tmp_path: Path, library: Path, section: str, field: str, value: int
) -> None:
    elf = opened(library)
    found = elf.named(section)
    assert found
    table = elf.layout.table(schema.SECTION_HEADER)
    at, size = table.spans[table.index(field)]
    data = bytearray(library.read_bytes())
    struct.pack_into("<Q" if size == 8 else "<I", data, found.at + at, value)
    told_of = told(looking(tmp_path)(library, bytes(data)))
    assert [one[:2] for one in told_of] == [(f"elf.section.{field}", (section,))]


@pytest.mark.parametrize("number", [0, 1])
def test_addresses_of_segments(tmp_path: Path, library: Path, number: int) -> None:
    elf = opened(library)
    at, _ = elf.layout.segments[number]
    span = elf.layout.segment_table.spans[elf.layout.segment_table.index("p_paddr")]
    data = bytearray(library.read_bytes())
    data[at + span[0]] ^= 0x40
    assert ("elf.segment.p_paddr", (f"LOAD #{number + 1}",)) in [
        one[:2] for one in told(looking(tmp_path)(library, bytes(data)))
    ]


@pytest.mark.parametrize("tag", ["DT_STRSZ", "DT_STRTAB", "DT_PLTRELSZ"])
def test_dynamic_entries(tmp_path: Path, library: Path, tag: str) -> None:
    elf = opened(library)
    dynamic = elf.named(".dynamic")
    assert dynamic
    wanted = next(number for number, name in schema.names("d_tag", 62).items() if name == tag)
    data = bytearray(library.read_bytes())
    for at in range(dynamic.offset, dynamic.offset + dynamic.size, 16):
        if struct.unpack_from("<Q", data, at) == (wanted,):
            data[at + 8] ^= 4
    assert ("elf.dynamic", (".dynamic", tag.removeprefix("DT_"))) in [
        one[:2] for one in told(looking(tmp_path)(library, bytes(data)))
    ]
