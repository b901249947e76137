"""Real tools that tests compare with."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def want(*names: str) -> None:
    """Skip the test where one of these is missing: too large to ask of every machine."""
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")


def need(*names: str) -> None:
    """Skip the test where one of these is missing; fail it where they must be there (.ci/run)."""
    for name in names:
        if shutil.which(name) is None:
            if os.environ.get("SXDIFF_REQUIRE_TOOLS"):
                pytest.fail(f"{name} is not installed")
            pytest.skip(f"{name} is not installed")


def unpack(archive: str | Path, into: Path) -> None:
    """All of a tar archive's members, as tar(1) unpacks them."""
    into.mkdir(parents=True)
    run("tar", "-xf", archive, "-C", into)


def run(*words: str | Path, cwd: Path | None = None, check: bool = True) -> str:
    """Run a tool; what it says on standard output."""
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout


def all_shown(terminal: int) -> bytes:
    """All that is written to a pseudoterminal until its other end is closed; closes this one."""
    shown = b""
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(terminal)
    return shown
