"""Documents, pages and pictures made at two times: explained by what their generator writes, and
by nothing where one thing more has changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sxdiff.compare.closer import is_explained, look
from sxdiff.model import Blob, Limits, Node
from tests.look import Files, differences

ROOT = Path(__file__).parents[2]
PAIRS = ROOT / "fixtures/causes/pairs"
ARTEFACTS = ROOT / "fixtures/artefacts"

Run = Callable[..., Node]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Both sides' bytes, and the path in an image."""

    def looked(a: bytes, b: bytes, path: str) -> Node:
        sides = []
        for side, data in (("a", a), ("b", b)):
            place = tmp_path / side
            place.write_bytes(data)
            sides.append(Blob(str(place), 0, len(data)))
        node = look(sides[0], sides[1], path, Files(tmp_path), Limits())
        assert node is not None
        return node

    return looked


def _causes(node: Node) -> set[str]:
    return {claim.cause for found in differences(node) for claim in found.claims}


def _strong(node: Node) -> bool:
    return not any(claim.needs for found in differences(node) for claim in found.claims)


PAIRED = [
    ("java-properties-store/{}/o.properties", "timestamp-added-by-java-util-properties"),
    ("maven-pom-properties/{}/pom.properties", "timestamp-added-by-java-util-properties"),
    ("javadoc-date/{}/o/A.html", "timestamps-in-documentation-generated-by-javadoc"),
    ("javadoc-date/{}/o/index.html", "timestamps-in-documentation-generated-by-javadoc"),
    ("javadoc-locale/{}/o/A.html", "locale-in-documentation-generated-by-javadoc"),
    ("gettext-pot-creation-date/{}/m.pot", "pot-creation-date"),
    ("help2man-date/{}/tool.1", "manpage-date"),
    ("pod2man-mtime/{}/x.1", "manpage-date"),
    ("docbook-man-date/{}/x.1", "manpage-date"),
    ("asciidoctor-last-updated/{}/d.html", "html-doc-generator-date"),
    ("doxygen-timestamp/{}/html/index.html", "html-doc-generator-date"),
    ("sphinx-last-updated/{}/o/index.html", "html-doc-generator-date"),
    ("rst2html-date/{}/d.html", "html-doc-generator-date"),
    ("texi2any-date/{}/x.info", "html-doc-generator-date"),
    ("groff-ps-creationdate/{}/x.ps", "ps-dvi-dates"),
    ("latex-dvi/{}/d.dvi", "ps-dvi-dates"),
    ("pdflatex-date-id/{}/d.pdf", "pdf-dates-and-id"),
    ("gs-pdf/{}/x.pdf", "pdf-dates-and-id"),
    ("rsvg-pdf-cairo/{}/x.pdf", "pdf-dates-and-id"),
    ("png-imagemagick/{}/x.png", "timestamps-in-png"),
    ("png-source-mtime/{}/x.png", "timestamps-in-png"),
    ("fontforge-modified/{}/o.ttf", "font-head-modified"),
    ("createrepo-revision/{}/r/repodata/repomd.xml", "repository-metadata-timestamp"),
    ("R-package-built/{}/lib/pkg/DESCRIPTION", "r-package-built-stamp"),
    ("R-package-built/{}/lib/pkg/Meta/package.rds", "r-package-built-stamp"),
    ("emacs-autoload/{}/l.el", "emacs-autoload-timestamps"),
    ("copyright-year/{}/o.h", "copyright-year"),
    ("bison-path/{}/p.c", "generated-source-line-directives"),
    ("flex-path/{}/p.c", "generated-source-line-directives"),
    ("cython-path/{}/m.c", "generated-source-line-directives"),
    ("ogg-serial/{}/o.ogg", "serial-numbers-in-media"),
    ("sbom-cyclonedx/{}/sbom.json", "sbom-serial-and-timestamp"),
]


def _sides(name: str) -> tuple[bytes, bytes, str]:
    paths = [PAIRS / name.format(side) for side in "ab"]
    if not all(path.exists() for path in paths):
        pytest.skip("the pair is stored in another way")
    return paths[0].read_bytes(), paths[1].read_bytes(), name.partition("{}/")[2]


@pytest.mark.parametrize(("name", "cause"), PAIRED)
def test_real_pairs(run: Run, name: str, cause: str) -> None:
    node = run(*_sides(name))
    assert _causes(node) == {cause}
    assert node.verified
    assert _strong(node)


@pytest.mark.parametrize("name", [name for name, _ in PAIRED])
def test_real_pairs_with_one_more_change(run: Run, name: str) -> None:
    """A letter or digit of the text next to what varied is another one: a residue is left."""
    a, b, path = _sides(name)
    found = [one for one in differences(run(a, b, path)) if one.claims and one.b and one.b.at]
    if not found:
        pytest.skip("packed")
    at = found[0].b.at if found[0].b else None
    assert at is not None
    for place in (at[0] - 3, at[0] - 9, at[0] - 2):
        if not 0 <= place < len(b) or not chr(b[place]).isalpha():
            continue
        other = b[:place] + (b"Q" if b[place] != 0x51 else b"W") + b[place + 1 :]
        node = run(a, other, path)
        assert not is_explained(node) or not node.verified
    if b[-1:] == b"\n":
        assert not run(a, b[:-1] + b"\v", path).verified


def _changed(name: str, old: bytes, new: bytes) -> tuple[bytes, bytes, str]:
    a, b, path = _sides(name)
    assert old in b
    return a, b.replace(old, new), path


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("java-properties-store/{}/o.properties", b"k=v", b"k=w"),
        ("javadoc-date/{}/o/A.html", b"javadoc (17)", b"javadoc (21)"),
        ("gettext-pot-creation-date/{}/m.pot", b"+0000", b"+0000 "),
        ("help2man-date/{}/tool.1", b'"tool 1.0"', b'"tool 1.1"'),
        ("pod2man-mtime/{}/x.1", b"perl v5.36.0", b"perl v5.38.0"),
        ("doxygen-timestamp/{}/html/index.html", b"for My Project", b"for Your Project"),
        ("asciidoctor-last-updated/{}/d.html", b"Last updated", b"Last changed"),
        ("groff-ps-creationdate/{}/x.ps", b"%%Pages: 1", b"%%Pages: 2"),
        ("pdflatex-date-id/{}/d.pdf", b"/Producer (pdfTeX", b"/Producer (PDFTeX"),
        ("gs-pdf/{}/x.pdf", b"/MediaBox [0 0 612", b"/MediaBox [0 0 613"),
        ("png-imagemagick/{}/x.png", b"date:create", b"date:delete"),
        ("createrepo-revision/{}/r/repodata/repomd.xml", b'type="primary"', b'type="primery"'),
        ("R-package-built/{}/lib/pkg/DESCRIPTION", b"R 4.2.2", b"R 4.2.3"),
        ("emacs-autoload/{}/l.el", b'"m.el"', b'"n.el"'),
        ("copyright-year/{}/o.h", b"ACME", b"ACNE"),
        ("copyright-year/{}/o.h", b"2019-", b"2018-"),
        ("flex-path/{}/p.c", b"/build/2nd/p.l", b"/build/2nd/q.l"),
        ("flex-path/{}/p.c", b'#line 1 "', b'#line 7 "'),
        ("fontforge-modified/{}/o.ttf", b"FontForge 2.0", b"FontForge 2.1"),
    ],
)
def test_named_changes(run: Run, name: str, old: bytes, new: bytes) -> None:
    try:
        sides = _changed(name, old, new)
    except AssertionError:
        pytest.skip("the artefact says it in another way")
    node = run(*sides)
    assert not node.verified


def test_a_size_in_a_repository_index_is_no_time(run: Run) -> None:
    page = (
        '<?xml version="1.0"?>\n<repomd><data type="primary"><open-size>{}</open-size>'
        "<timestamp>1768039200</timestamp></data></repomd>\n"
    )
    sizes = [page.format(size).encode() for size in (1768039200, 1773578096)]
    node = run(sizes[0], sizes[1], "r/repodata/repomd.xml")
    assert _causes(node) <= {"timestamp-unix-epoch-text"}
    assert not _strong(node)


def test_a_font_with_a_wrong_checksum(run: Run) -> None:
    """A checksum that is not that of its table follows from nothing."""
    a, b, path = _sides("fontforge-modified/{}/o.ttf")
    assert run(a, b, path).verified
    at = b.index(b"FFTM") + 4
    wrong = b[:at] + bytes([b[at] ^ 1]) + b[at + 1 :]
    assert not run(a, wrong, path).verified


def test_an_ogg_page_with_a_wrong_crc(run: Run) -> None:
    a, b, path = _sides("ogg-serial/{}/o.ogg")
    assert run(a, b, path).verified
    wrong = b[:22] + bytes([b[22] ^ 1]) + b[23:]
    assert not run(a, wrong, path).verified


def _pdf(title: bytes, shift: int = 0) -> bytes:
    """A document of two objects; `shift` is what its table is wrong by."""
    out, places = b"%PDF-1.4\n", []
    for number, body in ((1, b"<< /Type /Catalog >>"), (2, b"<< /Title (" + title + b") >>")):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 3\n0000000000 65535 f \n"
    out += b"".join(b"%010d 00000 n \n" % (place + shift) for place in places)
    out += b"trailer\n<< /Size 3 /Root 1 0 R /Info 2 0 R >>\n"
    return out + b"startxref\n%d\n%%%%EOF\n" % (table + shift)


def test_places_in_a_pdf_follow_where_they_are_right(run: Run) -> None:
    def roots(a: bytes, b: bytes) -> set[str]:
        return {found.kind for found in differences(run(a, b, "f.pdf")) if not found.derived}

    assert roots(_pdf(b"one"), _pdf(b"three")) == {"pdf.entry"}
    assert roots(_pdf(b"one"), _pdf(b"three", 1)) >= {"pdf.entry", "pdf.xref", "pdf.startxref"}


@pytest.mark.parametrize(
    "name",
    ["jpeg", "gif", "ico", "riff", "ogg-comment", "gettext_mo-message"],
)
def test_real_changes_stay(run: Run, name: str) -> None:
    folder = ARTEFACTS / name
    a, b = (next(folder.glob(f"{side}.*")).read_bytes() for side in "ab")
    assert not run(a, b, "f").verified


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("banner-version/{}/o.c", b"int x", b"int y"),
        ("banner-version/{}/o.c", b"by tool", b"by toll"),
        ("swig-version/{}/m.py.stored", b"if __package__", b"if __pocket__"),
        ("swig-version/{}/m.py.stored", b"4.2.1", b"4.2.1 of ours"),
    ],
)
def test_a_generator_says_its_version(run: Run, place: str, old: bytes, new: bytes) -> None:
    a, b = ((PAIRS / place.format(side)).read_bytes() for side in "ab")
    node = run(a, b, "usr/lib/app/o")
    assert _causes(node) == {"generator-version-banner"}
    assert _strong(node)
    assert node.verified
    assert not is_explained(run(a, b.replace(old, new), "usr/lib/app/o"))


@pytest.mark.parametrize(
    "text",
    [
        b"# app, version %s\n",
        b"# Version %s\n",
        b"generated by tool %s, do not edit\n",  # no comment
        b"# works with what was generated by tool %s\n",  # nobody says not to edit it
        b"# Do not edit. Needs tool %s\n",
    ],
)
def test_a_version_that_no_generator_says(run: Run, text: bytes) -> None:
    assert not is_explained(run(text % b"2.4.1", text % b"2.5.0", "usr/lib/app/o"))
