"""Fixed records as tables: a header's fields as its specification prints them, told as facts."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple, TypeAlias

from sxdiff.model import Blob, Fact, FormatError, Scalar, text_of

Raw: TypeAlias = int | bytes
Show: TypeAlias = Callable[[Raw], Scalar]


def plain(value: Raw) -> Scalar:
    """A number as it is, bytes as report text."""
    return text_of(value) if isinstance(value, bytes) else value


def hexadecimal(value: Raw) -> Scalar:
    """A number as `0x...`, bytes as hex digits."""
    return value.hex() if isinstance(value, bytes) else f"{value:#x}"


def utc(value: Raw) -> Scalar:
    """Seconds since 1970 as `2026-01-02T03:04:05Z`; the bare number where that is no date."""
    try:
        told = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(value))
    except (OverflowError, ValueError):
        return plain(value)
    return told.strftime("%Y-%m-%dT%H:%M:%SZ")


def named(names: Mapping[int, str]) -> Show:
    """A number by its name, or as it is where it has none."""
    return lambda value: names.get(int(value), value if isinstance(value, int) else None)


class Field(NamedTuple):
    """One line of a table: name, struct code ("I", "H", "4s"), how to show it, and whether it
    follows from other bytes (a size, a checksum)."""

    name: str
    code: str
    show: Show = plain
    derived: bool = False


@dataclass(frozen=True)
class Record:
    """A table of fields without gaps; `kind` starts the facts' kinds (`png.header`).

    `order` is struct's: "<" little-endian, ">" big-endian.
    """

    kind: str
    order: str
    fields: tuple[Field, ...]

    @cached_property
    def row(self) -> struct.Struct:
        return struct.Struct(self.order + "".join(field.code for field in self.fields))

    @property
    def size(self) -> int:
        """Bytes of one record."""
        return self.row.size

    def read(self, blob: Blob, at: int) -> dict[str, Raw]:
        """The record at `at`, by field name. Raises `FormatError` where it lies outside."""
        return self.values(blob.part(at, self.size).read())

    def values(self, data: bytes) -> dict[str, Raw]:
        """The record that `data` starts with, by field name."""
        if len(data) < self.size:
            raise FormatError(f"{self.kind}: {len(data)} of {self.size} bytes")
        found = self.row.unpack_from(data)
        return dict(zip((field.name for field in self.fields), found, strict=True))

    def number(self, blob: Blob, at: int, name: str) -> int:
        """One number of the record at `at`."""
        value = self.read(blob, at)[name]
        assert isinstance(value, int)  # noqa: S101 - the table's author chose the code
        return value

    def facts(self, blob: Blob, at: int, name: str = "") -> Iterator[Fact]:
        """Each field of the record at `at` as a fact `{kind}.{field}` of `name`."""
        found = self.row.unpack(blob.part(at, self.size).read())
        for field, value in zip(self.fields, found, strict=True):
            size = struct.calcsize(self.order + field.code)
            yield Fact(
                f"{self.kind}.{field.name}", field.show(value), (at, size), name, field.derived
            )
            at += size
