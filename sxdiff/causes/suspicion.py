"""What a place looks like that no cause explains: named as a suspicion, never as a cause."""

from collections.abc import Callable
from dataclasses import dataclass

from sxdiff.causes.cause import Site


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`looks` says whether a place may be the doing of cause `id`; `proof` what would show it."""

    id: str
    title: str
    kinds: tuple[str, ...]
    looks: Callable[[Site], bool]
    proof: str


def _always(_: Site) -> bool:
    return True


SUSPICIONS: tuple[Suspicion, ...] = (
    Suspicion(
        "random-hex-token",
        "Long random values",
        ("text", "file.content", "*.value", "elf.section.content", "elf.strings"),
        lambda site: _is_random(site.a) and _is_random(site.b),
        "build twice in the same place with the same clock: a random value differs again",
    ),
    Suspicion(
        "parallel-build-race",
        "Code or tables that differ in their schedule",
        ("elf.code", "elf.code.order", "elf.symbol.order", "elf.relocation.order"),
        _always,
        "build with -j1 and -C codegen-units=1, and compare again",
    ),
)


def _is_random(text: str) -> bool:
    """Hexadecimal or base64 of 64 bits or more, and nothing else."""
    word = text.strip()
    return (
        len(word) >= 16 and len(set(word)) >= 8 and word.isalnum() and any(map(str.isdigit, word))
    )
