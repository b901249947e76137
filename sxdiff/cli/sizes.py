"""Sizes as users write them: 15MB, 2GiB, 500k, or bytes without a unit."""

import re
from typing import Final

_UNITS: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 1 << 10,
    "mi": 1 << 20,
    "gi": 1 << 30,
    "ti": 1 << 40,
}
_SIZE: Final = re.compile(r"([0-9]{1,18}) ?([kmgt]i?)?b?", re.IGNORECASE | re.ASCII)
_BINARY: Final = ("Ti", "Gi", "Mi", "Ki")


def parsed(text: str) -> int | None:
    """The number of bytes that a size says; None where it is none."""
    found = _SIZE.fullmatch(text)
    return None if found is None else int(found[1]) * _UNITS[(found[2] or "").lower()]


def written(size: int) -> str:
    """A size as `parsed` reads it, in the largest binary unit of which it has a whole number."""
    for unit in _BINARY:
        if size and size % _UNITS[unit.lower()] == 0:
            return f"{size // _UNITS[unit.lower()]}{unit}B"
    return str(size)
