"""Detached debug files, and links to programs, that are named by a build-id; directories and
entries of checksum lists that are there for files on one side only."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.tar import Member
from sxdiff.run import Options, compare
from sxdiff.wire import JsonObject
from tests.images import layered
from tests.tools import need, run

_DEBUG = "usr/lib/debug/.build-id"
_SOURCE = """
#include <stdio.h>
static int {name}_twice(int number) {{ return 2 * number; }}
int {name}_counted(const char *text) {{ int n = 0; while (*text++) n++; return {name}_twice(n); }}
int {name}_told(const char *text) {{ return printf("%s\\n", text); }}
int main(void) {{ return {name}_counted("{name}") + {name}_told("{name}") + MORE; }}
"""
Parts = tuple[str, bytes, bytes]
"""A program's build-id, the program without debug information, and its detached debug file."""


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Parts]:
    """Builds a program in a directory, and splits it as dh_strip does."""

    def build(name: str, directory: str, more: str = "0", source: str = _SOURCE) -> Parts:
        need("gcc", "objcopy", "readelf")
        (tmp_path / "main.c").write_text(source.format(name=name))
        run(
            *("gcc", "-g", "-O1", "-Wl,--build-id=sha1", f"-DMORE={more}", "-o", "program"),
            *(f"-fdebug-prefix-map={tmp_path}={directory}", "main.c"),
            cwd=tmp_path,
        )
        split = ("--only-keep-debug", "--compress-debug-sections", "program", "debug")
        run("objcopy", *split, cwd=tmp_path)
        run("objcopy", "--strip-all", "program", "stripped", cwd=tmp_path)
        notes = run("readelf", "-n", "program", cwd=tmp_path)
        build_id = notes.partition("Build ID: ")[2].split()[0]
        return build_id, (tmp_path / "stripped").read_bytes(), (tmp_path / "debug").read_bytes()

    return build


def debug_file(parts: Parts, *, build_id: str = "") -> list[Member]:
    name = build_id or parts[0]
    return [
        Member(f"{_DEBUG}/{name[:2]}/".encode(), b"5", mode=0o755),
        Member(f"{_DEBUG}/{name[:2]}/{name[2:]}.debug".encode(), content=parts[2]),
    ]


def program(name: str, parts: Parts) -> Member:
    return Member(f"usr/bin/{name}".encode(), content=parts[1], mode=0o755)


def told(directory: Path, a: list[Member], b: list[Member]) -> list[JsonObject]:
    """All that differs in the layers."""
    one, other = str(directory / "a.tar"), str(directory / "b.tar")
    for path, members in ((one, a), (other, b)):
        Path(path).write_bytes(layered(sorted(members, key=lambda member: member.name)))
    with compare(one, other, Options(jobs=1), None) as report:
        return [one for one in report.differences() if one["path"] is not None]


def unexplained(found: list[JsonObject]) -> list[JsonObject]:
    return [one for one in found if not one["derived"] and not one["explained"]]


def test_debug_files_follow_from_what_the_linker_has_hashed(
    built: Callable[..., Parts], tmp_path: Path
) -> None:
    """Another build path is all: names, directories and contents follow from it."""
    sides = [
        [
            member
            for name in ("one", "two")
            for parts in [built(name, f"/build/{directory}")]
            for member in (program(name, parts), *debug_file(parts))
        ]
        for directory in ("first", "second-and-longer")
    ]
    found = told(tmp_path, *sides)
    assert unexplained(found) == []
    renamed = [one for one in found if one["kind"] == "file.renamed"]
    assert len(renamed) == 2
    assert {one["path"] for one in found if not one["derived"]} == {one["path"] for one in renamed}
    by_id = {one["id"]: one for one in found}
    for one in renamed:
        assert one["derived_from"]
        for origin in one["derived_from"]:
            assert by_id[origin]["path"] == one["path"]
            assert by_id[origin]["causes"] == ["gcc-captures-build-path"]
    for one in found:
        if one["kind"].startswith("file.only_in"):
            assert one["derived"]
            assert one["derived_from"]


def test_names_that_follow_are_one_where_images_are_normalised(
    built: Callable[..., Parts], tmp_path: Path
) -> None:
    sides = [
        [program("one", parts), *debug_file(parts)]
        for parts in (built("one", "/build/first"), built("one", "/build/second-and-longer"))
    ]
    for name, members in zip("ab", sides, strict=True):
        (tmp_path / name).write_bytes(layered(members))
    options = Options(jobs=1, write_normalised=str(tmp_path / "out"))
    with compare(str(tmp_path / "a"), str(tmp_path / "b"), options, None) as report:
        would_be = report.header["summary"]["counterfactual"]
    assert (would_be["equal_at"], would_be["verified"]) == ("manifest", True)
    one, two = (
        {
            path.name: path.read_bytes()
            for path in (tmp_path / "out" / side / "blobs").rglob("*")
            if path.is_file()
        }
        for side in "ab"
    )
    assert one == two


def test_what_else_has_changed_in_one_stays_unexplained(
    built: Callable[..., Parts], tmp_path: Path
) -> None:
    """A near miss: a function of another name, beside the path."""
    other = _SOURCE.replace("{name}_twice", "{name}_double")
    sides = []
    for directory, source in (("first", _SOURCE), ("second", other)):
        one, two = (
            built("one", f"/build/{directory}"),
            built("two", f"/build/{directory}", source=source),
        )
        sides.append([program("one", one), *debug_file(one), *debug_file(two)])
    found = told(tmp_path, *sides)
    renamed = [one["path"] for one in found if one["kind"] == "file.renamed"]
    changed = {one["path"] for one in unexplained(found)}
    assert len(renamed) == 2
    assert len(changed) == 1
    assert changed < set(renamed)
    names = [str(one["a"]["value"]) for one in unexplained(found) if one["a"]]
    assert any("two_twice" in name for name in names)


def test_where_the_debug_file_says_no_more_the_build_id_is_explained_as_before(
    built: Callable[..., Parts], tmp_path: Path
) -> None:
    """Nothing may follow from itself: of the program's own build-id the cause is still asked."""
    one, two = built("one", "/build/first"), built("one", "/build/second")
    debug = one[2].replace(bytes.fromhex(one[0]), bytes.fromhex(two[0]))
    sides = [
        [program("one", one), *debug_file(one)],
        [program("one", two), *debug_file((two[0], two[1], debug))],
    ]
    found = told(tmp_path, *sides)
    notes = [one for one in found if one["kind"] == "elf.note.build_id"]
    assert [(one["derived"], one["causes"]) for one in notes] == [
        (False, ["derived-elf-build-id"])
    ] * 2


def test_a_name_that_is_no_build_id_of_anything_is_unexplained(
    built: Callable[..., Parts], tmp_path: Path
) -> None:
    one, two = built("one", "/build/first"), built("one", "/build/second")
    sides = [debug_file(one), debug_file(two, build_id="0123456789abcdef" * 2 + "01234567")]
    (renamed,) = unexplained(told(tmp_path, *sides))
    assert (renamed["kind"], renamed["suspect"]) == ("file.renamed", "derived-build-id-file-name")


def test_a_name_alone_shows_nothing(built: Callable[..., Parts], tmp_path: Path) -> None:
    """The same content under two such names: no build-id differs, whatever the names say."""
    parts = built("one", "/build/first")
    sides = [debug_file(parts), debug_file(parts, build_id="0123456789abcdef" * 2 + "01234567")]
    (renamed,) = unexplained(told(tmp_path, *sides))
    assert renamed["kind"] == "file.renamed"


@pytest.mark.parametrize("right", [True, False])
def test_a_link_to_a_program_follows_from_its_build_id(
    built: Callable[..., Parts], tmp_path: Path, right: bool
) -> None:
    sides = []
    for directory in ("first", "second"):
        parts = built("one", f"/build/{directory}")
        name = parts[0] if right else parts[0][::-1]
        path = f"usr/lib/.build-id/{name[:2]}/"
        link = Member(f"{path}{name[2:]}".encode(), b"2", linkname=b"../../../bin/one")
        sides.append([program("one", parts), Member(path.encode(), b"5", mode=0o755), link])
    found = told(tmp_path, *sides)
    assert [one["kind"] for one in unexplained(found)] == ([] if right else ["file.renamed"])
    (renamed,) = [one for one in found if one["kind"] == "file.renamed"]
    origins = {one["path"] for one in found if one["id"] in renamed["derived_from"]}
    assert origins == ({"usr/bin/one"} if right else set())
    for one in found:
        if one["kind"].startswith("file.only_in"):
            assert one["derived"]
            assert one["derived_from"]


def _directory(name: bytes, mode: int = 0o755) -> Member:
    return Member(name, b"5", mode=mode)


@pytest.mark.parametrize(
    ("members", "roots"),
    [
        ([_directory(b"d/"), Member(b"d/f", content=b"1")], {"d/f"}),
        ([_directory(b"d/")], {"d"}),
        ([_directory(b"d/"), _directory(b"d/e/")], {"d/e"}),
        ([_directory(b"d/"), _directory(b"d/e/"), Member(b"d/f", content=b"1")], {"d/e", "d/f"}),
        # whoever sets such a mode does so on purpose
        ([_directory(b"d/", 0o1777), Member(b"d/f", content=b"1")], {"d", "d/f"}),
        ([_directory(b"d/"), _directory(b"d/"), Member(b"d/f", content=b"1")], {"d", "d/f"}),
    ],
)
def test_a_directory_is_there_for_what_it_holds(
    members: list[Member], roots: set[str], tmp_path: Path
) -> None:
    other = [Member(b"x", content=b"1")]
    for sides in ((other, other + members), (other + members, other)):
        assert {one["path"] for one in unexplained(told(tmp_path, *sides))} == roots


def test_a_directory_of_which_the_other_side_has_something_is_a_root(tmp_path: Path) -> None:
    both, more = Member(b"d/g", content=b"1"), Member(b"d/f", content=b"1 2 3")
    found = told(tmp_path, [both], [_directory(b"d/"), both, more])
    assert {one["path"] for one in unexplained(found)} == {"d", "d/f"}
    below = layered([_directory(b"d/")], [Member(b"x", content=b"1")])
    above = layered([_directory(b"d/")], [_directory(b"d/", 0o700), Member(b"d/f", content=b"1")])
    (tmp_path / "a").write_bytes(below)
    (tmp_path / "b").write_bytes(above)
    with compare(str(tmp_path / "a"), str(tmp_path / "b"), Options(jobs=1), None) as report:
        roots = {one["path"] for one in report.differences() if not one["derived"]}
    assert "d" in roots


_GOOD, _BAD = (hashlib.md5(data).hexdigest() for data in (b"new", b"other"))  # noqa: S324
_KEPT = hashlib.md5(b"kept").hexdigest()  # noqa: S324
_OLD = f"{_KEPT}  usr/bin/kept\n"


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        (f"{_GOOD}  usr/bin/new\n", True),
        (f"{_GOOD}  ./usr/bin/new\n", True),
        (f"{_GOOD} */usr/bin/new\n", True),
        (f"{_GOOD}  new\n", False),
        (f"{_BAD}  usr/bin/new\n", False),
        (f"{_GOOD}  usr/bin/newer\n", False),
        (f"{_GOOD}  usr/bin/new\n{_GOOD}  usr/bin/other\n", False),
        # the file is on both sides: it is the list that has changed
        (f"{_KEPT}  ./usr/bin/kept\n", False),
    ],
)
def test_an_entry_of_a_list_follows_from_its_file_if_it_is_right(
    line: str, follows: bool, tmp_path: Path
) -> None:
    path = b"var/lib/dpkg/info/x.md5sums"
    new, kept = Member(b"usr/bin/new", content=b"new"), Member(b"usr/bin/kept", content=b"kept")
    old = [kept, Member(path, content=_OLD.encode())]
    sides = old, [kept, new, Member(path, content=(_OLD + line).encode())]
    for a, b in (sides, sides[::-1]):
        found = told(tmp_path, a, b)
        left = [one["kind"].partition(".only_in")[0] for one in unexplained(found)]
        assert left == (["file"] if follows else ["file", "checksums"])
        for one in found:
            if one["kind"].startswith("checksums.") and one["derived"] and follows:
                assert [each["path"] for each in found if each["id"] in one["derived_from"]] == [
                    "usr/bin/new"
                ]


def test_an_entry_beside_the_list_may_be_meant(tmp_path: Path) -> None:
    new, kept = Member(b"srv/new", content=b"new"), Member(b"srv/kept", content=b"kept")
    lines = [f"{_KEPT}  kept\n".encode(), f"{_GOOD}  new\n".encode()]
    a = [kept, Member(b"srv/SUMS", content=lines[0])]
    b = [kept, new, Member(b"srv/SUMS", content=b"".join(lines))]
    assert [one["path"] for one in unexplained(told(tmp_path, a, b))] == ["srv/new"]
