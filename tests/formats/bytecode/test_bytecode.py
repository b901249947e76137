"""Compiled code: the one known change of each artefact is told at its place, and no other root."""

from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.catalogue import sniff
from tests.formats.test_artefacts import flipped
from tests.look import Look, looking, told
from tests.sample import places
from tests.tools import run, want

ROOTS = {
    "pyc": [("pyc.consts", ("<module>", "consts"))],
    "pyc-filename": [("pyc.filename", ("<module>",))],
    "pyc-mtime": [("pyc.mtime", ())],
    "pyc-hash": [("pyc.source_hash", ()), ("pyc.consts", ("<module>", "consts"))],
    "pyc-reference_flags": [("pyc.reference_flags", ("<module>",))],
    "java_class": [("java_class.constants", ("constants",))],
    "ppu": [("ppu.source_mtime", ("part.inc",))],
    "ppu-constant": [
        ("ppu.checksum", ()),
        ("ppu.interface_checksum", ()),
        ("ppu.entries", ("entries #2",)),
    ],
    "wasm": [("wasm.function", ("code", "main"))],
    "llvm_bitcode": [("llvm_bitcode.function", ("module", "function f"))],
    "beam": [("beam.literals", ("LitT", "content"))],
    "elc": [("elc.forms", ("forms",))],
    "luac": [("luac.constants", ("main", "function 1", "constants"))],
    "luac-5.1": [("luac.constants", ("main", "function 1", "constants"))],
    "luac-5.3": [("luac.constants", ("main", "function 1", "constants"))],
    "ocaml": [("ocaml.value", ("value 1",))],
    "ocaml-native": [("ocaml.value", ("value 1",))],
    "ocaml-program": [("ocaml.value", ("DATA",))],
    "haskell_interface": [("haskell_interface.content", ("interface",))],
}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.mark.parametrize("name", ROOTS)
def test_one_change_is_one_root(look: Look, name: str) -> None:
    a, b = sides(ARTEFACTS / name)
    assert [(kind, where) for kind, where, *_ in told(look(a, b))] == ROOTS[name]


@pytest.mark.parametrize("name", ["luac-5.1", "luac-5.3", "luac", "ppu", "wasm", "elc", "ocaml"])
def test_every_byte_is_told(look: Look, name: str) -> None:
    data = sides(ARTEFACTS / name)[0].read_bytes()
    for at in places(len(data), 2):
        flipped(look, data, at)


def test_a_body_of_another_size_in_bitcode(look: Look, tmp_path: Path) -> None:
    """Sizes and places that follow from it are no roots."""
    want("clang")
    for side, sign in (("a", "/ 7"), ("b", "/ 9 * h(5)")):
        text = "int h(int);\nint f(int a) { return a + 1; }\n"
        text += f"int g(int a) {{ return h(a) {sign}; }}\n"
        (tmp_path / "m.c").write_text(text, encoding="utf-8")
        run("clang", "-O1", "-emit-llvm", "-c", "m.c", "-o", f"{side}.bc", cwd=tmp_path)
    roots = told(look(tmp_path / "a.bc", tmp_path / "b.bc"))
    assert {(kind, where) for kind, where, *_ in roots} == {
        ("llvm_bitcode.function", ("module", "function g"))
    }


def test_a_program_for_ocamls_runtime(look: Look, tmp_path: Path) -> None:
    want("ocamlc")
    for side, word in (("a", "hello"), ("b", "world!")):
        (tmp_path / "o.ml").write_text(f'let () = print_string "{word}"\n', encoding="utf-8")
        run("ocamlc", "-o", f"{side}.byte", "o.ml", cwd=tmp_path)
    a, b = tmp_path / "a.byte", tmp_path / "b.byte"
    roots = told(look(a, b))
    assert roots == [("ocaml.value", ("DATA",), "'hello'", "'world!'")]
    assert sniff(b"#!/usr/bin/ocamlrun\nbut a text\n", 31) is None
    data = a.read_bytes()
    for at in (*range(40), *range(len(data) - 120, len(data))):
        flipped(look, data, at)


def test_a_line_more_in_java_moves_lines_only(look: Look, tmp_path: Path) -> None:
    want("javac")
    source = "class A { int f(int a) {\n  if (a > 3) return a * 7;\n  return 1; } }\n"
    for side, text in (("a", source), ("b", "\n" + source)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "A.java").write_text(text, encoding="utf-8")
        run("javac", "-d", ".", "A.java", cwd=tmp_path / side)
    roots = told(look(tmp_path / "a" / "A.class", tmp_path / "b" / "A.class"))
    assert {kind for kind, *_ in roots} == {"java_class.method"}
    assert all("LineNumberTable" in str(value) for _, _, *both in roots for value in both)


def test_another_instruction_in_java(look: Look, tmp_path: Path) -> None:
    want("javac")
    for side, sign in (("a", "*"), ("b", "/")):
        (tmp_path / side).mkdir()
        text = f"class A {{ int f(int a) {{ return a {sign} 7; }} }}\n"
        (tmp_path / side / "A.java").write_text(text, encoding="utf-8")
        run("javac", "-d", ".", "A.java", cwd=tmp_path / side)
    roots = told(look(tmp_path / "a" / "A.class", tmp_path / "b" / "A.class"))
    assert roots == [("java_class.method", ("f(I)I",), "imul", "idiv")]


def test_java_code_of_every_kind_is_read() -> None:
    """No row of a real class falls back to bare bytes."""
    a, _ = sides(ARTEFACTS / "java_class")
    from sxdiff.formats.bytecode.java_class import JavaClass
    from sxdiff.model import Blob, Limits, Listing, Member

    rows = []
    for part in JavaClass().dissect(Blob(str(a), 0, a.stat().st_size), Limits()):
        if isinstance(part, Member) and isinstance(part.inside, Listing):
            assert isinstance(part.content, Blob)
            rows += [row.text for row in part.inside.rows(part.content)]
    assert any(row.startswith("lookupswitch ") for row in rows)
    assert "RuntimeVisibleAnnotations 'Ljava/lang/Deprecated;' ['since' s '2']" in rows
    assert not any(row.startswith("Code ") for row in rows)


def test_an_old_compiler_names_its_user(look: Look) -> None:
    head = b";ELC\x17\0\0\0\n;;; Compiled by %s@host on Sat Jan  1 00:00:00 2022\n"
    tail = b";;; from file /build/m.el\n;;; in Emacs version 24.5.1\n\n(f)\n"
    ((kind, _, *_),) = told(look(head % b"me" + tail, head % b"you" + tail))
    assert kind == "elc.compiled"


def test_magic_numbers_that_two_formats_share() -> None:
    fat = bytes.fromhex("cafebabe00000002") + bytes(40)
    java = bytes.fromhex("cafebabe0000003d") + bytes(40)
    assert (known := sniff(java, 48)) and known.name == "java_class"
    assert not (known := sniff(fat, 48)) or known.name != "java_class"
