"""DWARF by unit, DIE and attribute; line tables by file and line."""

from pathlib import Path

import pytest

from sxdiff.model import Node
from tests.look import differences, looking, told
from tests.tools import run, want

ARTEFACTS = Path(__file__).parents[2] / "fixtures" / "artefacts"
SOURCE = """#include <stdio.h>
struct pair { int left; long right; };
static int add(const struct pair *list, int count)
{
\tint sum = 0;
\tfor (int at = 0; at < count; at++)
\t\tsum += list[at].left + (int)list[at].right;
\treturn sum;
}
int main(int argc, char **argv)
{
\tstruct pair list[2] = { {1, 2}, {3, argc} };
\tprintf("%d\\n", add(list, 2));
\treturn argv[0] == 0;
}
"""


def artefact(name: str, folder: Path) -> Node:
    a, b = sorted((ARTEFACTS / name).glob("[ab].*"))
    node = looking(folder)(a, b)
    assert node
    return node


@pytest.mark.parametrize("name", ["elf-dwarf"])
def test_another_folder_is_one_difference(tmp_path: Path, name: str) -> None:
    section = ".debug_str" if name.endswith("4") else ".debug_line_str"
    node = artefact(name, tmp_path)
    assert told(node) == [("elf.strings", (section,), "/build/one", "/build/another-one")]
    layout = [one for one in differences(node) if one.kind == "elf.dwarf.layout"]
    assert layout
    assert {one.where[0] for one in layout} == {".debug_info"}


def test_another_folder_by_clang_is_two_strings(tmp_path: Path) -> None:
    assert {one[1:] for one in told(artefact("elf-dwarf-clang", tmp_path))} == {
        ((".debug_str",), "/build/one", "/build/another-one"),
        ((".debug_line_str",), "/build/one", "/build/another-one"),
    }


@pytest.mark.parametrize(
    ("name", "unit"), [("elf-dwarf-line", "first.c"), ("elf-dwarf-zlib", "whole.c")]
)
def test_a_line_moves_what_is_below(tmp_path: Path, name: str, unit: str) -> None:
    found = told(artefact(name, tmp_path))
    assert {one[1] for one in found} == {(".debug_info", unit), (".debug_line", unit)}
    attributes = [one for one in found if one[1][0] == ".debug_info"]
    assert attributes[0][2:] == (
        "DW_TAG_subprogram DW_AT_decl_line 10",
        "DW_TAG_subprogram DW_AT_decl_line 11",
    )
    assert all("_line " in str(value) for one in attributes for value in one[2:])


@pytest.mark.parametrize("compiler", ["clang"])
@pytest.mark.parametrize("options", [["-gdwarf-2"], ["-gdwarf-4"], ["-gdwarf-5"], ["-g", "-c"]])
def test_paths_are_the_only_roots(tmp_path: Path, compiler: str, options: list[str]) -> None:
    want(compiler)
    sides = []
    for name in ("one", "second-folder"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "main.c").write_text(SOURCE)
        run(compiler, "-O1", *options, "main.c", "-o", "out", cwd=folder)
        sides.append(folder / "out")
    found = told(looking(tmp_path)(*sides))
    assert found
    for kind, where, a, b in found:
        # a short path may lie in the unit itself
        assert kind in ("elf.strings", "elf.dwarf", "elf.line"), (kind, where)
        assert "one" in str(a) and "second-folder" in str(b), (kind, where, a, b)
