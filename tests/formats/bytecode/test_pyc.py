""".pyc of every Python here: one known change gives that place and no other root."""

import marshal
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS
from sxdiff.formats.bytecode.marshal_reader import SETS, Item, Reader
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
    if not works(name):
        pytest.skip(f"{name} is not installed")
    return name


@cache
def works(python: str) -> bool:
    """Whether it is there, and not only as a name that stands for no version."""
    try:
        return not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode
    except OSError:
        return False


def compiled(
    python: str,
    folder: Path,
    source: str = SOURCE,
    name: str = "/one/m.py",
    time: int = 1700000000,
    seed: str = "0",
) -> bytes:
    path = folder / "m.py"
    path.write_text(source, encoding="utf-8")
    os.utime(path, (time, time))
    # the order of a set follows from the seed of strings' hashes
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    words = [python, "-c", COMPILE, str(path), str(folder / "m.pyc"), name]
    subprocess.run(words, check=True, env=environment)
    return (folder / "m.pyc").read_bytes()


def test_the_time_alone(look: Look, tmp_path: Path, python: str) -> None:
    a, b = compiled(python, tmp_path), compiled(python, tmp_path, time=1700000001)
    assert told(look(a, b)) == [("pyc.mtime", (), "2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z")]


def test_a_constant_alone(look: Look, tmp_path: Path, python: str) -> None:
    a = compiled(python, tmp_path)
    b = compiled(python, tmp_path, SOURCE.replace("hello", "world"))
    where = ("<module>", "consts")
    assert told(look(a, b)) == [("pyc.consts", where, "'hello'", "'world'")]


def test_a_directory_is_told_once(look: Look, tmp_path: Path, python: str) -> None:
    a, b = compiled(python, tmp_path), compiled(python, tmp_path, name="/three/m.py")
    node = look(a, b)
    assert told(node) == [("pyc.filename", ("<module>",), "/one/m.py", "/three/m.py")]
    assert node and not node.problems


def test_an_instruction_in_a_method(look: Look, tmp_path: Path, python: str) -> None:
    a = compiled(python, tmp_path)
    b = compiled(python, tmp_path, SOURCE.replace("self.other +", "self.other -"))
    roots = told(look(a, b))
    assert [(kind, where[-1]) for kind, where, *_ in roots] == [("pyc.code", "code")]
    assert "lambda" in roots[0][1][-2]


def test_a_line_more_moves_what_is_below(look: Look, tmp_path: Path, python: str) -> None:
    a = compiled(python, tmp_path)
    b = compiled(python, tmp_path, SOURCE.replace("import os", "\nimport os"))
    minor = int(python.rpartition(".")[2])
    table = "linetable" if minor >= 10 else "lnotab"
    wanted = {("pyc.source_size", ()), (f"pyc.{table}", ("<module>", table))}
    if minor >= 13:  # a class has its line as __firstlineno__
        wanted.add(("pyc.consts", ("<module>", "Thing", "consts")))
    assert {(kind, where) for kind, where, *_ in told(look(a, b))} == wanted


def test_a_name_in_a_function(look: Look, tmp_path: Path, python: str) -> None:
    a = compiled(python, tmp_path)
    b = compiled(python, tmp_path, SOURCE.replace("ValueError", "IndexError"))
    where = ("<module>", "first", "names")
    assert told(look(a, b)) == [("pyc.names", where, "'ValueError'", "'IndexError'")]


def test_the_order_of_a_set(look: Look, tmp_path: Path, python: str) -> None:
    """Follows from the seed of strings' hashes; CPython sorts them itself since 3.11."""
    source = 'def f(x):\n    return x in {"alpha", "beta", "gamma", "delta"}\n'
    a, b = (compiled(python, tmp_path, source, seed=seed) for seed in ("1", "2"))
    if python in ("python3.6", "python3.7", "python3.8", "python3.9", "python3.10"):
        ((kind, where, *values),) = told(look(a, b))
        assert (kind, where) == ("pyc.consts.order", ("<module>", "f", "consts"))
        assert sorted(str(values[0]).split()) == sorted(str(values[1]).split())
    else:
        assert a == b


def test_elements_of_a_set_that_changed_places(look: Look) -> None:
    data = (ARTEFACTS / "pyc" / "a.pyc").read_bytes()
    consts = Reader(data, (3, 11)).read(16).fields["consts"]
    assert isinstance(consts, Item)
    (words,) = (item for item in consts.elements if item.type in SETS)
    first, second = [item for item in words.elements if not item.used][:2]
    assert first.end == second.at
    swapped = data[: first.at] + data[second.at : second.end] + data[first.at : first.end]
    ((kind, *_),) = told(look(data, swapped + data[second.end :]))
    assert kind == "pyc.consts.order"


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
