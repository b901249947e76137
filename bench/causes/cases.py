"""What the bench runs: a case is two images and what a right report of them says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fixtures.images import Item, oci_archive

Sides = tuple[bytes, bytes]

CONSEQUENCES = frozenset(
    {
        "compressed-amplification",
        "derived-container-checksum",
        "derived-elf-build-id",
        "derived-gnu-debuglink-crc",
        "derived-manifest-hash",
        "derived-size-offset",
        "golang-build-id",
        "path-length-amplification",
    }
)
"""Causes that never are the reason by themselves: naming one beside the right one is not wrong."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One cause that is there: its names, best first, and the paths that it touches.

    `accepted` are other right answers: those that lead to the same fix. `paths` is empty where the
    cause is no file's, such as one in the config. `also` are names that are not wrong beside it.
    `unproved` is why two artefacts cannot prove it: it is to be suspected at its place, at least.
    """

    labels: tuple[str, ...]
    accepted: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    platform: str | None = None
    also: tuple[str, ...] = ()
    unproved: str | None = None

    @property
    def right(self) -> frozenset[str]:
        return frozenset(self.labels) | frozenset(self.accepted)


@dataclass(frozen=True, slots=True)
class Case:
    """Two images. `build` makes them when they are needed, for there are many."""

    name: str
    group: str
    build: Callable[[], Sides]
    expected: tuple[Expected, ...] = ()
    verified_at: str = "config"
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> frozenset[str]:
        names = set(CONSEQUENCES)
        for one in self.expected:
            names |= one.right | set(one.also)
        return frozenset(names)


def archives(a: Item, b: Item) -> Sides:
    return oci_archive(a), oci_archive(b)
