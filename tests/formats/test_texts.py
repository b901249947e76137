"""Texts by their structure: one known change is one place, and no other root."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sxdiff.formats.catalogue import sniff_text
from sxdiff.formats.texts.checksums import Checksums
from sxdiff.formats.texts.ini import Ini
from sxdiff.formats.texts.json import Json
from sxdiff.formats.texts.stanza import Stanzas
from sxdiff.formats.texts.xml import Xml
from sxdiff.model import Route
from tests.look import Look, differences, looking, told
from tests.tools import run, want


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def places(look: Look, a: bytes, b: bytes) -> list[tuple[str, Route]]:
    return [(kind, where) for kind, where, _, _ in told(look(a, b))]


def dumped(value: object, indent: int | None = None) -> bytes:
    return json.dumps(value, indent=indent).encode() + b"\n"


DOCUMENT: dict[str, Any] = {
    "name": "x",
    "list": [3, 1, 2],
    "packages": [{"name": f"p{n}", "version": n, "files": [{"a": 1}, {"a": 2}]} for n in range(6)],
}


@pytest.mark.parametrize("indent", [None, 2])
def test_json_values_by_path(look: Look, indent: int | None) -> None:
    other = json.loads(json.dumps(DOCUMENT))
    other["packages"][3]["version"] = 77
    node = look(dumped(DOCUMENT, indent), dumped(other, indent))
    assert told(node) == [("json.value", ("packages", "p3", "version"), "3", "77")]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_order_and_one_more_at_once(look: Look, indent: int | None) -> None:
    """Neither moves what is beside it, and layout is only a consequence."""
    packages = [*reversed(DOCUMENT["packages"])]
    del packages[1]
    other = {"packages": packages, "name": "x", "list": [3, 9, 1, 2]}
    assert sorted(places(look, dumped(DOCUMENT, indent), dumped(other, indent))) == [
        ("json.list", ("list",)),
        ("json.only_in_a", ("packages", "p4")),
        ("json.order", ()),
        ("json.order", ("packages",)),
    ]


def test_json_list_in_another_order(look: Look) -> None:
    ((kind, where, a, b),) = told(look(b'{"l": [1, 2, 3], "x": 1}', b'{"l": [3, 2, 1], "x": 1}'))
    assert (kind, where) == ("json.list.order", ("l",))
    assert (str(a).split(), str(b).split()) == (["1", "2", "3"], ["3", "2", "1"])


def test_json_spelling_is_told(look: Look) -> None:
    """Equal values in other bytes: another escape, another number, a key twice."""
    assert told(look(b'{"k": "a"}', b'{"k": "\\u0061"}')) == [
        ("json.value", ("k",), '"a"', '"\\u0061"')
    ]
    assert places(look, b'{"k": 1, "k": 2}', b'{"k": 1, "k": 3}') == [("json.value", ("k #2",))]


def test_json_long_text(look: Look) -> None:
    """Of a long text the place that differs is told."""
    text = dumped({"k": "line\n" * 9000 + "made in 2026" + "line\n" * 9000})
    (one,) = differences(look(text, text.replace(b"2026", b"2027")))
    assert (one.kind, one.where, one.bytes) == ("json.value", ("k",), 1)
    assert one.a and "made in 2026" in str(one.a.value)


def test_json_deep_and_broken(look: Look) -> None:
    """Deeper than parts go it is a listing; what is no JSON is a text."""
    deep = b'{"k":' * 40 + b"1" + b"}" * 40
    (found,) = told(look(deep, deep.replace(b"1", b"2")))
    assert found[0] == "json.list"
    node = look(b'{"k": 1,}\n{"k": 2}\n', b'{"k": 1,}\n{"k": 3}\n')
    assert node and node.format == "text" and not node.problems


def test_json_that_is_no_json() -> None:
    for head in (b"[section]\nkey = 1\n", b"{ shell; }", b"text", b"[[link]]"):
        assert not Json().recognises(head) or head == b"[[link]]"


def test_envelope_is_looked_into(look: Look) -> None:
    sides = []
    for end in ("1", "2"):
        statement = {"_type": "https://in-toto.io/Statement/v1", "predicate": {"end": end}}
        payload = base64.b64encode(json.dumps(statement).encode()).decode()
        kind = "application/vnd.in-toto+json"
        sides.append(dumped({"payloadType": kind, "payload": payload, "signatures": []}))
    node = look(*sides)
    assert told(node) == [("in_toto.value", ("payload", "predicate", "end"), '"1"', '"2"')]
    assert [one.kind for one in differences(node) if one.derived] == ["in_toto.value"]


def test_jq_sorts_keys(look: Look) -> None:
    want("jq")
    text = dumped(DOCUMENT).decode()
    sides = [
        run("jq", *words, "-n", f"$x | {text}", "--argjson", "x", "1").encode()
        for words in ((), ("-S",))
    ]
    assert {kind for kind, _ in places(look, *sides)} == {"json.order"}


STATUS = b"""Package: one
Architecture: amd64
Version: 1
Description: first
 second line
 .
 third line

Package: two
Architecture: all
Version: 2

Package: three
Architecture: all
Version: 3

"""


def test_stanzas(look: Look) -> None:
    one, two, three, _ = STATUS.split(b"\n\n")
    text = b"\n\n".join((two, one.replace(b"Version: 1", b"Version: 1.1"), three, b""))
    assert told(look(STATUS, text)) == [
        ("stanza.order", (), "one:amd64\ntwo:all", "two:all\none:amd64"),
        ("stanza.value", ("one:amd64", "Version"), "1", "1.1"),
    ]
    assert places(look, STATUS, STATUS.replace(b"third", b"Third")) == [("text.case", ())]
    changed = STATUS.replace(b"third", b"last")
    assert told(look(STATUS, changed)) == [
        ("text", ("one:amd64", "Description"), " third line", " last line")
    ]
    assert places(look, STATUS, b"\n\n".join((one, three, b""))) == [
        ("stanza.only_in_a", ("two:all",))
    ]


def test_stanzas_of_python_have_a_body(look: Look) -> None:
    text = (
        b"Metadata-Version: 2.1\nName: x\nRequires-Dist: a\nRequires-Dist: c\n\n# Title\nText: 1\n"
    )
    assert places(look, text, text.replace(b": c", b": b\nRequires-Dist: c")) == [
        ("stanza.only_in_b", ("Requires-Dist b",))
    ]
    assert told(look(text, text.replace(b": 1", b": 2"))) == [
        ("text", ("body",), "Text: 1\n", "Text: 2\n")
    ]


def test_stanzas_of_apk_name_files(look: Look) -> None:
    files = b"F:lib\nR:ld\na:0:0:755\nZ:Q1b=\nR:libc\nZ:Q1c=\n"
    text = b"C:Q1a=\nP:musl\nV:1\n" + files + b"\nC:Q1d=\nP:b\nV:2\n\n"
    assert told(look(text, text.replace(b"Q1c", b"Q1x"))) == [
        ("stanza.value", ("musl", "Z lib/libc"), "Q1c=", "Q1x=")
    ]


def test_what_is_no_stanza() -> None:
    for head in (b"name: x\nkey: y\n", b"Package: x\nno field\n", b"Format\n"):
        assert not Stanzas().recognises(head)


def test_ini(look: Look) -> None:
    text = b"# start\n[one]\nkey = 1\n  more\n; note\nother: 2\n\n[two]\nkey = 1\n"
    assert told(look(text, text.replace(b"[two]\nkey = 1", b"[two]\nkey = 3"))) == [
        ("ini.value", ("two", "key"), "1", "3")
    ]
    assert places(look, text, text.replace(b"; note\n", b"")) == [
        ("ini.only_in_a", ("one", "; note"))
    ]
    assert not Ini().recognises(b"[1, 2]\n") and not Ini().recognises(b"[a]\n\n")


def test_checksums(look: Look) -> None:
    text = b"".join(b"%032x  usr/bin/x%d\n" % (n, n) for n in range(9))
    lines = text.splitlines(keepends=True)
    other = b"".join((*lines[:3], *lines[4:])).replace(b"%032x" % 7, b"%032x" % 77)
    assert places(look, text, other) == [
        ("checksums.digest", ("usr/bin/x7",)),
        ("checksums.only_in_a", ("usr/bin/x3",)),
    ]
    record = b'a/b.py,sha256=AAAA_-,10\n"a,b",sha256=BBBB,11\nx/RECORD,,\n'
    assert told(look(record, record.replace(b"11", b"12"))) == [
        ("checksums.size", ('"a,b"',), "11", "12")
    ]
    assert not Checksums().recognises(b"a,b,1\n")


def test_xml_on_one_line(look: Look) -> None:
    text = b'<?xml version="1.0"?><a x="1" y="2"><b id="q">text</b><c/></a>'
    (one,) = differences(look(text, text.replace(b"text", b"other")))
    assert (one.kind, one.symbol) == ("xml", "a/b[q]")
    assert one.a and one.b
    assert [str(value.value).strip() for value in (one.a, one.b)] == ["text", "other"]
    swapped = text.replace(b'x="1" y="2"', b'y="2" x="1"')
    assert places(look, text, swapped) == [("xml.order", ("document",))]


def test_html_with_a_script(look: Look) -> None:
    text = b"<!DOCTYPE html>\n<p>1 &lt; 2<br>\n<script>if (a<b && c>d) { x() }</script>\n<p>end\n"
    assert [kind for kind, _ in places(look, text, text.replace(b"x()", b"y()"))] == ["xml"]
    assert look(text, text.replace(b"<br>", b"<br")).format == "text"  # type: ignore[union-attr]  # they differ


def test_hostile_xml_is_quick(look: Look) -> None:
    """Tags and scripts without an end are given up at once."""
    for text in (b'<a "' * 100_000, b"<script>" * 100_000, b"<a>" * 100_000, b"<!--" * 100_000):
        assert look(b"<!DOCTYPE html>" + text, b"<!DOCTYPE html>" + text + b"x")


def test_each_is_known_by_its_content() -> None:
    known = {
        b'{"spdxVersion": "SPDX-2.3"}': "spdx",
        b'{"bomFormat": "CycloneDX"}': "cyclonedx",
        b'{"a": 1}': "json",
        STATUS: "stanza",
        b"[a]\nb=c\n": "ini",
        b"<svg xmlns='x'/>": "xml",
        b"0" * 64 + b" *file\n": "checksums",
    }
    for head, name in known.items():
        found = sniff_text(head)
        assert found and found.name == name and Xml().recognises(head) == (name == "xml")
    assert sniff_text(b"# a text\n") is None
