"""DWARF's forms, attributes and operations: how their bytes are read and what they are called.

Source: DWARF 5, section 7.5 "Format of Debugging Information" (tables 7.3 to 7.6) and 7.7.1
"DWARF Expressions" (table 7.9); GNU extensions as in binutils' `include/dwarf2.def`. Names of
values are those of pyelftools, which is imported when first asked.
"""

from collections.abc import Mapping
from functools import cache

UINT, ULEB, SLEB, STRING, BLOCK, EXPRESSION, STRING_AT, STRING_INDEX = range(8)
REFERENCE, SECTION_OFFSET, ADDRESS, ADDRESS_INDEX, CONSTANT, HEX, UNIT_REFERENCE = range(8, 15)
ELSEWHERE, INDIRECT, LIST_INDEX = range(15, 18)
"""Classes of values. STRING_AT is an offset of a string, UNIT_REFERENCE one of .debug_info,
REFERENCE one of the same unit, ELSEWHERE one of another file; LIST_INDEX counts lists."""

NAME, STMT_LIST, LOW_PC, HIGH_PC, COMP_DIR, PRODUCER = 0x03, 0x10, 0x11, 0x12, 0x1B, 0x25
ABSTRACT_ORIGIN, SPECIFICATION, TYPE, RANGES, LINKAGE_NAME = 0x31, 0x47, 0x49, 0x55, 0x6E
STR_OFFSETS_BASE, ADDR_BASE, RNGLISTS_BASE = 0x72, 0x73, 0x74
DWO_NAME, GNU_DWO_NAME, GNU_DWO_ID, GNU_ADDR_BASE = 0x76, 0x2130, 0x2131, 0x2133
MACROS = frozenset({0x43, 0x79, 0x2119})

# attributes that are offsets of another section where DWARF 2 and 3 write them as data4, data8
OLD_OFFSETS = frozenset(
    {0x02, 0x10, 0x19, 0x2A, 0x2C, 0x38, 0x40, 0x43, 0x46, 0x48, 0x4A, 0x4D, 0x50, 0x55}
)

# the values of these follow from others: offsets of tables, a digest of the unit
WITHOUT_VALUE = frozenset({GNU_DWO_ID})

WORD, ADDRESS_SIZE, LEB = -1, -2, 0
"""Sizes that the unit says: of an offset, of an address; LEB128."""

FORMS: Mapping[int, tuple[int, int]] = {
    0x01: (ADDRESS, ADDRESS_SIZE),
    0x03: (BLOCK, 2),
    0x04: (BLOCK, 4),
    0x05: (UINT, 2),
    0x06: (UINT, 4),
    0x07: (UINT, 8),
    0x08: (STRING, 0),
    0x09: (BLOCK, LEB),
    0x0A: (BLOCK, 1),
    0x0B: (UINT, 1),
    0x0C: (UINT, 1),
    0x0D: (SLEB, 0),
    0x0E: (STRING_AT, WORD),
    0x0F: (ULEB, 0),
    0x10: (UNIT_REFERENCE, WORD),
    0x11: (REFERENCE, 1),
    0x12: (REFERENCE, 2),
    0x13: (REFERENCE, 4),
    0x14: (REFERENCE, 8),
    0x15: (REFERENCE, LEB),
    0x16: (INDIRECT, 0),
    0x17: (SECTION_OFFSET, WORD),
    0x18: (EXPRESSION, LEB),
    0x19: (CONSTANT, 0),
    0x1A: (STRING_INDEX, LEB),
    0x1B: (ADDRESS_INDEX, LEB),
    0x1C: (ELSEWHERE, 4),
    0x1D: (ELSEWHERE, WORD),
    0x1E: (HEX, 16),
    0x1F: (STRING_AT, WORD),
    0x20: (HEX, 8),
    0x21: (CONSTANT, 0),
    0x22: (LIST_INDEX, LEB),
    0x23: (LIST_INDEX, LEB),
    0x24: (ELSEWHERE, 8),
    0x25: (STRING_INDEX, 1),
    0x26: (STRING_INDEX, 2),
    0x27: (STRING_INDEX, 3),
    0x28: (STRING_INDEX, 4),
    0x29: (ADDRESS_INDEX, 1),
    0x2A: (ADDRESS_INDEX, 2),
    0x2B: (ADDRESS_INDEX, 3),
    0x2C: (ADDRESS_INDEX, 4),
    0x1F01: (ADDRESS_INDEX, LEB),
    0x1F02: (STRING_INDEX, LEB),
    0x1F20: (ELSEWHERE, WORD),
    0x1F21: (ELSEWHERE, WORD),
}
FLAG_PRESENT, STRP, LINE_STRP, INDIRECT_FORM, IMPLICIT_CONST = 0x19, 0x0E, 0x1F, 0x16, 0x21

# operands of an operation: sizes of numbers, u and s (LEB128), b (a block), a (an address),
# o (an offset of a DIE, of the size of an offset), r (the same as LEB128)
OPERANDS: Mapping[int, str] = {
    0x03: "a",
    **dict(zip(range(0x08, 0x12), ("1", "1", "2", "2", "4", "4", "8", "8", "u", "s"), strict=True)),
    0x15: "1",
    0x23: "u",
    0x28: "2",
    0x2F: "2",
    **dict.fromkeys(range(0x70, 0x90), "s"),
    0x90: "u",
    0x91: "s",
    0x92: "us",
    0x93: "u",
    0x94: "1",
    0x95: "1",
    0x98: "2",
    0x99: "4",
    0x9A: "o",
    0x9D: "uu",
    0x9E: "b",
    0xA0: "os",
    0xA1: "u",
    0xA2: "u",
    0xA3: "b",
    0xA4: "rB",
    0xA5: "ur",
    0xA6: "1r",
    0xA7: "1r",
    0xA8: "r",
    0xA9: "r",
    0xF2: "os",
    0xF3: "b",
    0xF4: "rB",
    0xF5: "ur",
    0xF6: "1r",
    0xF7: "r",
    0xF9: "r",
    0xFA: "4",
    0xFB: "u",
    0xFC: "u",
    0xFD: "o",
}


@cache
def _names(what: str) -> Mapping[int, str]:
    from elftools.dwarf import dwarf_expr, enums  # noqa: PLC0415 - start-up time

    if what == "operation":
        return {value: name for name, value in dwarf_expr.DW_OP_name2opcode.items()}
    known = {"tag": enums.ENUM_DW_TAG, "attribute": enums.ENUM_DW_AT, "form": enums.ENUM_DW_FORM}
    out: dict[int, str] = {}
    for name, value in known[what].items():
        if isinstance(value, int) and not name.endswith(("_user", "_lo_user", "_hi_user")):
            out.setdefault(value, name)
    return out


@cache
def tag_name(value: int) -> str:
    """`DW_TAG_subprogram`, or the number."""
    return _names("tag").get(value) or f"DW_TAG_{value:#x}"


@cache
def attribute_name(value: int) -> str:
    """`DW_AT_name`, or the number."""
    return _names("attribute").get(value) or f"DW_AT_{value:#x}"


@cache
def form_name(value: int) -> str:
    """`DW_FORM_strp`, or the number."""
    return _names("form").get(value) or f"DW_FORM_{value:#x}"


@cache
def operation_name(value: int) -> str:
    """`DW_OP_fbreg`, or the number."""
    return _names("operation").get(value) or f"DW_OP_{value:#x}"
