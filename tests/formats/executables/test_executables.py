"""Executables that are no ELF: each artefact's one known change is told, and no other root."""

import struct
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.catalogue import sniff
from sxdiff.formats.executables.pe import Pe
from sxdiff.model import Blob, Fact, Inside, Limits, Listing, Member
from tests.formats.test_artefacts import flipped
from tests.look import Look, looking, told
from tests.sample import places
from tests.tools import run, want

DATA = ("tree", "/images/kernel-1/data", "content")
ROOTS = {
    "pe": [("pe.section.content", (".text", "content"))],
    "pe-time": [("pe.coff.time_date_stamp", ("headers",))],
    "pe-version": [("pe.version", (".rsrc", "version/1/1033"))],
    "pe-uki": [("text", (".cmdline",))],
    "pe-net": [("cli.user_strings", (".text", "metadata", "#US"))],
    "pe-mvid": [("cli.guid", (".text", "metadata", "#GUID", "module version"))],
    "macho": [("macho.content", ("__TEXT,__text",))],
    "macho-fat": [("macho.content", ("x86_64", "__TEXT,__text"))],
    "uimage": [("text", ("image", "content"))],
    "uimage-time": [("uimage.time", ("header",))],
    "device_tree": [("device_tree.property", ("tree", "/cpus/cpu@1/clock-frequency"))],
    "device_tree-fit": [("text", DATA)],
    "device_tree-outside": [("text", DATA[1:])],
    "device_tree-time": [("device_tree.timestamp", ("tree", "/timestamp"))],
    "vmlinuz": [("text", ("payload", "content"))],
    "vmlinuz-host": [("vmlinuz.version_text", ("setup",))],
}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.mark.parametrize("name", ROOTS)
def test_one_change_is_one_root(look: Look, name: str) -> None:
    a, b = sides(ARTEFACTS / name)
    assert [(kind, where) for kind, where, *_ in told(look(a, b))] == ROOTS[name]


@pytest.mark.parametrize("name", ["uimage", "device_tree", "device_tree-outside", "macho"])
def test_every_byte_is_told(look: Look, name: str) -> None:
    data = sides(ARTEFACTS / name)[0].read_bytes()
    for at in places(len(data), 3):
        flipped(look, data, at)


def test_a_kernel_with_an_efi_stub_is_a_kernel() -> None:
    data = bytearray(sides(ARTEFACTS / "vmlinuz")[0].read_bytes())
    data[:2] = b"MZ"
    data[60:64] = (64).to_bytes(4, "little")
    data[64:68] = b"PE\0\0"
    assert Pe().recognises(bytes(data))
    assert (known := sniff(bytes(data), len(data))) and known.name == "vmlinuz"


def test_the_rich_header_of_microsofts_linker(look: Look) -> None:
    """Built here: no linker on this system writes one."""
    plain = sides(ARTEFACTS / "pe")[0].read_bytes()
    at = int.from_bytes(plain[60:64], "little")

    def rich(uses: int) -> bytes:
        key = 0x12345678
        words = [0x536E6144, 0, 0, 0, 0x01057A6E, uses, 0x00010000, 9]
        packed = struct.pack("<8I", *(word ^ key for word in words))
        stub = plain[64:88] + packed + b"Rich" + struct.pack("<I", key)
        assert len(stub) == at - 64  # it takes the DOS program's place
        return plain[:64] + stub + plain[at:]

    node = look(rich(3), rich(4))
    assert told(node) == [("pe.rich.uses", ("headers", "tool 261 build 31342"), 3, 4)]


def test_sections_agree_with_objdump() -> None:
    want("x86_64-w64-mingw32-objdump")
    path = sides(ARTEFACTS / "pe")[0]
    out = run("x86_64-w64-mingw32-objdump", "-h", path)
    named = [line.split()[1] for line in out.splitlines() if line.strip()[:1].isdigit()]
    parts = list(Pe().dissect(Blob(str(path), 0, path.stat().st_size), Limits()))
    headers = parts[0]
    assert isinstance(headers, Member) and isinstance(headers.inside, Inside)
    assert isinstance(headers.content, Blob)
    facts = [part for part in headers.inside.parts(headers.content) if isinstance(part, Fact)]
    assert [fact.name for fact in facts if fact.kind == "pe.section.name"] == named


def test_a_symbol_that_moved_is_a_consequence(tmp_path: Path, look: Look) -> None:
    want("x86_64-w64-mingw32-gcc")
    for side, body in (("a", "return a;"), ("b", "return a * 9 + 1234567;")):
        (tmp_path / side).mkdir()
        text = f"int f(int a) {{ {body} }}\nint g(int a) {{ return a; }}\n"
        (tmp_path / side / "m.c").write_text(text, encoding="utf-8")
        words = "-nostdlib -shared -Os -Wl,--no-insert-timestamp,-e,f,--image-base,0x180000000"
        run("x86_64-w64-mingw32-gcc", *words.split(), "m.c", "-o", "m.dll", cwd=tmp_path / side)
    roots = told(look(tmp_path / "a" / "m.dll", tmp_path / "b" / "m.dll"))
    assert not {("symbols",), (".edata", "export addresses")} & {where for _, where, *_ in roots}
    assert any(where[0] == ".text" for _, where, *_ in roots)


def test_the_tables_of_an_assembly() -> None:
    """Names and signatures as the compiler was told them."""
    path = sides(ARTEFACTS / "pe-net")[0]
    blob = Blob(str(path), 0, path.stat().st_size)
    parts: list[Fact | Member] = list(Pe().dissect(blob, Limits()))
    for name in (".text", "metadata", "#~"):
        found = next(part for part in parts if isinstance(part, Member) and part.name == name)
        assert isinstance(found.content, Blob)
        if isinstance(found.inside, Inside):
            parts = list(found.inside.parts(found.content))
    assert isinstance(found.inside, Listing) and isinstance(found.content, Blob)
    rows = [row.text for row in found.inside.rows(found.content)]
    assert any(row.startswith("Module 0 'p.exe' ") for row in rows)
    assert any(row.startswith("MethodDef ") and "'Add' <20010808>" in row for row in rows)
    assert any(row.startswith("TypeDef ") and "'Program'" in row for row in rows)
