""".pyc of every Python here: one known change gives that place and no other root."""

import marshal
import subprocess
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS
from sxdiff.formats.bytecode.pyc import VERSIONS, Pyc
from sxdiff.model import Blob, FormatError, Limits
from tests.look import Look, looking, told

PYTHONS = [f"python3.{minor}" for minor in range(6, 15)]
SOURCE = '''"""A module."""
import os
GREETING = "hello"
WORDS = {"a", 1, 2.5, 3j, 10**30, -7, None, (1, ("b", b"c"))}
def first(a, b=2, *, c=3):
    try:
        return [x for x in range(a) if x in (b, c)]
    except ValueError as error:
        raise RuntimeError(b"x") from error
class Thing:
    def method(self):
        return lambda: self.other + "\\u00fc"
'''
COMPILE = "import py_compile, sys; py_compile.compile(*sys.argv[1:4], doraise=True)"


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    try:
        subprocess.run([name, "-c", ""], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{name} is not installed")
    return name


def compiled(
    python: str, folder: Path, source: str = SOURCE, name: str = "/one/m.py", time: int = 1700000000
) -> bytes:
    import os

    path = folder / "m.py"
    path.write_text(source, encoding="utf-8")
    os.utime(path, (time, time))
    subprocess.run([python, "-c", COMPILE, path, folder / "m.pyc", name], check=True)
    return (folder / "m.pyc").read_bytes()


def test_the_time_alone(look: Look, tmp_path: Path, python: str) -> None:
    a, b = compiled(python, tmp_path), compiled(python, tmp_path, time=1700000001)
    told_here = told(look(a, b))
    assert told_here == [("pyc.mtime", (), "2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z")]


def test_a_constant_alone(look: Look, tmp_path: Path, python: str) -> None:
    a = compiled(python, tmp_path)
    b = compiled(python, tmp_path, SOURCE.replace("hello", "world"))
    where = ("<module>", "consts")
    assert told(look(a, b)) == [("pyc.consts", where, "'hello'\n", "'world'\n")]


def test_a_directory_is_told_once(look: Look, tmp_path: Path, python: str) -> None:
    a, b = compiled(python, tmp_path), compiled(python, tmp_path, name="/three/m.py")
    node = look(a, b)
    assert told(node) == [("pyc.filename", ("<module>",), "/one/m.py", "/three/m.py")]
    assert node and not node.problems


def test_an_instruction_in_a_method(look: Look, tmp_path: Path, python: str) -> None:
    a = compiled(python, tmp_path)
    b = compiled(python, tmp_path, SOURCE.replace("self.other +", "self.other -"))
    roots = told(look(a, b))
    # before 3.8 a class body's qualified names are its constants, not its code's
    assert {(kind, where[-1]) for kind, where, *_ in roots} == {("pyc.code", "code")}
    assert all("lambda" in where[-2] for _, where, *_ in roots)


def test_a_name_in_a_function(look: Look, tmp_path: Path, python: str) -> None:
    a = compiled(python, tmp_path)
    b = compiled(python, tmp_path, SOURCE.replace("ValueError", "TypeErrors"))
    roots = told(look(a, b))
    assert roots == [
        ("pyc.names", ("<module>", "first", "names"), *("'ValueError'\n",), roots[0][3])
    ]


def test_flags_of_references(look: Look) -> None:
    folder = ARTEFACTS / "pyc-reference_flags"
    a, b = ((folder / f"{side}.pyc").read_bytes() for side in "ab")
    assert {kind for kind, *_ in told(look(a, b))} == {"pyc.reference_flags"}
    assert marshal.loads(a[16:]) == marshal.loads(b[16:])  # noqa: S302 - our own bytes


def test_only_known_versions() -> None:
    for first, last, version in VERSIONS:
        at = 12 if version == (3, 6) else 16
        for number in (first, last):
            assert Pyc().recognises(
                number.to_bytes(2, "little") + b"\r\n" + bytes(at - 4) + b"\xe3"
            )
    assert not Pyc().recognises(b"\x00\x0d\r\n" + bytes(12) + b"N")


@pytest.mark.parametrize(
    "objects",
    [b"\xe3" + b"(" * 10, b")\x01" * 5000 + b"N", b"r\0\0\0\0", b"(\xff\xff\xff\x7f", b"e", b""],
)
def test_bad_objects(tmp_path: Path, objects: bytes) -> None:
    path = tmp_path / "x.pyc"
    path.write_bytes((3495).to_bytes(2, "little") + b"\r\n" + bytes(12) + objects)
    with pytest.raises(FormatError):
        list(Pyc().dissect(Blob(str(path), 0, path.stat().st_size), Limits()))
