"""Who may import whom (docs/architecture.md): imports point down only."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sxdiff"

RANKS = {
    "ending": 0,
    "model": 0,
    "wire": 1,
    "formats": 1,
    "causes": 1,
    "report": 1,
    "image": 2,
    "compare": 2,
    "work": 3,
    "policy": 4,
    "run": 4,
    "batch": 5,
    "cli": 6,
}
"""A room is a module or package directly below sxdiff; rooms of one rank do not know each other."""

SAME_RANK = {("report", "wire"), ("causes", "formats")}
"""The exceptions: the report is written in the words that workers speak, and what the fields of a
format mean is written once, where the format is."""

ONLY_IN = {
    "capstone": "formats/",
    "elftools": "formats/elf/",
    "libarchive": "formats/",
    "magic": "formats/",
    "jinja2": "report/",
    "click": "cli",
}
"""Where a library may be imported: the start of the module's path below sxdiff."""

NOWHERE = {"logging", "pickle", "rich"}
"""Library code does not log, nothing is pickled, and rich takes longer to start than sxdiff may."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(source: str, package: str) -> Iterator[str]:
    """Dotted names that a module imports, wherever in it: also late and for type checking."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], base]).rstrip(".")
            # `from sxdiff import image` imports a room that only the name tells
            yield from (f"{base}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] != "sxdiff" or len(parts) == 1 or parts[1].startswith("__"):
        return None
    return parts[1]


def broken(path: str, source: str) -> list[str]:
    """What a module at this path below sxdiff must not import but does."""
    room = path.removesuffix(".py").split("/")[0]
    package = ".".join(["sxdiff", *path.split("/")[:-1]])
    found = []
    for name in imports(source, package):
        top = name.split(".")[0]
        other = room_of(name)
        if other and other != room and room in RANKS:
            if RANKS[other] > RANKS[room]:
                found.append(f"{path}: {name} is above it")
            elif RANKS[other] == RANKS[room] and (room, other) not in SAME_RANK:
                found.append(f"{path}: {name} is of the same rank")
        if top in ONLY_IN and not path.startswith(ONLY_IN[top]):
            found.append(f"{path}: {top} belongs in {ONLY_IN[top]}")
        if top in NOWHERE:
            found.append(f"{path}: {top} is not used in sxdiff")
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(module: Path) -> None:
    assert broken(module.relative_to(PACKAGE).as_posix(), module.read_text()) == []


def test_every_room_has_a_rank() -> None:
    rooms = {path.relative_to(PACKAGE).as_posix().split("/")[0] for path in MODULES}
    rooms = {room.removesuffix(".py") for room in rooms if not room.startswith("__")}
    assert rooms <= set(RANKS)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("model.py", "import sxdiff.wire"),
        ("formats/zip.py", "from sxdiff.report import build"),
        ("formats/zip.py", "from sxdiff import report"),
        ("formats/zip.py", "from .. import report"),
        ("image/oci.py", "from sxdiff.compare.pair import pair"),
        ("compare/pair.py", "def late():\n    from sxdiff.work import pool"),
        ("run.py", "import sxdiff.cli"),
        ("run.py", "import click"),
        ("image/oci.py", "from elftools.elf import elffile"),
        ("work/pool.py", "import pickle"),
    ],
)
def test_the_rule_catches(path: str, source: str) -> None:
    assert broken(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("report/build.py", "from sxdiff.wire import difference_to_json"),
        ("formats/elf/schema.py", "from elftools.elf import enums"),
        ("formats/zip.py", "from sxdiff.model import Fact"),
        ("formats/zip.py", "from . import gzip"),
        ("cli/compare.py", "import click\nfrom sxdiff import __version__\nfrom sxdiff import run"),
    ],
)
def test_the_rule_allows(path: str, source: str) -> None:
    assert broken(path, source) == []


def test_recipes_need_the_standard_library_only() -> None:
    allowed = {"fixtures"} | set(sys.stdlib_module_names)
    for module in (ROOT / "fixtures").rglob("*.py"):
        if module.name == "golden.py":  # writes reports, so it runs sxdiff
            continue
        package = ".".join(module.relative_to(ROOT).parts[:-1])
        tops = {name.split(".")[0] for name in imports(module.read_text(), package)}
        assert tops <= allowed, module
