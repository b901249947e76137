"""What strip(1) takes out of a program: sections that no segment holds, all on one side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sxdiff.compare import ranges
from sxdiff.compare.pair import Pairing, Part
from sxdiff.compare.untold import KIND as UNTOLD
from sxdiff.model import Blob, Difference, Fact, Member, Span, Value

KIND = "elf.stripped"
_NAMES = re.compile(
    r"\.(?:symtab|symtab_shndx|strtab|comment|z?debug_(?:info|abbrev|line|line_str|str|str_offsets"
    r"|addr|aranges|loc|loclists|ranges|rnglists|frame|pubnames|pubtypes|gnu_pubnames|gnu_pubtypes"
    r"|macro|macinfo|types|names))\Z"
)
_SIGNS = frozenset({".symtab", ".debug_info", ".zdebug_info"})
"""One of these is there: what else strip takes out says nothing without it."""
_TYPES = frozenset({"SHT_PROGBITS", "SHT_SYMTAB", "SHT_STRTAB", "SHT_SYMTAB_SHNDX"})
_FLAGS = frozenset({"MERGE", "STRINGS", "COMPRESSED", "0"})
_PROGRAMS = (2, 3)
"""ET_EXEC and ET_DYN (gABI, "ELF Header"): of an object file the linker needs the symbols."""
_FOLLOWS = frozenset({"elf.header.e_shoff", "elf.header.e_shnum", "elf.section.sh_name"})
"""What else differs: where and how many the headers of sections are, and where their names are."""
_TABLE = ".shstrtab"
_OF_TABLE = frozenset({"elf.section.sh_offset", "elf.section.sh_size"})
_LARGEST_GAP = 63
"""Zeros between two sections, for the alignment of the second one."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """The sections that only `side` has: their names, what lies in the file for them, and how far
    what lies behind them may be moved by them."""

    side: int
    names: Sequence[str]
    spans: Sequence[Span]
    far: range

    def told(self) -> Difference:
        """The one difference that these sections are."""
        bare, more = Value("stripped"), Value(" ".join(self.names))
        a, b = (more, bare) if self.side == 0 else (bare, more)
        return Difference(KIND, a, b, bytes=sum(size for _, size in self.spans))


def stripped(a: Blob, b: Blob, paired: Pairing) -> Stripped | None:
    """Two programs of which one has sections more that strip takes out, and lacks none.

    None where a section is missing for another reason (one that is loaded, or of another name),
    or where anything differs in what is loaded or in other sections.
    """
    if bool(paired.alone_a) == bool(paired.alone_b):
        return None
    side, lone, blob = (0, paired.alone_a, a) if paired.alone_a else (1, paired.alone_b, b)
    if not _is_program(a) or not _is_program(b) or _SIGNS.isdisjoint(lone):
        return None
    if not all(_NAMES.match(name) and _is_taken_out(parts) for name, parts in lone.items()):
        return None
    if paired.moved_a or not _only_follow(paired, frozenset(lone), side):
        return None
    parts = [part for some in lone.values() for part in some if part.at]
    contents = [part.at for part in parts if isinstance(part, Member) and part.at]
    if not contents:
        return None
    start, end = min(at for at, _ in contents), max(map(sum, contents))
    before = blob.read(max(0, start - _LARGEST_GAP), min(start, _LARGEST_GAP))
    gap = len(before) - len(before.rstrip(b"\0"))
    spans = [part.at for part in parts if part.at]
    return Stripped(side, sorted(lone), spans, range(end - start, end - start + gap + 1))


def _only_follow(paired: Pairing, lone: frozenset[str], side: int) -> bool:
    """Whether all else that differs must differ where these sections come or go."""
    for facts in paired.facts:
        for fact in facts:
            if fact is None or not (
                fact.kind in _FOLLOWS or (fact.name == _TABLE and fact.kind in _OF_TABLE)
            ):
                return False
    for members in paired.members:
        if members[0].kind == UNTOLD:
            continue
        one, two = (member.content for member in members)
        if not isinstance(one, Blob) or not isinstance(two, Blob):
            return False
        if members[0].name == _TABLE:
            names = [set(blob.read().decode("latin-1").split("\0")) for blob in (one, two)]
            if names[1 - side] - names[side] or names[side] - names[1 - side] - lone:
                return False
        elif not ranges.equal(one, two):
            return False
    return True


def _is_program(blob: Blob) -> bool:
    head = blob.read(0, 18)
    return int.from_bytes(head[16:18], "big" if head[5:6] == b"\2" else "little") in _PROGRAMS


def _is_taken_out(parts: Sequence[Part]) -> bool:
    """Whether a section is of the sort that strip takes out: not loaded, at no address."""
    facts = {part.kind.rpartition(".")[2]: part.value for part in parts if isinstance(part, Fact)}
    flags = str(facts.get("sh_flags")).split("|")
    return (
        facts.get("sh_type") in _TYPES
        and _FLAGS.issuperset(flags)
        and facts.get("sh_addr") == "0x0"
    )
