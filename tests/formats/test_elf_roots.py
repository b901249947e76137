"""One known change of a real program is told once; all that follows from it is a consequence."""

import time
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from tests.look import Look, differences, looking, told
from tests.sample import part
from tests.tools import run, want

DAY, LATER = "2026-01-01", "2026-01-01 10:00:00 and a longer text"
PROGRAM = """
#include <stdio.h>
#include <string.h>
const char *names[] = {"one", "two", DATE, "three"};
static const struct { int number; const char *text; } table[] = {
    {1, "alpha"}, {2, DATE}, {3, "a gamma that is rather long"}};
int main(int argc, char **argv)
{
    for (int i = 0; i < 4; i++) puts(names[i]);
    printf("%s %d\\n", table[argc % 3].text, table[argc % 3].number);
    switch (argc) {
    case 1: puts("x1"); break;
    case 2: puts("x2"); break;
    case 3: return NUMBER;
    case 4: puts("built on " DATE " here"); break;
    case 5: return strlen(argv[1]);
    case 6: return 77;
    }
    return 0;
}
"""


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


Build = Callable[..., Path]


@pytest.fixture
def built(tmp_path: Path) -> Build:
    """Builds a source with gcc, or another compiler, without a build-id."""

    def build(source: str, name: str, *options: str, compiler: str = "gcc") -> Path:
        want(compiler)
        (tmp_path / "main.c").write_text(source)
        common = ("-O2", "-Wl,--build-id=none", f"-ffile-prefix-map={tmp_path}=.")
        run(compiler, *common, *options, "-o", name, "main.c", cwd=tmp_path)
        return tmp_path / name

    return build


LINKED = [
    (),
    ("-g",),
    ("-s",),
    ("-O0",),
    ("-no-pie",),
    ("-no-pie", "-s"),
    ("-static",),
    ("-fPIC", "-shared"),
]


@pytest.mark.parametrize("options", LINKED)
def test_a_string_that_gets_longer(look: Look, built: Build, options: tuple[str, ...]) -> None:
    """It is aligned otherwise now, so it lies elsewhere: tables and code point there."""
    a, b = (
        built(PROGRAM, name, *options, f'-DDATE="{date}"', "-DNUMBER=8")
        for name, date in (("a", DAY), ("b", LATER))
    )
    place = ("elf.section.content", (".rodata",))
    expected = {(*place, DAY, LATER), (*place, f"built on {DAY} here", f"built on {LATER} here")}
    assert {*told(look(a, b))} == expected


@pytest.mark.parametrize("options", LINKED)
def test_a_constant(look: Look, built: Build, options: tuple[str, ...]) -> None:
    a, b = (
        built(PROGRAM, name, *options, f'-DDATE="{DAY}"', f"-DNUMBER={number}")
        for name, number in (("a", 8), ("b", 9))
    )
    ((kind, where, before, after),) = told(look(a, b))
    assert (kind, where[0]) == ("elf.code", ".text")
    assert (before, after) == ("mov eax, 8", "mov eax, 9")


@pytest.mark.parametrize(
    ("compiler", "section"),
    [
        ("aarch64-linux-gnu-gcc", ".rodata.str1.8"),
        ("arm-linux-gnueabihf-gcc", ".rodata.str1.4"),
        ("mips64el-linux-gnuabi64-gcc", ".rodata.str1.8"),
        ("powerpc64le-linux-gnu-gcc", ".rodata.str1.8"),
        ("riscv64-linux-gnu-gcc", ".rodata.str1.8"),
        ("s390x-linux-gnu-gcc", ".rodata.str1.2"),
    ],
)
def test_an_object_of_another_machine(
    look: Look, built: Build, compiler: str, section: str
) -> None:
    source = """int write(int, const char *, int); const char *names[] = {"first", DATE, "last"};
    int show(int x) { return write(x, "at " DATE, 3) + write(x, "behind", 3); }"""
    a, b = (
        built(source, name, "-c", f'-DDATE="{date}"', compiler=compiler)
        for name, date in (("a", DAY), ("b", LATER))
    )
    expected = {(DAY, LATER), (f"at {DAY}", f"at {LATER}")}
    found = told(look(a, b))
    assert {(where, before, after) for _, where, before, after in found} == {
        ((section,), *texts) for texts in expected
    }


def test_a_text_that_moves_to_another_section(look: Look, built: Build) -> None:
    """In an object file: what points at it is no difference of its own."""
    a, b = (
        built(PROGRAM, name, "-c", f'-DDATE="{date}"', "-DNUMBER=8")
        for name, date in (("a", DAY), ("b", LATER))
    )
    assert told(look(a, b)) == [
        ("elf.only_in_b", (".rodata.str1.8",), None, ".rodata.str1.8"),
        ("elf.strings", (".rodata.str1.1",), f"built on {DAY} here", ""),
        ("elf.strings", (".rodata.str1.1",), DAY, ""),
    ]


def many(inserted: int = -1, order: list[int] | None = None) -> str:
    """200 functions with tables of jumps and texts; one may do something more."""
    out = ["#include <stdio.h>", "int st, arr[64];", "int g(int x) { return x ^ 3; }"]
    out += [f"int f{number}(int);" for number in range(200)]
    for number in order or range(200):
        more = 'st += g(x * 7); if (st & 4) puts("new text");' if number == inserted else ""
        out.append(
            f"""__attribute__((noinline)) int f{number}(int x) {{ {more}
            for (int k = 0; k < x; k++) {{ st += arr[(k * {number + 3}) & 63];
            if (st > {number * 17}) {{ puts("line {number}"); st -= g(k + {number}); }} }}
            switch (x) {{ case 1: return {number}; case 2: return f{(number + 7) % 200}(x - 1);
            case 3: st++; break; case 4: return st * {number}; case 5: return 99;
            case 6: puts("six {number % 10}"); }} return st + {number}; }}"""
        )
    return "\n".join([*out, "int main(int c, char **v) { return f3(c) + f150(c); }"])


@pytest.mark.parametrize("options", part([("-no-pie", "-s"), ("-s",), ()], 2))
def test_one_function_of_many(look: Look, built: Build, options: tuple[str, ...]) -> None:
    """All tables of jumps, frames, texts and calls have moved; one function has changed."""
    node = look(built(many(), "a", *options), built(many(100), "b", *options))
    found = told(node)
    assert ("elf.section.content", (".rodata",), "", "new text") in found
    rest = {where for kind, where, _, _ in found if kind != "elf.section.content"}
    assert rest == {(".text", ".text" if options else "f100")}
    assert [kind for kind, *_ in found].count("elf.section.content") == 1
    assert len(list(differences(node))) < 100


def test_functions_in_another_order(look: Look, built: Build) -> None:
    order = [*range(200)]
    order[50], order[120] = 120, 50
    option = "-fno-toplevel-reorder"
    node = look(built(many(), "a", option), built(many(order=order), "b", option))
    assert [(kind, where) for kind, where, _, _ in told(node)] == [
        ("elf.section.content.order", (".rodata",)),
        ("elf.code.order", (".text",)),
    ]


def test_objects_in_another_order_are_orders(look: Look) -> None:
    found = told(look(*sides(ARTEFACTS / "elf-data-order")))
    assert {(kind, where[0]) for kind, where, _, _ in found} == {
        ("elf.code.order", ".text"),
        ("elf.relocation.order", ".rela.dyn"),
        ("elf.section.content.order", ".data"),
        ("elf.section.content.order", ".rodata"),
        ("elf.strings.order", ".dynstr"),
        ("elf.strings.order", ".strtab"),
        ("elf.symbol.order", ".symtab"),
    }


def test_a_moved_text_of_a_library(look: Look) -> None:
    node = look(*sides(ARTEFACTS / "elf-string-moved"))
    both = f"built on {LATER}\n{LATER}"  # one is no longer the end of the other
    expected = ("elf.section.content", (".rodata",), f"built on {DAY}", both)
    assert told(node) == [expected]


def test_addends_in_place(look: Look) -> None:
    node = look(*sides(ARTEFACTS / "elf-string-moved-arm"))
    assert told(node) == [
        ("elf.strings", (".rodata.str1.4",), f"built on {DAY}", f"built on {LATER}"),
        ("elf.strings", (".rodata.str1.4",), DAY, LATER),
    ]


RENAMED = """#include <stdio.h>
static int __attribute__((noinline)) HELPER(int x) { puts("in it"); return x * 3; }
int other(int x) { return HELPER(x) + HELPER(x + 1); }
int main(int c, char **v) { return HELPER(c) + other(c); }"""


@pytest.mark.parametrize("options", [(), ("-c",)])
def test_a_renamed_function(look: Look, built: Build, options: tuple[str, ...]) -> None:
    """Once as a string of the table of names, once as the symbol; a name of the same length
    changes the first only."""
    rust = "_ZN3foo17h%016xE"
    names = ("foo", "bar", "longer", rust % 1, rust % 2)
    foo, bar, longer, one, two = (
        built(RENAMED, name, *options, f"-DHELPER={name}") for name in names
    )
    assert told(look(foo, bar)) == [("elf.strings", (".strtab",), "foo", "bar")]
    assert told(look(foo, longer)) == [
        ("elf.strings", (".strtab",), "foo", "longer"),
        ("elf.symbol.renamed", (".symtab", "foo"), "foo", "longer"),
    ]
    assert told(look(one, two)) == [("elf.strings", (".strtab",), rust % 1, rust % 2)]


def test_without_symbols(look: Look, built: Build) -> None:
    want("strip")
    a = built(RENAMED, "a", "-DHELPER=foo")
    b = a.with_name("b")
    run("strip", "-o", b, a)
    assert told(look(a, b)) == [("elf.stripped", (), ".strtab .symtab", "stripped")]


def test_names_of_libraries(look: Look, built: Build) -> None:
    a, b = (
        built("int f(void) { return 1; }", name, "-shared", f"-Wl,-soname,{soname}")
        for name, soname in (("a", "libx.so.1"), ("b", "libxyz.so.10"))
    )
    assert told(look(a, b)) == [
        ("elf.strings", (".dynstr",), "libx.so.1", "libxyz.so.10"),
        ("elf.dynamic", (".dynamic", "SONAME"), "libx.so.1", "libxyz.so.10"),
    ]


def test_rust_of_another_directory(look: Look, tmp_path: Path) -> None:
    """The path of a panic, and its length beside each pointer to it."""
    want("rustc")
    source = """fn main() { let all: Vec<String> = std::env::args().collect();
    println!("{}", all[all.len() % 7]); let x: Option<i32> = None; x.expect("nothing"); }"""
    found = []
    for name in ("short", "a_much_longer_name"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "main.rs").write_text(source)
        run("rustc", "-O", "-Cstrip=symbols", "-o", tmp_path / f"{name}.bin", folder / "main.rs")
        found.append(tmp_path / f"{name}.bin")
    start = time.perf_counter()
    node = look(*found)
    assert time.perf_counter() - start < 20
    paths = [(str(tmp_path / "short/main.rs"), str(tmp_path / "a_much_longer_name/main.rs"))]
    texts = [(a, b) for _, _, a, b in told(node) if "main.rs" in str(a)]
    assert [(str(a)[-20:], str(b)[-20:]) for a, b in texts] == [
        (one[-20:], two[-20:]) for one, two in paths
    ]
    assert len(told(node)) < 12


def test_a_flipped_byte_of_a_large_program(look: Look, tmp_path: Path) -> None:
    want("git")
    path = Path(which("git") or "").resolve()
    data = bytearray(path.read_bytes())
    other = tmp_path / "other"
    data[len(data) // 2] ^= 1
    other.write_bytes(data)
    start = time.perf_counter()
    assert len(told(look(path, other))) == 1
    assert time.perf_counter() - start < 10
