"""Programs built in two directories: every byte that `cmp` finds is told."""

import json
import subprocess
from pathlib import Path

import pytest

from sxdiff.cli import main
from tests.tools import need, run, want

SOURCE = """#include <stdio.h>
int main(void) { printf("hi from %s\\n", __FILE__); return 0; }
"""


def _has_headers(compiler: str) -> bool:
    """Whether a cross compiler came with the headers of a C library."""
    asked = ["-E", "-x", "c", "-include", "stdio.h", "/dev/null"]
    return subprocess.run([compiler, *asked], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "compiler",
    ["gcc", *(f"{name}-linux-gnu-gcc" for name in ("aarch64", "riscv64", "s390x", "powerpc"))],
)
def test_every_byte_that_differs_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], compiler: str
) -> None:
    (need if compiler == "gcc" else want)(compiler)
    if compiler != "gcc" and not _has_headers(compiler):
        pytest.skip(f"{compiler} has no C library to compile against")
    roots = []
    for name in ("build-a", "build-b"):
        source = tmp_path / name / "hello.c"
        (tmp_path / f"root-{name}").mkdir()
        source.parent.mkdir()
        source.write_text(SOURCE)
        roots.append(tmp_path / f"root-{name}" / "hello")
        run(compiler, "-g", "-o", roots[-1], source)
    with pytest.raises(SystemExit) as ended:
        main([*(str(_packed(root)) for root in roots), "--json", "-"])
    assert ended.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["equal_at"] == "nothing"
    data = [root.read_bytes() for root in roots]
    assert len(data[0]) == len(data[1])
    differing = {at for at, (x, y) in enumerate(zip(*data, strict=True)) if x != y}
    sections = {line.split("]")[1].split()[0] for line in _section_lines(roots[0])}
    for side in "ab":
        told: set[int] = set()
        for found in report["differences"]:
            if found["path"] != "hello" or found["kind"].startswith("tar."):
                continue
            at, length = found[side]["at"]
            told.update(range(at, at + length))
            if found["kind"] == "elf.section.content":
                assert found["where"][-1] in sections
        assert differing <= told


def _packed(path: Path) -> Path:
    target = path.parent.with_suffix(".tar")
    run("tar", "-C", path.parent, "-cf", target, path.name)
    return target


def test_two_plain_directories_tell_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(f"{name}\n")
    with pytest.raises(SystemExit):
        main([str(tmp_path / "a"), str(tmp_path / "b"), "--json", "-"])
    report = json.loads(capsys.readouterr().out)
    assert report["equal_at"] == "nothing"
    assert ("f", "text") in {(d["path"], d["kind"]) for d in report["differences"]}


def _section_lines(path: Path) -> list[str]:
    lines = run("readelf", "-SW", path).splitlines()
    return [line for line in lines if line.lstrip().startswith("[") and " ." in line]
