"""Another order is explained where it says nothing, and by nothing where it may."""

import random
from pathlib import Path

import pytest

from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.compare.closer import look
from sxdiff.model import Blob, Limits, Node
from tests.look import Files, differences

ROOT = Path(__file__).parents[2]
PAIRS = ROOT / "fixtures/causes/pairs"
ARTEFACTS = ROOT / "fixtures/artefacts"


def _causes(a: str, b: str, kind: str = "text.order", **more: object) -> list[str]:
    found = diagnose(Site(kind, a, b, **more))  # type: ignore[arg-type]  # fields of Site
    return [claim.cause for claim in found.claims] if found else []


def _looked(tmp_path: Path, a: bytes, b: bytes, path: str) -> Node:
    sides = []
    for side, data in (("a", a), ("b", b)):
        place = tmp_path / side
        place.write_bytes(data)
        sides.append(Blob(str(place), 0, len(data)))
    node = look(sides[0], sides[1], path, Files(tmp_path), Limits())
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("name", "path", "cause"),
    [
        ("python-hash-seed/{}/o.txt", "o.txt", "hash-order"),
        ("perl-hash-seed/{}/o.txt", "o.txt", "hash-order"),
        ("python-set-in-header/{}/o.h", "o.h", "hash-order"),
        ("locale-sort/{}/o.txt", "o.txt", "locale-collation-order"),
        ("line-order-text/{}/o.txt", "o.txt", "line-ordering"),
        ("md5sums-order/{}/md5sums", "md5sums", "line-ordering"),
        ("find-listing/{}/o.txt", "o.txt", "line-ordering"),
        ("ini-keys-order/{}/o.ini", "o.ini", "line-ordering"),
        ("json-key-order/{}/o.json", "o.json", "json-key-order"),
        ("json-nested-order/{}/o.json", "o.json", "json-key-order"),
        ("listdir-json/{}/o.json", "o.json", "word-ordering-in-line"),
        ("csv-words-order/{}/o.txt", "o.txt", "word-ordering-in-line"),
        ("group-members-order/{}/group", "etc/group", "word-ordering-in-line"),
        ("ls-R-unsorted/{}/ls-R", "usr/share/texmf/ls-R", "texlive-ls-R-order"),
        ("wheel-record-permuted/{}/RECORD", "p-1.dist-info/RECORD", "wheel-record-order"),
        ("dpkg-status-permuted/{}/status", "var/lib/dpkg/status", "dpkg-status-order"),
        # two of its certificates have one subject
        ("ca-bundle-order/{}/o.crt", "etc/ssl/certs/ca-certificates.crt", "line-ordering"),
    ],
)
def test_real_pairs(tmp_path: Path, name: str, path: str, cause: str) -> None:
    sides = [PAIRS / name.format(side) for side in "ab"]
    if not all(place.exists() for place in sides):
        pytest.skip("the pair is stored in another way")
    a, b = (place.read_bytes() for place in sides)
    node = _looked(tmp_path, a, b, path)
    assert {claim.cause for found in differences(node) for claim in found.claims} == {cause}
    assert node.verified
    place = len(b) // 2
    if node.format == "checksums":  # a digest may follow from a file
        place = b.index(b"\n") - 4 if b"," not in b else b.index(b".py")
    more = b[:place] + bytes([b[place] ^ 3]) + b[place + 1 :]
    assert not _looked(tmp_path, a, more, path).verified


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("xml-order", "json-key-order"),
        ("json-order", "json-key-order"),
        ("sqlite-order", "sqlite-row-order"),
    ],
)
def test_artefacts(tmp_path: Path, name: str, cause: str) -> None:
    a, b = (next((ARTEFACTS / name).glob(f"{side}.*")).read_bytes() for side in "ab")
    node = _looked(tmp_path, a, b, "f")
    assert {claim.cause for found in differences(node) for claim in found.claims} == {cause}
    assert node.verified


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x=1\n[b]\nx=2\n", "x=2\n[b]\nx=1\n"),  # two sections swap their values
        ("v: 1\nname: b\nv: 2\n", "v: 2\nname: b\nv: 1\n"),
        ("user = root\n[x]\nuser = www\n", "user = www\n[x]\nuser = root\n"),
        ("set -e\nrm -rf x\n", "rm -rf x\nset -e\n"),
        ("export A=1\nexport B=$A\n", "export B=$A\nexport A=1\n"),
        ("  open();\n  close();\n", "  close();\n  open();\n"),
        ("if x\n  y\n", "  y\nif x\n"),
        ("a\n\nb\n", "b\n\na\n"),
        ("a\n  b\n", "  b\na\n"),
        ("return 1\nx\n", "x\nreturn 1\n"),
        ("<x>\na\n", "a\n<x>\n"),
    ],
)
def test_lines_whose_order_may_matter(a: str, b: str) -> None:
    assert not _causes(a, b, path="usr/share/x/data")


@pytest.mark.parametrize(
    "path",
    ["etc/resolv.conf", "etc/hosts.allow", "etc/fstab", "etc/ld.so.conf.d/x.conf",
     "etc/pam.d/login",
     "usr/bin/x.sh", "opt/app/main.py", "app/Makefile", "x.css", "x.sql", "etc/apt/sources.list",
     "root/.bashrc", "usr/lib/udev/rules.d/1.rules", "m.c", "app.js", "x.yml"],
)  # fmt: skip
def test_files_whose_order_may_matter(path: str) -> None:
    assert not _causes("alpha b\nzeta c\n", "zeta c\nalpha b\n", path=path)


def test_scripts_without_a_name() -> None:
    lines = "alpha b\nzeta c\n", "zeta c\nalpha b\n"
    assert not _causes(*lines, path="usr/bin/tool", head="#!/bin/sh\nalpha b\n")
    assert _causes(*lines, path="usr/share/list") == ["line-ordering"]


def test_lists_that_are_read_in_order() -> None:
    rows = '  "rm"\n  "-r"\n  "x"', '  "-r"\n  "rm"\n  "x"'
    assert not _causes(*rows, "json.list.order", where=("scripts", "command"))
    assert not _causes(*rows, "json.list.order", where=("args",))
    assert _causes(*rows, "json.list.order", where=("files",)) == ["word-ordering-in-line"]
    objects = '    "a": 1\n  }\n  {\n    "a": 2', '    "a": 2\n  }\n  {\n    "a": 1'
    assert not _causes(*objects, "json.list.order", where=("files",))
    assert not _causes("a\nb", "b\na", "json.order", where=("jobs", "steps"))


def test_elements_are_read_in_order() -> None:
    one, two = "<p>\none\n</p>", "<p>\ntwo\n</p>"
    assert not _causes(f"{one}\n{two}", f"{two}\n{one}", "xml.order")
    assert not _causes('  a="1"\n<x\n  a="2"', '  a="2"\n<x\n  a="1"', "xml.order")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Depends: a, b\n", "Depends: b, a\n"),  # two may be a pair
        ("Depends: a, b, c\n", "Depends: c, a, d\n"),
        ("Depends: a (>= 1), b, c\n", "Depends: c, a (>= 2), b\n"),
        ("Depends: a, b, c\n", "Depends: c,a,b\n"),
        ("Ciphers: a, b, c\n", "Ciphers: c, a, b\n"),
        ("nameservers: 1.1.1.1, 2.2.2.2, 3.3.3.3\n", "nameservers: 3.3.3.3, 1.1.1.1, 2.2.2.2\n"),
        ("f(a, b, c)\n", "f(c, a, b)\n"),
        ("Depends: a, b, c\nVersion: 1\n", "Depends: c, a, b\nVersion: 2\n"),
    ],
)
def test_lists_in_a_line(a: str, b: str) -> None:
    assert not _causes(a, b, "text")


def test_names_met_twice() -> None:
    assert not _causes("ExecStart #2\nExecStart", "ExecStart\nExecStart #2", "ini.order")


def test_sorted_by_a_locale() -> None:
    c = ["B", "Z", "a", "c", "é"]
    de = ["a", "B", "c", "é", "Z"]
    texts = ["".join(f"{line}\n" for line in lines) for lines in (c, de)]
    assert _causes(*texts) == ["locale-collation-order"]
    assert _causes(*reversed(texts)) == ["locale-collation-order"]


def test_an_order_is_never_another_content() -> None:
    """Shuffled lines are explained; with one letter more or less they never are."""
    chance = random.Random(7)
    for _ in range(200):
        lines = [f"{chance.randrange(10**6)} item" for _ in range(chance.randrange(3, 12))]
        other = lines[:]
        chance.shuffle(other)
        if lines == other:
            continue
        a, b = ("".join(f"{line}\n" for line in side) for side in (lines, other))
        assert _causes(a, b)
        place = chance.randrange(len(b) - 1)
        assert not _causes(a, b[:place] + ("7" if b[place] != "7" else "8") + b[place + 1 :])


def test_the_last_entry_has_no_comma(tmp_path: Path) -> None:
    a, b = (
        b"(\n  'a' => 1,\n  'b' => 2,\n  'c' => 3\n)\n",
        b"(\n  'c' => 3,\n  'a' => 1,\n  'b' => 2\n)\n",
    )
    assert _looked(tmp_path, a, b, "f").verified
    assert not _looked(tmp_path, a, b.replace(b"2\n", b"2,\n"), "f").verified
    assert not _looked(tmp_path, a, b.replace(b"=> 1", b"=> 3"), "f").verified
