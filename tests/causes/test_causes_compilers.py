"""Pairs that real compilers made: explained as a whole, and not with one change more."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose, suspect
from sxdiff.compare.closer import is_explained, look
from sxdiff.model import Blob, Limits, Node
from tests.look import Files, differences
from tests.tools import run, want

PAIRS = Path(__file__).parents[2] / "fixtures/causes/pairs"


def stored(recipe: str, name: str) -> Iterator[bytes]:
    """Both sides of a pair; skips where the tool at hand makes no difference any more."""
    for side in "ab":
        path = PAIRS / recipe / side / name
        packed = path.with_name(f"{path.name}.packed")
        if path.exists():
            yield path.read_bytes()
        elif packed.exists():
            yield gzip.decompress(packed.read_bytes())
        else:
            pytest.skip("no such pair")


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


EXPLAINED = [
    ("c-date-time-macro", "d.o", "timestamps-from-cpp-macros"),
    ("clang-date-macro", "d.o", "timestamps-from-cpp-macros"),
    ("so-date-macro-string", "d.so", "timestamps-from-cpp-macros"),
    ("static-library-date-macro", "l.a", "timestamps-from-cpp-macros"),
    ("c-timestamp-macro", "d.o", "timestamps-from-timestamp-macro"),
    ("go-ldflags-date", "m", "build-date-ldflags"),
    ("mingw-pe-timestamp", "m.dll", "pe-timestamp"),
    ("gnat-ali-time", "m.ali", "compiled-unit-source-mtime"),
    ("fpc-ppu-time", "u.ppu", "compiled-unit-source-mtime"),
    ("pyc-mtime", "__pycache__/m.cpython-311.pyc", "pyc-source-mtime"),
    ("pyc-path", "m.pyc", "pyc-co-filename-path"),
    ("pyc-path-nested", "m.cpython-311.pyc", "pyc-co-filename-path"),
    ("pyc-path-other-length", "m.cpython-311.pyc", "pyc-co-filename-path"),
    ("pyc-invalidation-mode", "__pycache__/m.cpython-311.pyc", "pyc-invalidation-mode"),
    ("gxx-coverage-stamp", "m.o", "gcov-stamp"),
    ("gxx-coverage-stamp", "m.gcno", "gcov-stamp"),
    ("elf-epoch-define", "d.o", "timestamp-binary-epoch"),
    ("elf-file-macro", "m", "captures-build-path-via-file-macro"),
    ("mingw-assert-path", "m.obj", "captures-build-path-via-file-macro"),
    ("elf-rpath", "m", "elf-rpath-build-path"),
    ("rust-path", "m", "rust-captures-build-path"),
    ("go-trimpath", "m", "golang-captures-build-path"),
    ("go-buildid", "m", "golang-build-id"),
    ("go-vcs-stamp", "m", "vcs-revision-stamp"),
    ("cargo-package-vcs", "o.crate", "vcs-revision-stamp"),
    ("elf-build-id-only", "m", "random-build-id"),
    ("elf-build-id-uuid", "m", "random-build-id"),
    ("elf-stripped-buildid-debuglink", "m", "derived-elf-build-id"),
    ("elf-link-order", "m", "link-order"),
    ("elf-link-order-unstripped", "m.so", "link-order"),
    ("gcc-lto-natural", "m.o", "randomness-in-fat-lto-objects"),
    ("gcc-lto-fat-random", "m.o", "randomness-in-fat-lto-objects"),
    ("elf-record-switches2", "m", "records-build-flags"),
    ("fortran-path", "m", "interpreter-artifact-path"),
    ("erlang-beam-path", "m.beam", "interpreter-artifact-path"),
    ("lua-luac-path", "m.luac", "interpreter-artifact-path"),
    ("luac51-path", "m.luac", "interpreter-artifact-path"),
    ("luajit-path", "m.ljbc", "interpreter-artifact-path"),
    ("sbcl-fasl-path", "m.fasl", "interpreter-artifact-path"),
    ("java-target", "A.class", "bytecode-target-version"),
    ("elf-strip", "m", "strip-variation"),
]


@pytest.mark.parametrize(("recipe", "name", "cause"), EXPLAINED, ids=lambda value: value)
def test_real_pairs(tmp_path: Path, recipe: str, name: str, cause: str) -> None:
    a, b = stored(recipe, name)
    node = looked(tmp_path, a, b, f"usr/lib/{name}")
    assert is_whole(node)
    assert cause in causes(node)


DRIFT = ["elf-producer-flags", "elf-optlevel", "elf-comment-compiler", "elf-linker",
         "rust-codegen-units"]  # fmt: skip


@pytest.mark.parametrize("recipe", DRIFT)
def test_other_programs_are_not_explained(tmp_path: Path, recipe: str) -> None:
    for name in ("m", "m.o"):
        if (PAIRS / recipe / "a" / name).exists():
            a, b = stored(recipe, name)
            assert not is_explained(looked(tmp_path, a, b, name))


MORE = [
    ("elf-file-macro", "m", b"2nd/m.c", b"2nd/n.c"),
    ("elf-rpath", "m", b"/build/2nd/lib", b"/build/2nd/lob"),
    ("so-date-macro-string", "d.so", b"GCC: (", b"GCD: ("),
    ("c-timestamp-macro", "d.o", b"GCC: (", b"GCD: ("),
    ("go-vcs-stamp", "m", b"vcs.modified=false", b"vcs.modified=fals3"),
    ("pyc-path-other-length", "m.cpython-311.pyc", b"<module>", b"<modulo>"),
    ("gnat-ali-time", "m.ali", b"9f3b3d53", b"9f3b3d54"),
    ("elf-stripped-buildid-debuglink", "m", b"hi\0", b"ho\0"),
    ("elf-link-order", "m", b"GLIBC_2.2.5", b"GLIBC_2.2.6"),
    ("lua-luac-path", "m.luac", b"m.lua", b"n.lua"),
    ("erlang-beam-path", "m.beam", b"module_info", b"module_inf0"),
    ("elf-build-id-only", "m", b"__libc_start_main", b"__libc_start_mein"),
]


@pytest.mark.parametrize(("recipe", "name", "old", "new"), MORE)
def test_one_change_more_stays(
    tmp_path: Path, recipe: str, name: str, old: bytes, new: bytes
) -> None:
    a, b = stored(recipe, name)
    assert old in b
    node = looked(tmp_path, a, b.replace(old, new, 1), name)
    assert not is_whole(node)


@pytest.mark.parametrize(
    ("recipe", "name", "cause"),
    [("elf-linker", "m", "link-order"), ("cross-architecture", "m.o", "toolchain-version")],
)
def test_another_program_is_no_order_and_no_version(
    tmp_path: Path, recipe: str, name: str, cause: str
) -> None:
    """Another linker, another machine: tables in another order and another compiler's name are
    parts of what is another program."""
    a, b = stored(recipe, name)
    node = looked(tmp_path, a, b, name)
    assert cause not in causes(node)
    assert cause in {one.suspect for one in differences(node)}


@pytest.mark.parametrize("recipe", ["elf-file-macro", "elf-debug-path", "elf-debug-path-difflen"])
def test_another_instruction_stays(tmp_path: Path, recipe: str) -> None:
    a, b = stored(recipe, "m")
    found = re.search(rb"\x31[\xc0-\xff]", b[0x1000:0x1200])  # xor of two registers
    assert found
    at = 0x1000 + found.start()
    changed = b[:at] + b"\x29" + b[at + 1 :]  # sub
    assert not is_whole(looked(tmp_path, a, changed, "m"))


def test_a_number_is_no_time_by_its_value_alone(tmp_path: Path) -> None:
    """A variable of another name, with the same two values."""
    a, b = (data.replace(b"\0built\0", b"\0limit\0") for data in stored("elf-epoch-define", "d.o"))
    assert not is_whole(looked(tmp_path, a, b, "d.o"))
    a, b = (
        data.replace(b"__gcov_init", b"__gcov_other"[:11])
        for data in stored("gxx-coverage-stamp", "m.o")
    )
    assert not is_whole(looked(tmp_path, a, b, "m.o"))


def test_one_commit_is_not_another_with_a_digit_changed(tmp_path: Path) -> None:
    a, _ = stored("go-vcs-stamp", "m")
    found = re.search(rb"vcs\.revision=([0-9a-f]{40})", a)
    assert found
    near = found[1][:-1] + (b"0" if found[1][-1:] != b"0" else b"1")
    assert not is_whole(looked(tmp_path, a, a.replace(found[1], near), "m"))


@pytest.mark.parametrize("name", ["rev", "REVISION", ".git-sha", "app/commit_id.txt", "vcs-ref"])
def test_a_file_that_is_nothing_but_a_commit(name: str) -> None:
    a, b = ((PAIRS / "git-commit-date" / side / "rev").read_text() for side in "ab")
    found = diagnose(Site("text", a, b, name))
    assert found is not None
    assert {(claim.cause, claim.needs) for claim in found.claims} == {("vcs-revision-stamp", "")}


SITES = [
    # a file of a digest, not of a commit
    Site("text", f"{'ab12' * 10}\n", f"{'cd34' * 10}\n", path="app/sha1"),
    Site("text", f"{'ab12' * 10}\n", f"{'cd34' * 10}\n", path="app/previous"),
    Site("text", f"{'ab12' * 10}\nx\n", f"{'cd34' * 10}\ny\n", path="app/REVISION"),
    # a version string with a day is no macro where the version differs, too
    Site("elf.strings", "v1.2 Jan 10 2026 10:00:00", "v1.3 Mar 15 2026 12:34:56",
         where=(".rodata.str1.1",), head="\x7fELF\x02"),
    # commits of dependencies are what was built
    Site("text", f'git_sha = "{"ab12" * 10}"\n', f'git_sha = "{"cd34" * 10}"\n',
         path="app/Cargo.lock"),
    Site("json.value", f'"{"ab12" * 10}"', f'"{"cd34" * 10}"', where=("vcs_info", "commit_id"),
         path="usr/lib/python3/dist-packages/p-1.dist-info/direct_url.json"),
    Site("text", 'version = "1.2-3-g313b4884"\n', 'version = "1.2-4-gd2c0be33"\n'),
    # ids that share most of their bytes are no two hashes
    Site("elf.note.build_id", "12c103b24d2a521749e3f5acd469ae4b225d4ee1",
         "12c103b24d2a521749e3f5acd469ae4b225d4e00"),
    Site("elf.debuglink.crc", "0x615408a1", "0x615408a2"),
    Site("elf.debuglink.file", "foo.debug", "bar.debug"),
    # other compilers, other options behind other versions
    Site("elf.producer", "GCC: (Debian 12.2.0-14) 12.2.0", "GCC: (Debian 12.2.0-14) 12.2.0 evil",
         where=(".comment",)),
    Site("elf.command_line", "GNU C17 12.2.0 -O2 -flto", "GNU C17 12.2.0 -O2 -fltp",
         where=(".GCC.command.line",)),
    Site("pyc.flags", "by the source's time and size", "0x7"),
    Site("pyc.filename", "/usr/lib/python3/a.py", "/usr/lib/python3/b.py"),
    Site("pyc.consts", "3", "4"),
    Site("elf.renamed", ".gnu.lto_main.0.12345678", ".gnu.lto_main.1.12345678"),
    Site("java_class.major_version", "61", "4061"),
]  # fmt: skip


@pytest.mark.parametrize("site", SITES, ids=lambda site: f"{site.kind} {site.a[:20]}")
def test_what_only_looks_like_it(site: Site) -> None:
    for one in (site, replace(site, a=site.b, b=site.a)):
        found = diagnose(one)
        # digests of other files wait for these files
        assert found is None or all(claim.needs for claim in found.claims)


def test_code_for_another_processor_is_a_suspicion() -> None:
    site = Site("elf.code", "movups xmm0, [rdi]", "vmovups ymm0, [rdi]", head="\x7fELF\x02")
    assert diagnose(site) is None
    assert suspect(site) == "cpu-tuning-march-native"


MACROS = r"""
#include <stdio.h>
int main(void) { puts("made " __DATE__ " at " __TIME__); return 0; }
"""


def test_macros_of_the_compiler_at_hand(tmp_path: Path) -> None:
    want("gcc", "faketime")
    (tmp_path / "m.c").write_text(MACROS)
    sides = []
    for side, when in (("x", "@2026-01-05 10:00:00"), ("y", "@2026-03-15 12:34:56")):
        run("faketime", "-f", when, "gcc", "-O1", "-o", side, "m.c", cwd=tmp_path)
        sides.append((tmp_path / side).read_bytes())
    node = looked(tmp_path, sides[0], sides[1], "usr/bin/m")
    assert is_whole(node)
    assert "timestamps-from-cpp-macros" in causes(node)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program with symbols and debug information."""
    want("gcc", "strip", "objcopy")
    source = tmp_path / "m.c"
    source.write_text('#include <stdio.h>\nint main(void) { return puts("hi"); }\n')
    made = tmp_path / "m"
    run("gcc", "-g", "-O1", str(source), "-o", str(made))
    return made


@pytest.mark.parametrize("options", [[], ["-R", ".comment"]])
def test_a_stripped_program_is_the_same_program(
    tmp_path: Path, program: Path, options: list[str]
) -> None:
    bare = tmp_path / "bare"
    run("strip", *options, "-o", str(bare), str(program))
    whole, less = program.read_bytes(), bare.read_bytes()
    for a, b in ((whole, less), (less, whole)):
        node = looked(tmp_path, a, b, "usr/bin/m")
        assert causes(node) == {"strip-variation"}
        assert is_whole(node)
    at = less.index(b"hi\0")  # .rodata
    changed = less[:at] + b"ho" + less[at + 2 :]
    assert not is_explained(looked(tmp_path, whole, changed, "usr/bin/m"))


def test_no_byte_of_a_stripped_program_hides(tmp_path: Path, program: Path) -> None:
    """Law 2, for what strip leaves: a changed byte is no consequence of stripping."""
    bare = tmp_path / "bare"
    run("strip", "-o", str(bare), str(program))
    whole, less = program.read_bytes(), bare.read_bytes()
    for at in range(64, len(less), 97):
        changed = bytearray(less)
        changed[at] ^= 1
        node = looked(tmp_path, whole, bytes(changed), "usr/bin/m")
        assert not is_whole(node), at


@pytest.mark.parametrize(
    "options",
    [
        ["--add-section", ".debug_payload={}"],  # a name that no compiler gives
        ["--add-section", ".comment2={}"],
        ["--add-section", ".debug_info={}", "--set-section-flags", ".debug_info=alloc,data"],
    ],
)
def test_another_section_more_is_no_strip(
    tmp_path: Path, program: Path, options: list[str]
) -> None:
    bare, more = tmp_path / "bare", tmp_path / "more"
    run("strip", "-o", str(bare), str(program))
    (tmp_path / "payload").write_bytes(b"payload" * 9)
    filled = [one.format(tmp_path / "payload") for one in options]
    run("objcopy", *filled, str(bare), str(more))
    node = looked(tmp_path, bare.read_bytes(), more.read_bytes(), "usr/bin/m")
    assert not is_explained(node)


def test_an_object_file_needs_its_symbols(tmp_path: Path, program: Path) -> None:
    one, two = tmp_path / "o.o", tmp_path / "s.o"
    run("gcc", "-O1", "-c", str(program.with_suffix(".c")), "-o", str(one))
    run("objcopy", "--strip-all", str(one), str(two))
    node = looked(tmp_path, one.read_bytes(), two.read_bytes(), "usr/lib/o.o")
    assert "strip-variation" not in causes(node)
    assert not is_explained(node)
