"""DWARF by what its tables say, and source lines of addresses."""

from pathlib import Path

import pytest

from sxdiff.formats.elf.dwarf_data import sleb, uleb
from sxdiff.formats.elf.dwarf_lines import source_of
from sxdiff.formats.elf.layout import ElfFile, read_layout
from sxdiff.model import Blob, FormatError, Limits
from tests.look import differences, looking
from tests.tools import run, want

ARTEFACTS = Path(__file__).parents[2] / "fixtures" / "artefacts"
SOURCE = """int twice(int n)
{
\tint sum = n;
\tsum += n;
\treturn sum;
}
int main(int argc, char **argv)
{
\treturn twice(argc) + (argv == 0);
}
"""


def elf_of(path: Path) -> ElfFile:
    blob = Blob(str(path), 0, path.stat().st_size)
    return ElfFile(blob, read_layout(blob), Limits())


@pytest.mark.parametrize("compiler", ["gcc", "clang", "powerpc-linux-gnu-gcc"])
@pytest.mark.parametrize("version", ["2", "4", "5"])
@pytest.mark.parametrize("kind", [[], ["-c"], ["-c", "-ffunction-sections"], ["-gz=zlib"]])
def test_source_lines(tmp_path: Path, compiler: str, version: str, kind: list[str]) -> None:
    want(compiler)
    (tmp_path / "main.c").write_text(SOURCE)
    run(compiler, f"-gdwarf-{version}", "-O0", *kind, "main.c", "-o", "out", cwd=tmp_path)
    elf = elf_of(tmp_path / "out")
    found = []
    for index, section in enumerate(elf.layout.sections):
        for symbol in elf.symbols(index):
            if symbol.name in ("twice", "main"):
                lines = source_of(elf, index)
                assert lines
                told = [lines(at) for at in range(symbol.at, symbol.at + symbol.size)]
                found.append((symbol.name, list(dict.fromkeys(told)), section.name))
    found.sort()
    assert found[0][:2] == ("main", [f"main.c:{line}" for line in (8, 9, 10)]) or (
        found[0][:2] == ("main", ["main.c:8", "main.c:9"])
    )
    assert found[1][1][0] == "main.c:2"
    assert {"main.c:4", "main.c:5"} <= set(found[1][1])


def test_no_lines_without_debug_information() -> None:
    elf = elf_of(ARTEFACTS / "elf-buildid" / "a.elf")
    assert source_of(elf, 1) is None


def test_a_string_is_told_with_who_uses_it(tmp_path: Path) -> None:
    folder = ARTEFACTS / "elf-dwarf"
    found = list(differences(looking(tmp_path)(folder / "a.elf", folder / "b.elf")))
    strings = [one for one in found if one.kind == "elf.strings"]
    assert [one.symbol for one in strings] == ["DW_AT_comp_dir of 2 units"]


def test_strings_by_index_only_move(tmp_path: Path) -> None:
    folder = ARTEFACTS / "elf-dwarf-clang"
    found = list(differences(looking(tmp_path)(folder / "a.elf", folder / "b.elf")))
    indexed = [one for one in found if one.where == (".debug_str_offsets",)]
    assert [(one.kind, one.derived) for one in indexed] == [("elf.dwarf.strings.layout", True)]


def test_numbers() -> None:
    assert uleb(b"\xe5\x8e\x26", 0) == (624485, 3)
    assert sleb(b"\x80\x7f", 0) == (-128, 2)
    assert sleb(b"\x3f", 0) == (63, 1)
    with pytest.raises(FormatError):
        uleb(b"\x80" * 40, 0)
    with pytest.raises(IndexError):
        uleb(b"\x80", 0)
