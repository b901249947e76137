"""Documents, pictures, fonts and sound: one known change is one root, in the right place."""

import struct
import zlib
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from tests.look import Look, looking, told
from tests.tools import run, want

FOUND = {
    "font": [("font.head.modified", ("head",))],
    "font-woff": [("font.head.modified", ("head",))],
    "gif": [("gif.comment", ("comment",))],
    "icc": [("icc.date", ("header",))],
    "ico": [("ico.bitmap", ("8x8 1 bits",))],
    "jpeg": [("jpeg.comment", ("COM",))],
    "jpeg-exif": [("tiff.tag", ("APP1 Exif", "tags", "DateTime"))],
    "ogg": [("ogg.serial", ("stream 1",))],
    "ogg-comment": [("ogg.comment", ("page 2 comments", "DATE"))],
    "png": [("png.text", ("tEXt date:create",))],
    "png-packing": [("png.packing", ())],
    "tiff": [("tiff.tag", ("image", "DateTime"))],
}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.mark.parametrize("name", FOUND)
def test_one_change_is_told_in_its_place(look: Look, name: str) -> None:
    node = look(*sides(ARTEFACTS / name))
    assert [row[:2] for row in told(node)] == FOUND[name]


def test_webp_tells_its_xmp_packet(look: Look) -> None:
    ((_, where, _, _),) = told(look(*sides(ARTEFACTS / "riff")))
    assert where[0] == "XMP"


def test_pdf_tells_times_and_the_id(look: Look) -> None:
    found = told(look(*sides(ARTEFACTS / "pdf")))
    places = {row[1] for row in found if row[0] == "pdf.entry"}
    assert places == {
        ("object 2 Info", "/CreationDate"),
        ("object 2 Info", "/ModDate"),
        ("trailer", "/ID"),
    }
    (metadata,) = {row[1][0] for row in found if row[0] != "pdf.entry"}
    assert metadata == "object 9 stream"


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(*chunks: bytes, level: int = 9, pieces: int = 1) -> bytes:
    rows = b"".join(b"\0" + bytes([n % 5] * 30) for n in range(30))
    data = zlib.compress(rows, level)
    step = -(-len(data) // pieces)
    idat = b"".join(chunk(b"IDAT", data[at : at + step]) for at in range(0, len(data), step))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 30, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + idat + chunk(b"IEND", b"")


def test_png_pixels_in_other_chunks(look: Look) -> None:
    found = told(look(png(), png(level=1, pieces=3)))
    assert [row[0] for row in found] == ["png.packing"]


def test_png_time_text_and_order(look: Look) -> None:
    time = chunk(b"tIME", b"\x07\xe8\1\2\3\4\5")
    later = chunk(b"tIME", b"\x07\xe9\1\2\3\4\5")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"one"))
    other = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"two"))
    assert told(look(png(time), png(later))) == [
        ("png.time", ("tIME",), "2024-01-02T03:04:05Z", "2025-01-02T03:04:05Z")
    ]
    assert told(look(png(text), png(other))) == [("text", ("zTXt Comment", "text"), "one", "two")]
    assert [row[0] for row in told(look(png(time, text), png(text, time)))] == ["png.order"]
    assert [row[:2] for row in told(look(png(), png(time)))] == [("png.only_in_b", ("tIME",))]


def pdf(objects: list[bytes], tail: bytes = b"trailer\n<</Size 9/Root 1 0 R>>\n%%EOF\n") -> bytes:
    body = b"".join(b"%d 0 obj\n%b\nendobj\n" % (n, text) for n, text in enumerate(objects, 1))
    return b"%PDF-1.5\n" + body + tail


def stream(data: bytes, more: bytes = b"", level: int = 9) -> bytes:
    data = zlib.compress(data, level)
    head = b"<</Filter/FlateDecode/Length %d%b>>" % (len(data), more)
    return head + b"\nstream\n" + data + b"\nendstream"


def test_pdf_streams_are_told_unpacked(look: Look) -> None:
    """Of a page whose text differs the text is told; its length and packed bytes follow."""
    one, two = (pdf([b"<</Type/Catalog>>", stream(text)]) for text in (b"one\n" * 9, b"other\n"))
    found = told(look(one, two))
    assert [row[:2] for row in found] == [("text", ("object 2 stream",))]
    text = b"".join(b"line %d\n" % (n * n) for n in range(200))
    one, two = (pdf([b"<</Type/Catalog>>", stream(text, level=n)]) for n in (1, 9))
    assert [row[0] for row in told(look(one, two))] == ["pdf.packing"]


def test_pdf_objects_in_streams(look: Look) -> None:
    """Objects of an object stream are told by their numbers, wherever they lie in it."""

    def packed(*bodies: bytes) -> bytes:
        places = [sum(map(len, bodies[:n])) for n in range(len(bodies))]
        table = b" ".join(b"%d %d" % (9 + n, at) for n, at in enumerate(places)) + b" "
        more = b"/Type/ObjStm/N %d/First %d" % (len(bodies), len(table))
        return pdf([b"<</Type/Catalog>>", stream(table + b"".join(bodies), more)])

    found = told(look(packed(b"<</A 1>>", b"<</B 2>>"), packed(b"<</A 1>>", b"<</B 30>>")))
    assert found == [("pdf.entry", ("object 2 stream", "object 10", "/B"), "2", "30")]


def test_pdf_strings_hide_brackets(look: Look) -> None:
    """Literal strings nest parentheses and may hold what looks like an end."""
    one = pdf([b"<</A (x >> \\) (y) endob)/B 1>>"])
    two = pdf([b"<</A (x >> \\) (y) endob)/B 2>>"])
    assert told(look(one, two)) == [("pdf.entry", ("object 1", "/B"), "1", "2")]


def test_pdf_objects_in_another_order(look: Look) -> None:
    one = b"%PDF-1.4\n1 0 obj\n<</A 1>>\nendobj\n2 0 obj\n<</B 2>>\nendobj\n"
    two = b"%PDF-1.4\n2 0 obj\n<</B 2>>\nendobj\n1 0 obj\n<</A 1>>\nendobj\n"
    assert [row[0] for row in told(look(one, two))] == ["pdf.order"]


def test_jpeg_with_other_pixels(look: Look, tmp_path: Path) -> None:
    want("cjpeg")
    for name, tone in (("a", 10), ("b", 200)):
        (tmp_path / f"{name}.pgm").write_bytes(b"P5 8 8 255\n" + bytes([tone] * 64))
        run("cjpeg", "-outfile", tmp_path / f"{name}.jpg", tmp_path / f"{name}.pgm")
    found = told(look(tmp_path / "a.jpg", tmp_path / "b.jpg"))
    assert [row[:2] for row in found] == [("jpeg.scan", ("scan",))]


def test_tiff_with_a_longer_text(look: Look, tmp_path: Path) -> None:
    """A tag that grows moves what lies behind it: places follow."""
    want("convert-im6", "tiffset")
    for name, text in (("a", "one"), ("b", "another one")):
        path = tmp_path / f"{name}.tif"
        run("convert-im6", "-size", "4x4", "xc:red", "-strip", "-compress", "none", f"tiff:{path}")
        run("tiffset", "-s", "305", text, path)
    found = told(look(tmp_path / "a.tif", tmp_path / "b.tif"))
    assert ("tiff.tag", ("image", "Software"), "one", "another one") in found
    assert {row[1][1] for row in found} == {"Software"}


def test_fonts_with_another_name(look: Look, tmp_path: Path) -> None:
    """Checksums, offsets and sizes of tables follow from the one name that differs."""
    want("ttx")
    data = sides(ARTEFACTS / "font")[0]
    run("ttx", "-q", "-o", tmp_path / "f.ttx", data)
    text = (tmp_path / "f.ttx").read_text()
    assert "DejaVu Sans Mono" in text
    for name, family in (("a", "DejaVu Sans Mono"), ("b", "Demo")):
        (tmp_path / f"{name}.ttx").write_text(text.replace("DejaVu Sans Mono", family))
        run(
            "ttx",
            "-q",
            "--no-recalc-timestamp",
            "-o",
            tmp_path / f"{name}.ttf",
            f"{tmp_path}/{name}.ttx",
        )
    found = told(look(tmp_path / "a.ttf", tmp_path / "b.ttf"))
    assert found
    assert {row[:2] for row in found if row[0] != "font.name"} == set()
