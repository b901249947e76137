"""Programs that were built in two directories, of one length or not."""

from pathlib import Path

import pytest

from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.compare.closer import is_explained, look
from sxdiff.model import Blob, Limits, Node
from tests.look import Files, differences
from tests.sample import part
from tests.tools import run, want

PAIRS = Path(__file__).parents[2] / "fixtures/causes/pairs"


def looked(tmp_path: Path, a: bytes, b: bytes, path: str) -> Node:
    sides = []
    for side, data in (("a", a), ("b", b)):
        place = tmp_path / side
        place.write_bytes(data)
        sides.append(Blob(str(place), 0, len(data)))
    node = look(sides[0], sides[1], path, Files(tmp_path), Limits())
    assert node is not None
    return node


def causes(node: Node) -> set[str]:
    return {claim.cause for one in differences(node) for claim in one.claims}


def is_whole(node: Node) -> bool:
    """Whether nothing is left of the difference."""
    return node.verified and is_explained(node)


DEBUG = [
    ("elf-debug-path", "m"),
    ("elf-debug-path-difflen", "m"),
    ("elf-debug-compressed", "m"),
    ("elf-split-debug-dwz", "m"),
    ("elf-debug-path-arm64", "m.o"),
    ("elf-debug-path-riscv64", "m.o"),
    ("elf-debug-path-s390x", "m.o"),
    ("elf-debug-path-clang", "m"),
    ("elf-debug-path-cxx", "m.so"),
    ("elf-debug-path-tcc", "m.o"),
    ("gas-debug-path", "m.o"),
    ("nasm-debug-path", "m.o"),
    ("gfortran-debug-path", "m.o"),
    ("ada-debug-path", "m.o"),
    ("static-library-debug-path", "l.a"),
]


@pytest.mark.parametrize(("recipe", "name"), DEBUG)
def test_real_pairs(tmp_path: Path, recipe: str, name: str) -> None:
    a, b = ((PAIRS / recipe / side / name).read_bytes() for side in "ab")
    node = looked(tmp_path, a, b, f"usr/lib/{name}")
    assert is_whole(node)
    assert "gcc-captures-build-path" in causes(node)


SOURCE = r"""
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
struct item { struct item *next; const char *name; double weight; };
typedef int (*action)(int);
static int more(int x) { return x + 1; }
static int less(int x) { return x - 1; }
static const action table[] = { more, less };
static struct item *made(const char *name)
{
    struct item *found = calloc(1, sizeof *found);
    assert(found != NULL);
    found->name = name;
    return found;
}
const char *kind(int c)
{
    switch (c) {
    case 0: return "zero"; case 1: return "one"; case 2: return "two"; case 3: return "three";
    case 4: return "four"; case 5: return "five"; default: return "many";
    }
}
int run(int count, char **names)
{
    struct item *all = NULL;
    for (int at = 0; at < count; at++) {
        struct item *one = made(names[at]);
        one->next = all;
        all = one;
        printf("%s %s %d\n", names[at], kind(at), table[at % 2](at));
    }
    return all == NULL;
}
"""
MAIN = "int run(int, char **); int main(int c, char **v) { return run(c - 1, v + 1); }\n"
OPTIONS = ["-g -O2", "-g -O0", "-g3 -O2 -gdwarf-4", "-g -O2 -gz", "-O2", "-g -O2 -static"]


def built(folder: Path, compiler: str, options: str, source: str = SOURCE) -> dict[str, bytes]:
    """An object, a static library, a shared one and a program, built in `folder`."""
    folder.mkdir(parents=True)
    (folder / "part.c").write_text(source)
    (folder / "main.c").write_text(MAIN)
    words = options.split()
    for name in ("part", "main"):
        run(compiler, *words, "-c", "-o", f"{name}.o", f"{folder}/{name}.c", cwd=folder)
    run("ar", "rcD", "lib.a", "part.o", cwd=folder)
    run(compiler, *words, "-o", "program", "main.o", "lib.a", cwd=folder)
    outputs = ["part.o", "lib.a", "program"]
    if "-static" not in words:
        run(compiler, *words, "-shared", "-fPIC", "-o", "lib.so", f"{folder}/part.c", cwd=folder)
        outputs.append("lib.so")
    return {name: (folder / name).read_bytes() for name in outputs}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("options", OPTIONS)
def test_directories_of_two_lengths(tmp_path: Path, compiler: str, options: str) -> None:
    want(compiler, "ar")
    one = built(tmp_path / "build" / "one", compiler, options)
    two = built(tmp_path / "build" / "another-longer", compiler, options)
    for name, a in one.items():
        node = looked(tmp_path, a, two[name], f"usr/lib/{name}")
        assert is_whole(node), name
        assert causes(node) <= {"gcc-captures-build-path", "captures-build-path-via-file-macro"}


CHANGES = [
    ('"three"', '"drei!"'),
    ("x + 1", "x + 2"),
    ("found->name = name", "found->name = 0"),
    ("at % 2", "at % 3"),
    ("more, less", "less, more"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_another_source_in_another_directory(tmp_path: Path, old: str, new: str) -> None:
    want("gcc", "ar")
    assert old in SOURCE
    one = built(tmp_path / "build" / "one", "gcc", "-g -O2")
    two = built(tmp_path / "build" / "another-longer", "gcc", "-g -O2", SOURCE.replace(old, new))
    for name, a in one.items():
        assert not is_whole(looked(tmp_path, a, two[name], f"usr/lib/{name}")), name


RUST = """
use std::collections::HashMap;
fn at(values: &[i32], place: usize) -> i32 { values[place] }
fn main() {
    let names: Vec<String> = std::env::args().collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in &names { *counts.entry(name.clone()).or_insert(0) += 1; }
    println!("{:?} {}", counts, at(&[1, 2, 3], names.len()));
    "z".parse::<i32>().expect("not a number");
}
"""


@pytest.mark.parametrize("options", part(["-O", "-C debuginfo=2"], 2))
def test_rust_in_directories_of_two_lengths(tmp_path: Path, options: str) -> None:
    want("rustc", "cc")
    sides = []
    for name in ("one", "another-longer"):
        folder = tmp_path / "build" / name
        folder.mkdir(parents=True)
        (folder / "m.rs").write_text(RUST)
        run("rustc", *options.split(), "-o", "m", str(folder / "m.rs"), cwd=folder)
        sides.append((folder / "m").read_bytes())
    node = looked(tmp_path, sides[0], sides[1], "usr/bin/m")
    assert is_whole(node)
    assert causes(node) <= {"rust-captures-build-path", "cargo-metadata-hash"}


TEMPORARY = [
    ("see /tmp/tmp.xBLPwhfuM3/log\n", "see /tmp/tmp.FM9ENFdx1M/log\n", True),
    ("in /tmp/pip-build-env-abcd1234\n", "in /tmp/pip-build-env-9f_x0k2m\n", True),
    ("in /tmp/go-build123456789/b001\n", "in /tmp/go-build987654321/b001\n", True),
    ("see /tmp/tmp.xBLPwhfuM3/log\n", "see /tmp/tmp.FM9ENFdx1M/lag.c\n", False),
    ("see /tmp/tmp.xBLPwhfuM3 v1\n", "see /tmp/tmp.FM9ENFdx1M v2\n", False),
]


@pytest.mark.parametrize(("a", "b", "explained"), TEMPORARY)
def test_temporary_directories(a: str, b: str, explained: bool) -> None:
    found = diagnose(Site("text", a, b))
    assert ([claim.cause for claim in found.claims] if found else []) == (
        ["random-temporary-path"] if explained else []
    )


OTHERS = [
    ("elf.strings", "/usr/lib/a.c", "/opt/lib/a.c", (".debug_line_str",)),
    ("elf.strings", "/build/1st/a.c", "/build/2nd/b.c", (".debug_line_str",)),
    ("elf.strings", "/build/1st/a.c:1", "/build/2nd/a.c:2", (".debug_str",)),
    ("elf.section.content", "/build/1st/a.c%s", "/build/2nd/a.c%n", (".rodata",)),
]


@pytest.mark.parametrize(("kind", "a", "b", "where"), OTHERS)
def test_other_paths_are_not_explained(kind: str, a: str, b: str, where: tuple[str, ...]) -> None:
    assert diagnose(Site(kind, a, b, where=where, head="\x7fELF\x02")) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        # MD5 of build/1st/ and of build/2nd/, and the directories' names
        ('  href="dir_c489c29673283135a7336d6d62e1b72e.html"\n1st',
         '  href="dir_4c3415261a741cd1f00c15a28771cf6e.html"\n2nd'),
        ("1st Directory Reference", "2nd Directory Reference"),
    ],
)  # fmt: skip
def test_pages_of_doxygen_wait_for_the_path(a: str, b: str) -> None:
    site = Site("xml", a, b, "html/files.html", head='content="Doxygen 1.9.4"')
    found = diagnose(site)
    assert found is not None
    assert {(claim.cause, claim.needs) for claim in found.claims} == {
        ("doc-generator-path", "path")
    }
    assert diagnose(Site("xml", a, f"{b} and more", "html/files.html", head=site.head)) is None


def test_a_page_named_by_a_path_has_no_random_name() -> None:
    a, b = (f"html/dir_{digits * 16}.html" for digits in ("c4", "4c"))
    found = diagnose(Site("file.renamed", a, b, a))
    assert found is not None
    assert all(claim.needs for claim in found.claims)
