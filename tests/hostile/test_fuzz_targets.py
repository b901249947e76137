"""The laws of bench/fuzz without a fuzzer: seeds, inputs that broke a law, and some changes."""

import os
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.fuzz.mutations import changed, changed_elf, damaged
from bench.fuzz.seeds import CORPUS, CRASHES, kept, seeds
from bench.fuzz.targets import TARGETS, BrokenLawError, Target, bounded, run
from fixtures.recipes.formats import ARTEFACTS

CHANGES = 25
"""Changed inputs that each target is fed with."""


@pytest.fixture(autouse=True)
def within_bounds() -> Iterator[None]:
    with bounded():
        yield


def per_target() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


@per_target()
def test_laws_hold_for_what_was_kept(target: Target) -> None:
    for folder in (CORPUS, CRASHES):
        for data in kept(folder, target):
            run(target, data)


@per_target()
def test_laws_hold_for_changed_inputs(target: Target) -> None:
    chance = random.Random(target.name)
    known = sorted(seeds(target), key=zlib.crc32)
    for data in chance.choices([one for one in known if len(one) < 8000], k=CHANGES):
        run(target, changed(target.name, data, chance, damaged))


def test_every_folder_of_inputs_has_a_target() -> None:
    for folder in (CORPUS, CRASHES):
        assert {path.name for path in folder.glob("*/")} <= set(TARGETS)


def test_a_broken_law_is_seen() -> None:
    """The targets can fail: each kind of law once."""

    def too_much(_: bytes) -> None:
        bytearray(2 << 30)

    def endless(_: bytes) -> None:
        while True:
            pass

    with pytest.raises(MemoryError):
        run(Target("memory", too_much), b"")
    for name in ("look", "json", "archives"):
        run(TARGETS[name], b"")
    with pytest.raises(BrokenLawError, match="more than"):
        run(Target("time", endless, seconds=1), b"")


def test_an_elf_file_is_changed_in_its_tables() -> None:
    """Most changes leave the header as it was, and every one changes few bytes."""
    (path,) = (ARTEFACTS / "elf").glob("a.*")
    data, chance = path.read_bytes(), random.Random(3)
    changes = [changed_elf(data, chance) for _ in range(300)]
    assert {len(one) for one in changes} == {len(data)}
    places = [{at for at in range(len(data)) if one[at] != data[at]} for one in changes]
    assert max(map(len, places)) <= 24
    assert sum(not (each & set(range(64))) for each in places) > 150


@pytest.mark.skipif(find_spec("atheris") is None, reason="the extra `fuzz` is not installed")
def test_a_short_run_of_one_target(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.fuzz", "--seconds", "5", "json"],
        env=dict(os.environ, FUZZ_HOME=str(tmp_path)),
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "executions" in done.stdout
