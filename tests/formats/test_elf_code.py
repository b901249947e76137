"""Machine code of ELF files: one known change is told in its function and nowhere else."""

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.elf.code import inside
from sxdiff.formats.elf.layout import ElfFile, read_layout
from sxdiff.model import Blob, Fact, Inside, Limits, Listing, Member, Node, Row
from tests.look import Look, differences, looking, told
from tests.tools import run, want

CROSS = (
    "aarch64-linux-gnu-gcc",
    "arm-linux-gnueabihf-gcc",
    "i686-linux-gnu-gcc",
    "mips64el-linux-gnuabi64-gcc",
    "powerpc-linux-gnu-gcc",
    "powerpc64le-linux-gnu-gcc",
    "riscv64-linux-gnu-gcc",
    "s390x-linux-gnu-gcc",
)


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def functions(
    values: Mapping[int, int] | None = None,
    more: Mapping[int, str] | None = None,
    order: list[int] | None = None,
    text: str = "hello",
) -> str:
    """Twenty functions in C: what they give, what one does first, and their order."""
    values, more = values or {}, more or {}
    out = ["int puts(const char *); int given(int); static int st; int glob[10];"]
    out += [f"int f{number}(int);" for number in range(20)]
    for number in order or range(20):
        said = text if number == 4 else f"text {number}"
        before = f"f{number - 1}(x - 1)" if number else "0"
        out.append(
            f"""__attribute__((noinline)) int f{number}(int x) {{ {more.get(number, "")}
            if (x == {number + 3}) {{ puts("{said}"); return {values.get(number, number)}; }}
            for (int k = 0; k < x; k++) {{ st += glob[k % 10] * {number + 2};
            if (st > 100) st -= given(k); }} return {before} + st; }}"""
        )
    return "\n".join(out)


MAIN = "int f19(int); int given(int x) { return x ^ 3; } int main(int c) { return f19(c); }"


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    def build(source: str, *options: str, compiler: str = "gcc", name: str = "out") -> Path:
        want(compiler)
        (tmp_path / "code.c").write_text(source)
        (tmp_path / "main.c").write_text(MAIN)
        common = ("-O2", "-fno-toplevel-reorder", "-Wl,--build-id=none")
        files = ("code.c",) if {"-c", "-shared"} & {*options} else ("code.c", "main.c")
        run(compiler, *common, *options, "-o", name, *files, cwd=tmp_path)
        return tmp_path / name

    return build


Build = Callable[..., Path]


def in_text(node: Node | None) -> list[tuple[str, ...]]:
    """Kind and place of what is told in .text and no consequence."""
    return [(kind, *where[1:]) for kind, where, _, _ in told(node) if where[:1] == (".text",)]


@pytest.mark.parametrize(
    "what", ["code", "code-aarch64", "code-arm", "code-ppc64le", "code-riscv64", "code-s390x"]
)
def test_a_constant_of_each_architecture(look: Look, what: str) -> None:
    node = look(*sides(ARTEFACTS / f"elf-{what}"))
    ((kind, where, before, after),) = told(node)
    assert (kind, where) == ("elf.code", (".text", "answer"))
    assert "0x29" in str(before)
    assert str(after) == str(before).replace("0x29", "0x2a")
    assert not told(node, derived=True)
    assert [one.symbol for one in differences(node)] == ["answer"]


def test_functions_in_another_order(look: Look) -> None:
    node = look(*sides(ARTEFACTS / "elf-code-order"))
    orders = [one for one in told(node) if one[1] == (".text",)]
    assert orders == [("elf.code.order", (".text",), "two\nthree\nfour", "four\nthree\ntwo")]
    assert in_text(node) == [("elf.code.order",)]


def test_a_longer_string_is_the_only_root(look: Look) -> None:
    node = look(*sides(ARTEFACTS / "elf-code-shift"))
    assert [one[1:] for one in told(node)] == [((".rodata",), "a word", "a longer word")]


@pytest.mark.parametrize(
    "options", [(), ("-no-pie",), ("-c",), ("-shared", "-fPIC"), ("-m32", "-c")]
)
def test_another_constant(look: Look, built: Build, options: tuple[str, ...]) -> None:
    a = built(functions(), *options, name="a")
    b = built(functions(values={7: 99}), *options, name="b")
    expected = ("elf.code", (".text", "f7"), "mov eax, 7", "mov eax, 0x63")
    node = look(a, b)
    assert [one for one in told(node) if one[0] != "elf.note.build_id"] == [expected]
    assert in_text(node) == [("elf.code", "f7")]


@pytest.mark.parametrize("options", [(), ("-no-pie",), ("-c",)])
def test_an_inserted_statement(look: Look, built: Build, options: tuple[str, ...]) -> None:
    a = built(functions(), *options, name="a")
    b = built(functions(more={9: "glob[x & 7] += given(x) * 5;"}), *options, name="b")
    node = look(a, b)
    assert {*in_text(node)} == {("elf.code", "f9")}


def test_consequences_are_one(look: Look, built: Build) -> None:
    a = built(functions(), name="a")
    b = built(functions(more={9: "glob[x & 7] += given(x) * 5;"}), name="b")
    consequences = [one for one in told(look(a, b), derived=True) if one[1][:1] == (".text",)]
    assert [one[0] for one in consequences].count("elf.code.layout") == 1


def test_functions_that_changed_places(look: Look, built: Build) -> None:
    order = [*range(20)]
    order[5], order[11] = 11, 5
    options = ("-shared", "-fPIC", "-nostdlib")
    a = built(functions(), *options, name="a")
    b = built(functions(order=order), *options, name="b")
    assert in_text(look(a, b)) == [("elf.code.order",)]


def test_a_stripped_file(look: Look, built: Build) -> None:
    """Nothing names functions: one listing, which aligns itself."""
    a = built(functions(), "-s", name="a")
    b = built(functions(values={7: 99}), "-s", name="b")
    c = built(functions(more={9: "glob[x & 7]++;"}), "-s", name="c")
    changed = ("elf.code", (".text", ".text"), "mov eax, 7", "mov eax, 0x63")
    assert told(look(a, b)) == [changed]
    found = [one for one in differences(look(a, c)) if one.where[:1] == (".text",)]
    roots = [one for one in found if not one.derived]
    assert 0 < sum(one.bytes for one in roots if one.kind == "elf.code") < 60


@pytest.mark.parametrize("compiler", CROSS)
def test_other_architectures(look: Look, built: Build, compiler: str) -> None:
    """What an operand refers to has moved: its instructions are told by what they mean."""
    sources = (
        functions(),
        functions(values={7: 99}),
        functions(more={9: "glob[x & 7] += given(x) * 5;"}),
        functions(text="hello you"),
    )
    kind = ("-nostdlib", "-shared", "-fPIC", "-Wl,-soname=x")
    a, *others = (
        built(source, *kind, compiler=compiler, name=f"out{number}")
        for number, source in enumerate(sources)
    )
    # the linker's own stub of POWER holds a distance in a word of its own
    stub = {("elf.code", "after f19")}
    assert [{*in_text(look(a, b))} - stub for b in others] == [
        {("elf.code", "f7")},
        {("elf.code", "f9")},
        set(),
    ]


def test_source_lines(look: Look, built: Build) -> None:
    a = built(functions(), "-g", "-c", name="a")
    b = built(functions(values={7: 99}), "-g", "-c", name="b")
    found = [one for one in differences(look(a, b)) if one.where == (".text", "f7")]
    assert [one.source and one.source.partition(":")[0] for one in found] == ["code.c"]


def test_rust_functions(look: Look, tmp_path: Path) -> None:
    want("rustc")
    for name, value in (("a", 3), ("b", 4)):
        (tmp_path / "code.rs").write_text(
            f"#[inline(never)] fn f(x: u32) -> u32 {{ x * 7 + {value} }}\n"
            "#[no_mangle] pub fn g(x: u32) -> u32 { f(x) ^ x }\n"
        )
        words = ("--crate-type=lib", "--emit=obj", "-Copt-level=1", "-Ccodegen-units=1", "-o", name)
        run("rustc", *words, "code.rs", cwd=tmp_path)
    roots = [one for one in told(look(tmp_path / "a", tmp_path / "b")) if one[0] == "elf.code"]
    assert len(roots) == 1
    assert "code" in roots[0][1][1]


def parts(path: Path, name: str) -> list[Fact | Member]:
    """What is told of a section's code."""
    blob = Blob(str(path), 0, path.stat().st_size)
    elf = ElfFile(blob, read_layout(blob), Limits())
    index = next(n for n, one in enumerate(elf.layout.sections) if one.name == name)
    found = inside(elf, index)
    assert isinstance(found, Inside)
    return list(found.parts(elf.content(elf.layout.sections[index])))


def rows(path: Path, name: str, function: str) -> list[Row]:
    """The instructions of one function."""
    member = next(
        one for one in parts(path, name) if isinstance(one, Member) and one.name == function
    )
    assert isinstance(member.inside, Listing)
    assert isinstance(member.content, Blob)
    return list(member.inside.rows(member.content))


def test_rows_name_what_operands_point_at(built: Build) -> None:
    texts = [row.text for row in rows(built(functions()), ".text", "f3")]
    assert "call puts@plt" in texts
    assert "call given" in texts
    assert any(text.endswith("[glob]") for text in texts)
    assert any(text.endswith("dword ptr [st]") for text in texts)
    assert any(text.endswith("here") for text in texts)


def test_names_that_functions_share(tmp_path: Path) -> None:
    want("gcc")
    for name in ("one", "two"):
        (tmp_path / f"{name}.c").write_text(
            f"__attribute__((noinline)) static int same(int x) {{ return x * {len(name)}3; }}\n"
            f"int {name}(int x) {{ return same(x) + 1; }}\n"
        )
    run("gcc", "-nostdlib", "-shared", "-fPIC", "-o", "out", "one.c", "two.c", cwd=tmp_path)
    names = [one.name for one in parts(tmp_path / "out", ".text") if isinstance(one, Member)]
    assert names == ["same (one.c)", "one", "same (two.c)", "two"]


def test_all_bytes_are_told_once(built: Build) -> None:
    for path in (built(functions(), name="a"), built(functions(), "-s", name="b")):
        spans = sorted(one.at for one in parts(path, ".text") if one.at)
        assert all(sum(one) == two[0] for one, two in pairwise(spans))


def test_time_follows_the_size(look: Look, built: Build) -> None:
    """All functions of an image shift: each takes less than a millisecond."""
    many = [f"int g{number}(int x) {{ return given(x) + {number}; }}" for number in range(1000)]
    a = built(functions() + "\n".join(many), name="a")
    b = built(functions(text="hello you") + "\n".join(many), name="b")
    start = time.monotonic()
    assert look(a, b)
    assert time.monotonic() - start < 10
