"""One mutation: which image, changed where and how. All follows from a seed and a number."""

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from bench.mutations.images import (
    FORMS,
    LAYER_PACKINGS,
    Made,
    Recipe,
    contents,
    make,
    pack,
    parts,
    shapes,
)
from bench.mutations.mutate import OPERATIONS, Mutated, mutate
from bench.mutations.oracle import path_of
from fixtures.images import write
from fixtures.tar import Member

STAGES = {
    "members": 2,
    "content": 5,
    "layer": 5,
    "packed layer": 3,
    "config": 2,
    "manifest": 2,
    "index": 2,
    "top": 3,
    "input": 7,
    "packed input": 7,
}
"""Where images are changed, and how often. Behind all but the last three and in them digests are
made anew, so that the result is another valid image; the last two are corruption."""
ACROSS = 10
"""One case of so many compares with the image in another form."""
TOGETHER = 12
"""Cases in a row of one form that mutate one image: what is made of it is made once."""


@lru_cache(maxsize=8 * len(FORMS))
def original(recipe: Recipe) -> tuple[Made, tuple[tuple[str, int, Any], ...]]:
    """The image, and each value on the way to it with its stage."""
    seen: list[tuple[str, int, Any]] = []

    def record(stage: str, number: int, value: Any) -> Any:
        if not (stage == "packed input" and parts(recipe.form)[1] == "plain"):
            seen.append((stage, number, value))
        return value

    return make(recipe, record), tuple(seen)


@dataclass(frozen=True)
class Case:
    """One pair: an image, and the same with one mutation."""

    seed: int
    number: int

    @property
    def form(self) -> str:
        return FORMS[self.number % len(FORMS)]

    @cached_property
    def recipe(self) -> Recipe:
        """The image before it is changed."""
        turn = self.number // len(FORMS) // TOGETHER
        chance = random.Random(f"{self.seed} {self.form} {turn}")  # noqa: S311
        kinds = contents()
        content = chance.choice(kinds[:2] if chance.random() < 0.3 else kinds)
        kind, _ = parts(self.form)
        packing = chance.choice(LAYER_PACKINGS)
        if kind in ("docker-archive-containers", "docker-archive-legacy") and chance.random() < 0.7:
            packing = "plain"  # as docker, skopeo and podman write them
        return Recipe(self.form, content, packing, chance.choice(shapes(self.form)))

    @cached_property
    def built(self) -> "Built":
        """Both sides."""
        recipe = self.recipe
        chance = random.Random(f"{self.seed} {self.number}")  # noqa: S311 - seeded, not secret
        a, seen = original(recipe)
        there = [name for name in STAGES if any(name == stage for stage, _, _ in seen)]
        (stage,) = chance.choices(there, [STAGES[name] for name in there])
        operation = chance.choice(OPERATIONS)
        which, value = chance.choice([(n, v) for name, n, v in seen if name == stage])
        mutated = mutate(chance, stage, operation, value)

        def change(name: str, number: int, found: Any) -> Any:
            return mutated.value if (name, number) == (stage, which) else found

        if stage == "packed input":
            b: Made = mutated.value
        elif stage == "input" and isinstance(a, bytes):
            b = pack(parts(recipe.form)[1], mutated.value)
        elif stage == "input" and isinstance(a, dict):
            b = a | {list(a)[which]: mutated.value}
        else:
            b = make(recipe, change)
        across = None
        kind, _ = parts(recipe.form)
        if not kind.startswith("root") and recipe.shape == "one" and not chance.randrange(ACROSS):
            form = chance.choice([one for one in FORMS if not one.startswith("root")])
            across = Recipe(form, recipe.content, recipe.packing, "one")
            a, _ = original(across)
        return Built(across or recipe, a, b, stage, which, operation, mutated, value, across)

    def __str__(self) -> str:
        recipe, built = self.recipe, self.built
        across = f" against {built.across.form}" if built.across else ""
        return (
            f"case {self.number}: {recipe.form}{across} ({recipe.content.name}, {recipe.packing}"
            f" layers, {recipe.shape}): {built.stage} {built.which}: {built.mutated.said}"
        )


@dataclass(frozen=True)
class Built:
    """Both sides, and what was done to the second."""

    original: Recipe
    a: Made
    b: Made
    stage: str
    which: int
    operation: str
    mutated: Mutated
    value: Any
    across: Recipe | None


def put(made: Made, path: str) -> None:
    """Write an input where nothing is yet."""
    if isinstance(made, bytes):
        with open(path, "wb") as file:
            file.write(made)
    elif isinstance(made, dict):
        write(made, Path(path))
    else:
        _write_members(made, path)


def _write_members(members: Iterable[Member], top: str) -> None:
    """A root directory; what cannot be in one here is left out."""
    os.mkdir(top)
    times: list[tuple[str, int]] = []
    for member in members:
        name = path_of(os.fsdecode(member.name))
        path = os.path.join(top, name)
        if not name or ".." in name.split("/") or _leads_out(os.path.dirname(path), top):
            continue
        _take(path)
        if member.type == b"5":
            os.makedirs(path, exist_ok=True)
            os.chmod(path, member.mode & 0o7777)
            times.append((path, member.mtime))
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if member.type == b"2":
            os.symlink(member.linkname, path)
            os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)
            continue
        if member.type == b"1":
            target = os.path.join(top, path_of(os.fsdecode(member.linkname)))
            if os.path.isfile(target) and not os.path.islink(target):
                os.link(target, path)
            continue
        if member.type != b"0":
            continue
        with open(path, "wb") as file:
            file.write(member.content)
        os.chmod(path, member.mode & 0o7777)
        os.utime(path, (member.mtime, member.mtime))
    for folder, _, _ in os.walk(top):
        times.insert(0, (folder, 1))
    for path, mtime in times:
        os.utime(path, (mtime, mtime))


def _leads_out(folder: str, top: str) -> bool:
    """Is there a link or a file on the way to `folder`?"""
    while folder != top:
        if os.path.lexists(folder) and (os.path.islink(folder) or not os.path.isdir(folder)):
            return True
        folder = os.path.dirname(folder)
    return False


def _take(path: str) -> None:
    if os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path)):
        os.unlink(path)
