"""ELF sections: a known change is told where it is, by the names that readelf has for it."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.elf.layout import ElfFile, read_layout
from sxdiff.formats.elf.names import Names
from sxdiff.formats.elf.sections import inside
from sxdiff.model import Blob, Fact, Inside, Limits, Listing, Member, Route, Row
from tests.look import Look, differences, looking, told
from tests.tools import run, want

SMALL = ("-Os", "-nostdlib", "-fno-ident", "-Wl,--build-id=none")
Told = list[tuple[str, Route, object, object]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def pair(look: Look, what: str) -> Told:
    """What is told of a pair of artefacts."""
    return told(look(*sides(ARTEFACTS / f"elf-{what}")))


def opened(path: Path) -> ElfFile:
    blob = Blob(str(path), 0, path.stat().st_size)
    return ElfFile(blob, read_layout(blob), Limits())


def within(path: Path, name: str) -> list[Fact | Member | Row]:
    """What is told inside a section."""
    elf = opened(path)
    index = next(n for n, one in enumerate(elf.layout.sections) if one.name == name)
    known = inside(elf, index)
    content = elf.content(elf.layout.sections[index])
    if isinstance(known, Inside):
        return list(known.parts(content))
    assert isinstance(known, Listing)
    return list(known.rows(content))


def facts(path: Path, name: str) -> dict[tuple[str, str], object]:
    """The values of a section's facts by kind and name."""
    return {
        (part.kind.removeprefix("elf."), part.name): part.value
        for part in within(path, name)
        if isinstance(part, Fact)
    }


def texts(path: Path, name: str) -> list[str]:
    return [row.text for row in within(path, name) if isinstance(row, Row)]


# one known change, exactly told


def test_build_id(look: Look) -> None:
    ((kind, where, a, b),) = pair(look, "buildid")
    assert (kind, where) == ("elf.note.build_id", (".note.gnu.build-id", "GNU build-id"))
    assert (len(str(a)), len(str(b))) == (40, 40)


def test_debug_link(look: Look) -> None:
    ((kind, where, _, _),) = pair(look, "debuglink")
    assert (kind, where) == ("elf.debuglink.crc", (".gnu_debuglink",))


def test_dynamic(look: Look) -> None:
    found = pair(look, "dynamic")
    assert found[-2:] == [
        ("elf.dynamic", (".dynamic", "RUNPATH"), "/opt/one", "/opt/other"),
        (
            "elf.dynamic.order",
            (".dynamic",),
            "NEEDED liba.so.1\nNEEDED libb.so.1",
            "NEEDED libb.so.1\nNEEDED liba.so.1",
        ),
    ]
    assert {kind for kind, *_ in found[:-2]} == {"elf.strings"}


def test_notes(look: Look) -> None:
    package = '{"type":"deb","name":"hello","version":"1.0-%d"}'
    assert pair(look, "notes") == [
        (
            "elf.note.property",
            (".note.gnu.property", "property x86 features"),
            "IBT|SHSTK",
            "IBT",
        ),
        ("elf.note.text", (".note.package", "FDO package"), package % 1, package % 2),
        ("elf.note.arguments", (".note.stapsdt", "probe hello:start"), "8@%rdi", "8@%rsi"),
    ]
    derived = [kind for kind, *_ in told(look(*sides(ARTEFACTS / "elf-notes")), derived=True)]
    assert derived.count("elf.note.pc") == 1


def test_go_build_information(look: Look) -> None:
    assert pair(look, "gobuildinfo") == [
        ("elf.go_build.version", (".go.buildinfo",), "go1.22.1", "go1.22.3"),
        ("elf.go_build.setting", (".go.buildinfo", "build CGO_ENABLED"), "0", "1"),
    ]


def test_module(look: Look) -> None:
    found = pair(look, "module-signature")
    assert found[:2] == [
        (
            "elf.modinfo",
            (".modinfo",),
            "vermagic=6.1.0-9-amd64 SMP",
            "vermagic=6.1.0-10-amd64 SMP",
        ),
        ("elf.module_version.crc", ("__versions", "module_layout"), "0xa1b2c3d4", "0x1a2b3c4d"),
    ]
    assert all(where[0] == "module signature" for _, where, _, _ in found[2:])
    assert len(found) > 2


def test_attributes(look: Look) -> None:
    found = pair(look, "riscv-attributes")
    (arch,) = [row for row in found if row[0] == "elf.attribute"]
    assert arch[1] == (".riscv.attributes", "riscv Tag_ARCH")
    assert str(arch[2]).startswith("rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0")
    assert pair(look, "arm-attributes") == [
        ("elf.attribute", (".ARM.attributes", "aeabi Tag_FP_ARCH"), 4, 3),
        (
            "elf.attribute.only_in_a",
            (".ARM.attributes", "aeabi Tag_ABI_VFP_ARGS"),
            "aeabi Tag_ABI_VFP_ARGS",
            None,
        ),
    ]


def test_a_longer_string_of_another_byte_order(look: Look) -> None:
    assert pair(look, "mips64") == [
        (
            "elf.strings",
            (".rodata.str1.8",),
            "built on a Monday",
            "built on a Tuesday!!",
        )
    ]


def test_a_renamed_function(look: Look) -> None:
    """Once in the table of names, once as the symbol; nothing else is no consequence."""
    assert pair(look, "s390x") == [
        ("elf.strings", (".strtab",), "helper", "assistant"),
        ("elf.symbol.renamed", (".symtab", "assistant"), "helper", "assistant"),
    ]


def test_the_order_of_objects_is_order(look: Look) -> None:
    found = pair(look, "strings-order")
    orders = {where[-1] for kind, where, _, _ in found if kind.endswith(".order")}
    assert {".dynstr", ".strtab", ".symtab", ".rodata"} <= orders
    assert not [kind for kind, *_ in found if "only_in" in kind or "renamed" in kind]


def test_symbol_versions(look: Look) -> None:
    found = pair(look, "versions")
    assert ("elf.version_defined.only_in_b", (".gnu.version_d", "TWO"), None, "TWO") in found
    assert ("elf.symbol.only_in_b", (".dynsym", "more@@TWO"), None, "more@@TWO") in found
    assert not [kind for kind, *_ in found if kind.endswith("only_in_a")]


@pytest.mark.parametrize("what", ["zstd", "zdebug"])
def test_compressed_debug_information_is_told_unpacked(look: Look, what: str) -> None:
    node = look(*sides(ARTEFACTS / f"elf-{what}"))
    name = ".debug_str" if what == "zstd" else ".zdebug_str"
    strings = "".join(
        str(value) for kind, where, a, b in told(node) if where == (name,) for value in (a, b)
    )
    assert what == "zdebug" or "another_helper" in strings
    streams = [one for one in differences(node) if one.kind == "elf.compression.stream"]
    assert all(one.derived for one in streams)


# as readelf says


def symbols_of_readelf(path: Path, table: str) -> Iterator[tuple[str, str, str, str]]:
    """(type, bind, visibility, name) of each symbol of a table."""
    out = run("readelf", "-sW", path)
    for part in out.split("Symbol table ")[1:]:
        if part.startswith(f"'{table}'"):
            pattern = r"^ +\d+: \w+ +\w+ +(\w+) +(\w+) +(\w+) +\w+ ?(.*)$"
            for kind, bind, seen, name in re.findall(pattern, part, re.MULTILINE):
                yield kind, bind, seen, re.sub(r" +\(\d+\)$", "", name).strip()


@pytest.mark.parametrize("what", ["strings-order", "s390x", "versions", "mips64", "symbols"])
def test_symbols_agree_with_readelf(what: str) -> None:
    want("readelf")
    path, _ = sides(ARTEFACTS / f"elf-{what}")
    for table in (".dynsym", ".symtab"):
        if opened(path).named(table) is None:
            continue
        # what a section's symbol says is told with the section
        theirs = [one for one in symbols_of_readelf(path, table) if one[0] != "SECTION"]
        found = facts(path, table)
        infos = [(name, value) for (kind, name), value in found.items() if kind.endswith("st_info")]
        assert [info for _, info in infos] == [f"{bind} {kind}" for kind, bind, _, _ in theirs]
        for (name, _), (kind, _, seen, real) in zip(infos, theirs, strict=True):
            assert found.get(("symbol.st_other", name), "DEFAULT") == seen
            if kind != "FILE" and real and not real.startswith("$"):
                assert re.sub(r" #\d+$", "", name) == real


@pytest.mark.parametrize("what", ["strings-order", "s390x", "mips64", "symbols", "dynamic"])
def test_relocations_agree_with_readelf(what: str) -> None:
    want("readelf")
    path, _ = sides(ARTEFACTS / f"elf-{what}")
    out = run("readelf", "-rW", path)
    theirs = re.findall(r"^[0-9a-f]{8,} +[0-9a-f]{8,} (R_\w+)", out, re.MULTILINE)
    ours = [
        text.split()[0]
        for section in opened(path).layout.sections
        if section.name.startswith(".rela.") or section.name.startswith(".rel.")
        for text in texts(path, section.name)
    ]
    assert theirs
    assert ours == theirs


def test_dynamic_entries_agree_with_readelf() -> None:
    want("readelf")
    path, _ = sides(ARTEFACTS / "elf-dynamic")
    theirs = re.findall(r"^ 0x[0-9a-f]+ \((\w+)\)", run("readelf", "-dW", path), re.MULTILINE)
    ours = [name.split()[0] for kind, name in facts(path, ".dynamic") if kind == "dynamic"]
    assert ours == theirs


def test_frames_are_of_their_functions() -> None:
    path, _ = sides(ARTEFACTS / "elf-moved")
    labels = [row.label for row in within(path, ".eh_frame") if isinstance(row, Row) and row.label]
    assert {"answer", "helper", "_start", "extra", "more"} <= set(labels)


# real builds


def built(folder: Path, name: str, source: str, *options: str, compiler: str = "gcc") -> Path:
    """A program or object of one C source."""
    want(compiler)
    (folder / "main.c").write_text(source)
    run(compiler, *options, "-o", name, "main.c", cwd=folder)
    return folder / name


PROGRAM = """
#include <stdio.h>
static const char *names[] = {"alpha", "beta", TEXT, "gamma"};
static void __attribute__((noinline)) HELPER(int n) { printf("%s %d\", names[n & 3], n); }
__attribute__((constructor)) static void start(void) { HELPER(3); }
int main(int argc, char **argv) { HELPER(argc); puts("hello"); return 0; }
"""


def program(folder: Path, name: str, *options: str, text: str = "2026", helper: str = "h") -> Path:
    return built(folder, name, PROGRAM, "-O1", f'-DTEXT="{text}"', f"-DHELPER={helper}", *options)


def test_another_build_id_is_all(look: Look, tmp_path: Path) -> None:
    a = program(tmp_path, "one", "-Wl,--build-id=0x" + "12" * 20)
    b = program(tmp_path, "two", "-Wl,--build-id=0x" + "34" * 20)
    node = look(a, b)
    assert told(node) == [
        (
            "elf.note.build_id",
            (".note.gnu.build-id", "GNU build-id"),
            "12" * 20,
            "34" * 20,
        )
    ]
    assert not told(node, derived=True)


def test_another_kind_of_build_id(look: Look, tmp_path: Path) -> None:
    a = program(tmp_path, "one", "-Wl,--build-id=sha1")
    b = program(tmp_path, "two", "-Wl,--build-id=md5")
    ((kind, _, one, two),) = told(look(a, b))
    assert (kind, one, two) == ("elf.note.build_id_kind", "sha1", "md5 or uuid")


def test_a_name_of_the_same_length_is_one_string(look: Look, tmp_path: Path) -> None:
    a, b = (program(tmp_path, name, helper=name) for name in ("one", "two"))
    assert told(look(a, b)) == [("elf.strings", (".strtab",), "one", "two")]


def test_another_runpath_and_library(look: Look, tmp_path: Path) -> None:
    a = program(tmp_path, "one", "-Wl,-rpath,/opt/a")
    b = program(tmp_path, "two", "-Wl,-rpath,/opt/longer")
    assert told(look(a, b)) == [
        ("elf.strings", (".dynstr",), "/opt/a", "/opt/longer"),
        ("elf.dynamic", (".dynamic", "RUNPATH"), "/opt/a", "/opt/longer"),
    ]
    c = program(tmp_path, "three", "-Wl,-rpath,/opt/a", "-Wl,--no-as-needed", "-lm")
    found = told(look(a, c))
    assert (
        "elf.dynamic.only_in_b",
        (".dynamic", "NEEDED libm.so.6"),
        None,
        "NEEDED libm.so.6",
    ) in found
    assert {kind for kind, *_ in found} == {"elf.dynamic.only_in_b", "elf.strings"}


@pytest.mark.parametrize("stripped", [False, True])
def test_what_a_longer_string_moves_follows(look: Look, tmp_path: Path, stripped: bool) -> None:
    """Code, relocations, pointers, symbols and frames move behind it; none of them is a root."""
    options = ("-s",) if stripped else ()
    a = program(tmp_path, "one", *options)
    b = program(tmp_path, "two", *options, text="2026-01-02")
    assert told(look(a, b)) == [("elf.section.content", (".rodata",), "2026", "2026-01-02")]


@pytest.mark.parametrize("stripped", [False, True])
def test_a_longer_string_of_a_static_program(look: Look, tmp_path: Path, stripped: bool) -> None:
    """Addresses in data and tables of jumps have moved too."""
    options = ("-static", "-s") if stripped else ("-static",)
    a = program(tmp_path, "one", *options)
    b = program(tmp_path, "two", *options, text="a longer text, with ~")
    assert told(look(a, b)) == [
        ("elf.section.content", (".rodata",), "2026", "a longer text, with ~")
    ]


def test_a_debug_file_called_after_the_build_id_follows(look: Look, tmp_path: Path) -> None:
    want("objcopy")
    files = []
    for name in ("one", "two"):
        path = program(tmp_path, name, "-s", text=name)
        found = facts(path, ".note.gnu.build-id")
        build_id = str(found["note.build_id", "GNU build-id"])
        debug = tmp_path / f"{build_id[2:]}.debug"
        debug.write_text(name)
        run("objcopy", f"--add-gnu-debuglink={debug}", path)
        files.append(path)
    kinds = {kind for kind, *_ in told(look(*files))}
    assert not {kind for kind in kinds if kind.startswith(("elf.debuglink", "elf.note"))}


# tables made here


def test_many_symbols_take_seconds(look: Look, tmp_path: Path) -> None:
    """100,000 symbols, of which one is gone."""
    want("gcc")
    source = "".join(f".globl s{n}\ns{n}:\n" for n in range(100_000))
    sides = []
    for name, text in (("one", source), ("two", source.replace("s77777", "t77777"))):
        (tmp_path / f"{name}.s").write_text(text)
        run("gcc", "-c", f"{name}.s", "-o", f"{name}.o", cwd=tmp_path)
        sides.append(tmp_path / f"{name}.o")
    kinds = [kind for kind, *_ in told(look(*sides))]
    assert kinds
    assert len(kinds) < 5


def test_names_are_given_once() -> None:
    names = Names()
    given = [names.unique(name) for name in ("x", "x", "x #2", "x", "x #2", "y")]
    assert given == ["x", "x #2", "x #2 #2", "x #3", "x #2 #3", "y"]
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_notes_that_end_early_are_bytes(look: Look, count: int) -> None:
    """A damaged note is a problem of its section, and its bytes are told."""
    path, _ = sides(ARTEFACTS / "elf-buildid")
    data = bytearray(path.read_bytes())
    section = opened(path).named(".note.gnu.build-id")
    assert section
    struct.pack_into("<I", data, section.offset + 4, 0xFFFFFFF0 + count)
    node = look(path.read_bytes(), bytes(data))
    assert node
    assert [problem.kind for problem in node.problems] == ["format"]
    assert [kind for kind, *_ in told(node)] == ["elf.section.content"]


def handmade(sections: list[tuple[int, int, bytes]]) -> bytes:
    """A 64-bit little-endian object of sections (type, link, content), all without a name."""
    body, table = b"", bytes(64)
    for kind, link, content in sections:
        table += struct.pack(
            "<IIQQQQIIQQ", 0, kind, 0, 0, 64 + len(body), len(content), link, 0, 1, 0
        )
        body += content
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    count = len(sections) + 1
    sizes = (0, 64, 0, 0, 64, count, 0)
    header += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 64 + len(body), *sizes)
    return header + body + table


SYMBOLS, STRINGS, RELA = 2, 3, 4


def test_names_that_share_an_end_are_bounded(look: Look) -> None:
    """Some MiB could ask for gigabytes of names."""
    strings = b"a" * 60_000 + b"\0"
    rows = [struct.pack("<IBBHQQ", n % 50_000, 0, 0, 0, 0, 0) for n in range(100_000)]
    symbols = b"".join(rows)
    a = handmade([(SYMBOLS, 2, symbols), (STRINGS, 0, strings)])
    b = handmade([(SYMBOLS, 2, symbols[:-1] + b"\1"), (STRINGS, 0, strings)])
    node = look(a, b)
    assert node
    assert [problem.kind for problem in node.problems] == ["limit"]
    assert [kind for kind, *_ in told(node)] == ["elf.section.content"]


@pytest.mark.parametrize("link", [0, 1, 2, 9])
def test_links_that_lead_nowhere(look: Look, link: int) -> None:
    relocation = struct.pack("<QQq", 0, (7 << 32) | 1, 0)
    symbol = struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 0, 0)
    a = handmade([(SYMBOLS, link, symbol), (STRINGS, 0, b"\0x\0"), (RELA, link, relocation)])
    b = handmade(
        [(SYMBOLS, link, symbol[:-1] + b"\1"), (STRINGS, 0, b"\0x\0"), (RELA, link, relocation * 2)]
    )
    assert told(look(a, b))
