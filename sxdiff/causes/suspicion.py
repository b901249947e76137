"""What a place looks like that no cause explains: named as a suspicion, never as a cause."""

import re
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


_DOXYGEN = re.compile(r"\bdir_[0-9a-f]{32}\b")
_BANNER = re.compile(
    r"(?i)(?:generated|created|produced|written) (?:by|with|using) [^\n]{1,60}\d\.\d|^# version \d"
)
_DIGITS = re.compile(r"\d+")


def _without_digits(text: str) -> str:
    return _DIGITS.sub("0", text)


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
    Suspicion(
        "line-ordering",
        "The same things in an order that may say something",
        ("text.order", "*.list.order", "json.order", "xml.order", "ini.order", "stanza.order"),
        _always,
        "see whether what reads the file cares about the order; sort where it is written",
    ),
    Suspicion(
        "sqlite-row-order",
        "Rows that have each other's numbers",
        ("sqlite.rows",),
        lambda site: _without_digits(site.a) == _without_digits(site.b),
        "sort rows before they are inserted, and compare again",
    ),
    Suspicion(
        "doc-generator-path",
        "Names of pages that doxygen made from a path",
        ("xml", "text"),
        lambda site: bool(_DOXYGEN.search(site.a) and _DOXYGEN.search(site.b)),
        "set STRIP_FROM_PATH to the source's directory, and compare again",
    ),
    Suspicion(
        "timestamp-binary-epoch",
        "Bytes that may be a time",
        ("file.content", "untold"),
        lambda site: site.format in ("pickle", "java_serialized"),
        "build twice with the same SOURCE_DATE_EPOCH or clock: a time is the same again",
    ),
    Suspicion(
        "generator-version-banner",
        "Another version of the generator",
        ("text", "xml"),
        lambda site: bool(_BANNER.search(site.a) and _BANNER.search(site.b)),
        "use the same version of the generator, and compare again",
    ),
)


def _is_random(text: str) -> bool:
    """Hexadecimal or base64 of 64 bits or more, and nothing else."""
    word = text.strip()
    return (
        len(word) >= 16 and len(set(word)) >= 8 and word.isalnum() and any(map(str.isdigit, word))
    )
