"""Recipes' pairs in images, the controls among them, and mixtures of several recipes."""

import functools
import json
import random
from dataclasses import replace

from bench.causes.cases import Case, Expected, Sides, archives
from bench.causes.wrap import Files, differing, merge, placed, wrap
from fixtures.causes.make import MADE, Recipe, recipes

MIXTURES = 50


@functools.cache
def made() -> dict[str, dict[str, object]]:
    """What each recipe gave."""
    value: dict[str, dict[str, object]] = json.loads(MADE.read_text())
    return value


DRIFT = "drift"
"""The kind of recipes that give really different content, such as code of another compiler."""


def with_pairs(differs: bool) -> list[Recipe]:
    """Recipes whose pair differs, or does not."""
    return [one for one in recipes() if made().get(one["id"], {}).get("differs") is differs]


@functools.cache
def _by_id() -> dict[str, Recipe]:
    return {one["id"]: one for one in recipes()}


def by_id(name: str) -> Recipe:
    return _by_id()[name]


def sides(recipe: Recipe, home: str = "usr/lib/app") -> tuple[Files, Files]:
    return placed(recipe, "a", home), placed(recipe, "b", home)


def expected(recipe: Recipe, paths: tuple[str, ...]) -> tuple[Expected, ...]:
    """A recipe's causes: `a|b` are names for one, and what is accepted goes for the first."""
    accepted = tuple(recipe["accept"])
    first, *more = (tuple(label.split("|")) for label in recipe["labels"])
    also = tuple(recipe.get("also", ()))
    why = recipe.get("unproved")
    return (
        Expected(first, accepted, paths, also=also, unproved=why),
        *(Expected(one, (), paths, unproved=why) for one in more),
    )


def pair(recipe: Recipe) -> Case:
    a, b = sides(recipe)

    def build() -> Sides:
        return archives(wrap([a]), wrap([b]))

    return Case(recipe["id"], "pair", build, expected(recipe, differing(a, b)))


def control(recipe: Recipe) -> Case:
    """A recipe's side a, and what came out again: the same."""
    a = placed(recipe, "a")

    def build() -> Sides:
        return archives(wrap([a]), wrap([dict(reversed(a.items()))]))

    return Case(recipe["id"], "control", build)


def pairs() -> list[Case]:
    return [pair(one) for one in with_pairs(differs=True) if one["kind"] != DRIFT]


def drift() -> list[Case]:
    """Pairs that a cause may be suspected in, and that no normaliser may call explained."""
    return [
        replace(pair(one), group=DRIFT) for one in with_pairs(differs=True) if one["kind"] == DRIFT
    ]


def controls() -> list[Case]:
    """The recipes that leave no difference, and fifteen of the others run twice on one side."""
    steady = [one for one in with_pairs(differs=True) if made()[one["id"]]["again_equal"]]
    again = random.Random(0).sample(steady, 15)  # noqa: S311  # seeded, not secret
    return [control(one) for one in [*with_pairs(differs=False), *again]]


def mixture(number: int) -> Case:
    """Two to five recipes in one image, in one layer or over several."""
    chance = random.Random(number)  # noqa: S311  # seeded, not secret
    pool = [one for one in with_pairs(differs=True) if one["kind"] != DRIFT]
    chosen = chance.sample(pool, chance.randint(2, 5))
    taken: set[str] = set()
    parts: list[tuple[Recipe, Files, Files]] = []
    for at, one in enumerate(chosen):
        a, b = sides(one, f"usr/lib/app{at + 1}")
        if taken & (a.keys() | b.keys()):
            continue  # both want one well-known path
        taken |= a.keys() | b.keys()
        parts.append((one, a, b))
    count = chance.randint(1, min(3, len(parts)))
    spread = [chance.randrange(count) for _ in parts]

    def build() -> Sides:
        layers = [
            [merge([part[side] for part, to in zip(parts, spread, strict=True) if to == n])
             for n in range(count)]
            for side in (1, 2)
        ]  # fmt: skip
        a, b = ([one for one in files if one] for files in layers)
        return archives(wrap(a), wrap(b))

    wanted = tuple(cause for one, a, b in parts for cause in expected(one, differing(a, b)))
    name = f"{number:02}: " + " + ".join(one["id"] for one, _, _ in parts)
    return Case(name, "mixture", build, wanted)


def mixtures() -> list[Case]:
    return [mixture(number) for number in range(MIXTURES)]
