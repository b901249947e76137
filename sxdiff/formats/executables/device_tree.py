"""Flattened device trees (.dtb) and U-Boot's FIT images: properties by path, images as streams.

Source: Devicetree Specification 0.4, chapter 5 "Flattened Devicetree (DTB) Format"; the flat
image tree specification (fitspec.osfw.foundation) for `data`, `data-offset`, `data-position`,
`timestamp` and hashes. All numbers are big-endian.
"""

import hashlib
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.digest import digest_of
from sxdiff.formats.record import Field, Record, hexadecimal, utc
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Listing,
    Member,
    Row,
    Scalar,
    Span,
    text_of,
)

MAGIC = b"\xd0\x0d\xfe\xed"
HEADER = Record(
    "device_tree",
    ">",
    (
        Field("magic", "4s", hexadecimal),
        Field("totalsize", "I", derived=True),
        Field("off_dt_struct", "I", derived=True),
        Field("off_dt_strings", "I", derived=True),
        Field("off_mem_rsvmap", "I", derived=True),
        Field("version", "I"),
        Field("last_comp_version", "I"),
        Field("boot_cpuid_phys", "I"),
        Field("size_dt_strings", "I", derived=True),
        Field("size_dt_struct", "I", derived=True),
    ),
)
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
DEEPEST = 64
MOST_BYTES = 256 << 20
MOST_RESERVATIONS = 4096
LONGEST = 1024
"""Longest property whose bytes are told; others by their digest."""
IMAGES = "/images/"
HASHES = ("/hash", "/signature")
ALGORITHMS = ("crc32", "md5", "sha1", "sha256", "sha384", "sha512")


class Property(NamedTuple):
    """A property: its path, name, the token's place, the value's span."""

    path: str
    name: str
    at: int
    value: Span


class DeviceTree:
    """Header, reservations, every property; a member for each image of a FIT."""

    name = "device_tree"

    def recognises(self, head: bytes) -> bool:
        """Magic number and version 17, which can be read as 16."""
        return len(head) >= HEADER.size and head.startswith(MAGIC) and head[20:28] == VERSIONS

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Header, then the blocks, then what a FIT keeps behind them."""
        header = {
            name: int.from_bytes(value, "big") if isinstance(value, bytes) else value
            for name, value in HEADER.read(blob, 0).items()
        }
        yield from HEADER.facts(blob, 0)
        yield from _reservations(blob, header["off_mem_rsvmap"])
        strings = header["off_dt_strings"], header["size_dt_strings"]
        names = blob.part(*strings).read()
        yield Member(
            "strings",
            blob.part(*strings),
            strings,
            "device_tree.strings",
            derived=True,
            inside=Listing("device_tree.strings", _string_rows),
        )
        structure = header["off_dt_struct"], header["size_dt_struct"]
        if structure[1] > MOST_BYTES:
            raise LimitError(f"structure of more than {MOST_BYTES} bytes")
        # a part, so that sizes and hashes follow from properties
        yield Member(
            "tree",
            blob.part(*structure),
            structure,
            "device_tree.structure",
            inside=Inside("device_tree", lambda part: _Tree(part, names).parts()),
        )
        yield from _outside(blob, _Tree(blob.part(*structure), names), header["totalsize"])


VERSIONS = bytes((0, 0, 0, 17, 0, 0, 0, 16))


def _reservations(blob: Blob, at: int) -> Iterator[Fact]:
    """Pairs of address and size up to one of zeros."""
    for number in range(1, MOST_RESERVATIONS):
        raw = blob.part(at, 16).read()
        told = f"{raw[:8].hex()} {raw[8:].hex()}"
        if not raw.strip(b"\0"):
            yield Fact("device_tree.reservations_end", told, (at, 16))
            return
        yield Fact("device_tree.reservation", told, (at, 16), f"reservation {number}")
        at += 16
    raise LimitError(f"more than {MOST_RESERVATIONS} reservations", at)


def _string_rows(blob: Blob) -> Iterator[Row]:
    data = blob.read()
    at = 0
    while at < len(data):
        end = data.find(b"\0", at)
        end = len(data) if end < 0 else end + 1
        yield Row((at, end - at), text_of(data[at:end]))
        at = end


class _Tree:
    """The structure block, whose properties' names lie in `names`."""

    def __init__(self, blob: Blob, names: bytes) -> None:
        self._blob = blob
        self._data = blob.read()
        self._names = names
        self._met: dict[str, int] = {}

    def parts(self) -> Iterator[Fact | Member]:
        """Facts for nodes and properties, members for the data of a FIT's images."""
        for item in self._walk():
            if isinstance(item, Fact):
                yield item
                continue
            name = self._unique(f"{item.path}{item.name}")
            start, size = item.value
            place = self._data[item.at : start].hex()
            yield Fact("device_tree.place", place, (item.at, start - item.at), name, derived=True)
            content = self._blob.part(start, size)
            if item.name == "data" and item.path.startswith(IMAGES):
                yield Member(name, content, item.value, "device_tree.data")
                continue
            if item.name == "timestamp" and size == 4:
                when = utc(int.from_bytes(content.read(), "big"))
                yield Fact("device_tree.timestamp", when, item.value, name)
                continue
            hashed = item.name == "value" and any(one in item.path for one in HASHES)
            follows = hashed or item.name in ("data-size", "data-offset", "data-position")
            right = partial(self._holds, item) if hashed else None
            yield Fact(
                "device_tree.property", _shown(content), item.value, name, follows, check=right
            )

    def _holds(self, said: Property) -> bool:
        """Whether a hash is that of the data of its image. Of signatures, and of data behind the
        tree, nothing can be said against them."""
        image = said.path.rstrip("/").rpartition("/")[0] + "/"
        data = algorithm = None
        for item in self.properties():
            raw = self._data[item.value[0] : sum(item.value)]
            if (item.path, item.name) == (image, "data"):
                data = raw
            elif (item.path, item.name) == (said.path, "algo"):
                algorithm = raw.rstrip(b"\0").decode("ascii", "replace")
        if data is None or algorithm not in ALGORITHMS:
            return True
        value = self._data[said.value[0] : sum(said.value)]
        if algorithm == "crc32":
            return value == zlib.crc32(data).to_bytes(4, "big")
        return value == hashlib.new(algorithm, data, usedforsecurity=False).digest()

    def properties(self) -> Iterator[Property]:
        return (item for item in self._walk() if isinstance(item, Property))

    def number(self, span: Span) -> int:
        return int.from_bytes(self._data[span[0] : sum(span)], "big")

    def _walk(self) -> Iterator[Fact | Property]:
        at, way = 0, [""]
        while True:
            token = self._word(at)
            if token == BEGIN_NODE:
                end = self._data.find(b"\0", at + 4)
                if end < 0 or len(way) > DEEPEST:
                    raise FormatError("node without an end, or nested too deep", at)
                name = text_of(self._data[at + 4 : end])
                way.append(f"{way[-1]}{name}/")
                size = -(-(end + 1 - at) // 4) * 4
                padding = self._data[end : at + size].hex()
                path = way[-1]
                yield Fact("device_tree.node", f"{name} {padding}", (at, size), path)
                at += size
            elif token == END_NODE and len(way) > 1:
                yield Fact("device_tree.end", token, (at, 4), way.pop())
                at += 4
            elif token == PROP:
                size, name_at = self._word(at + 4), self._word(at + 8)
                end = self._names.find(b"\0", name_at)
                if end < 0 or at + 12 + size > len(self._data):
                    raise FormatError("property without a name or behind the end", at)
                name = text_of(self._names[name_at:end])
                yield Property(way[-1], name, at, (at + 12, size))
                at += 12 + -(-size // 4) * 4
            elif token == NOP:
                at += 4
            elif token == END and len(way) == 1:
                yield Fact("device_tree.tree_end", token, (at, 4))
                return
            else:
                raise FormatError(f"no token {token} of a structure here", at)

    def _word(self, at: int) -> int:
        if at + 4 > len(self._data):
            raise FormatError("structure ends early", at)
        return int.from_bytes(self._data[at : at + 4], "big")

    def _unique(self, name: str) -> str:
        met = self._met[name] = self._met.get(name, 0) + 1
        return name if met == 1 else f"{name} #{met}"


def _shown(content: Blob) -> Scalar:
    """Strings where it is nothing else, cells where it is not, a digest where it is long."""
    if content.size > LONGEST:
        return digest_of(content)
    raw = content.read()
    strings = raw[:-1].split(b"\0")
    if raw.endswith(b"\0") and all(
        one and all(0x20 <= byte < 0x7F for byte in one) for one in strings
    ):
        return ", ".join(f'"{one.decode()}"' for one in strings)
    return raw.hex(" ", 4 if len(raw) % 4 == 0 and raw else 1)


def _outside(blob: Blob, tree: _Tree, total: int) -> Iterator[Member]:
    """Data that a FIT keeps behind the tree, aligned to four bytes."""
    if total >= blob.size:
        return
    places: dict[str, dict[str, int]] = {}
    for found in tree.properties():
        if found.path.startswith(IMAGES) and found.value[1] == 4:
            places.setdefault(found.path, {})[found.name] = tree.number(found.value)
    for path, numbers in places.items():
        if "data-size" not in numbers:
            continue
        at = numbers.get("data-position", -1)
        if "data-offset" in numbers:
            at = -(-total // 4) * 4 + numbers["data-offset"]
        span = at, numbers["data-size"]
        if at >= 0 and span[1]:
            yield Member(f"{path}data", blob.part(*span), span, "device_tree.data")
