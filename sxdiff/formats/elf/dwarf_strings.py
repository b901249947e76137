"""Which attribute or line table entry a string of .debug_str and .debug_line_str belongs to.

Source: DWARF 5, sections 3.1.1 (the attributes of a unit) and 6.2.4 (its directories and files).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sxdiff.formats.elf import dwarf_schema as schema
from sxdiff.formats.elf.dwarf_data import Debug, debug
from sxdiff.formats.elf.dwarf_lines import named_programs, symbols_of_lines
from sxdiff.formats.elf.dwarf_units import named_units, symbols_of_units
from sxdiff.model import Symbol

if TYPE_CHECKING:
    from sxdiff.formats.elf.layout import ElfFile

STRINGS = frozenset({".debug_str", ".debug_line_str"})
MOST_USERS = 1 << 18
"""Users of strings of one file that are looked at; the strings of later ones have no name."""


def users_of_strings(elf: ElfFile) -> Callable[[str], Sequence[Symbol]]:
    """What gives symbols over the strings of a section of that name: `DW_AT_comp_dir of main.c`.
    Units and line tables are read when it is first asked."""
    return lambda name: _symbols(debug(elf), name)


def debug_symbols(elf: ElfFile, index: int) -> Sequence[Symbol]:
    """Symbols over a section: units, line tables and strings of debug information, else those of
    the symbol table."""
    name = elf.layout.sections[index].name
    base = name.removesuffix(".dwo")
    if base == ".debug_info":
        return symbols_of_units(elf, name)
    if base == ".debug_line":
        return symbols_of_lines(elf, name)
    if name in STRINGS:
        return users_of_strings(elf)(name)
    return elf.symbols(index)


def label_of_string(elf: ElfFile, name: str) -> Callable[[int], str]:
    """What gives the user of the string at an offset of the section `name`; empty where none
    is known."""
    users: Mapping[int, str] | None = None

    def label(at: int) -> str:
        nonlocal users
        if users is None:
            users = _users(debug(elf)).get(name, {})
        return users.get(at, "")

    return label


def _symbols(known: Debug, name: str) -> Sequence[Symbol]:
    content = known.content(name)
    found = sorted(_users(known).get(name, {}).items())
    return [Symbol(at, len(content.string(at).encode()) + 1, text) for at, text in found]


def _users(known: Debug) -> Mapping[str, Mapping[int, str]]:
    kept = known.kept.get("users of strings")
    if isinstance(kept, dict):
        return kept
    met: dict[str, dict[int, dict[str, list[str]]]] = {name: {} for name in STRINGS}
    count = 0
    for unit, named in named_units(known, ".debug_info"):
        for attribute, section, at in unit.string_places():
            what = schema.attribute_name(attribute)
            met.setdefault(section, {}).setdefault(at, {}).setdefault(what, []).append(named)
            count += 1
        if count > MOST_USERS:
            break
    for program, named in named_programs(known, ".debug_line"):
        for what, entries in (("directory", program.directories), ("file", program.files)):
            for number, entry in enumerate(entries):
                for section, at in entry.refers:
                    places = met.setdefault(section, {}).setdefault(at, {})
                    if not any(name.startswith("DW_AT") for name in places):
                        places.setdefault(f"{what} {number}", []).append(named)
                    count += 1
        if count > MOST_USERS:
            break
    out = {
        section: {at: _told(places) for at, places in found.items()}
        for section, found in met.items()
    }
    known.kept["users of strings"] = out
    return out


def _told(users: Mapping[str, Sequence[str]]) -> str:
    """The first use, and of how many units: `DW_AT_comp_dir of 12 units`."""
    what = min(users, key=lambda name: (not name.startswith("DW_AT"), name))
    names = list(dict.fromkeys(users[what]))
    return f"{what} of {names[0] if len(names) == 1 else f'{len(names)} units'}"
