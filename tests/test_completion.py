"""What shells complete: asked of real shells, as a person at the prompt would."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sxdiff.cli import COMMANDS

BASH = """
eval "$(_SXDIFF_COMPLETE=bash_source sxdiff)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; } # it may only be called by a shell that completes
_sxdiff_completion sxdiff "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _environment() -> dict[str, str]:
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}


def in_bash(*words: str) -> list[str]:
    """What bash gets for the last word."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", BASH, "bash", "sxdiff", *words],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("re",), ["render"]),
        (("ex",), ["explain"]),
        (("--requ",), ["--require"]),
        (("--require", "con"), ["config", "contents"]),
        (("a", "b", "--require", "m"), ["manifest"]),
        (
            (
                "compare",
                "--requ",
            ),
            ["--require"],
        ),
        (("explain", "timestamp-in-te"), ["timestamp-in-text"]),
        (("--accept", "timestamp-in-te"), ["timestamp-in-text"]),
        (("a", "--accept", "unexp"), ["unexplained"]),
        (("render", "--jso"), ["--json"]),
        (("--color", "al"), ["always"]),
    ],
)
def test_bash(words: tuple[str, ...], found: list[str]) -> None:
    assert in_bash(*words) == found


def test_what_may_come_first() -> None:
    assert set(COMMANDS) <= set(in_bash(""))
    options = in_bash("--")
    assert {"--version", "--accept", "--json", "--platform"} <= set(options)


@pytest.mark.parametrize("words", [("fi",), ("a.tar", ""), ("render", ""), ("--policy", "")])
def test_files_are_completed_by_the_shell(words: tuple[str, ...]) -> None:
    asked = subprocess.run(
        ["sxdiff"],
        env=_environment()
        | {
            "_SXDIFF_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["sxdiff", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert any(line.startswith("file,") for line in asked.splitlines())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_the_script(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = subprocess.run(
        ["sxdiff"],
        env=_environment() | {"_SXDIFF_COMPLETE": f"{shell}_source"},
        capture_output=True,
        check=True,
    ).stdout
    (tmp_path / "script").write_bytes(script)
    subprocess.run([shell, "-n", tmp_path / "script"], check=True)


def test_it_is_fast() -> None:
    start = time.perf_counter()
    in_bash("--requ")
    assert time.perf_counter() - start < 5
