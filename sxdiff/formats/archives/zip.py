"""Zip archives: jar, wheel, epub, OpenDocument, Android packages and all the others.

Sources: PKWARE APPNOTE 6.3.10 (sections 4.3 to 4.6); Info-ZIP's proginfo/extrafld.txt for extra
fields; Android's "APK Signature Scheme v2" for the signing block and apksig for 0xd935.

What both directories say is told of the central one; a local header's field that says the same
is told as `SAME`. Places and packed sizes that are just what the layout asks for are told as
`LAID_OUT`, so that another packing of one entry is not told again by every entry behind it.
"""

import bz2
import io
import lzma
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from zlib_ng import zlib_ng

from sxdiff.formats.compression.deflate import PACKED, UNPACKED, inflate
from sxdiff.formats.digest import crc32_of, digest_of
from sxdiff.formats.record import Field, Raw, Record, hexadecimal, named, plain, utc
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Scalar, Span, text_of

LOCAL_MAGIC, CENTRAL_MAGIC, END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
SPLIT_MAGIC, DESCRIPTOR_MAGIC = b"PK\x07\x08", b"PK\x07\x08"
END64_MAGIC, LOCATOR_MAGIC, SIGNATURE_MAGIC = b"PK\x06\x06", b"PK\x06\x07", b"PK\x05\x05"
SAME = "as in the central directory"
LAID_OUT = "as laid out"
END_SIZE, LONGEST_COMMENT = 22, 0xFFFF
LONGEST_LINE = 512
UNPACKING_MEMORY = 256 << 20
"""Memory that LZMA or Zstandard may ask for: more than any archiver's window."""
ENCRYPTED, DESCRIPTOR = 1, 8
STORED, DEFLATED, BZIP2, LZMA, ZSTANDARD, XZ = 0, 8, 12, 14, 93, 95
METHODS = {
    STORED: "stored",
    1: "shrunk",
    6: "imploded",
    DEFLATED: "deflate",
    9: "deflate64",
    BZIP2: "bzip2",
    LZMA: "lzma",
    20: "zstandard (old number)",
    ZSTANDARD: "zstandard",
    XZ: "xz",
    98: "ppmd",
    99: "aes",
}
HOSTS = {
    0: "FAT",
    3: "Unix",
    6: "HPFS",
    7: "Macintosh",
    10: "NTFS",
    11: "MVS",
    14: "VFAT",
    19: "OS X",
}


def _version(value: Raw) -> Scalar:
    return f"{int(value) // 10}.{int(value) % 10}"


def _octal(value: Raw) -> Scalar:
    return f"{int(value):06o}"


def _crc(value: Raw) -> Scalar:
    return f"{int(value):08x}"


@lru_cache(4096)
def dos_time(value: Raw) -> Scalar:
    """MS-DOS date (high) and time (low): local time of the builder, in steps of two seconds."""
    date, time = int(value) >> 16, int(value) & 0xFFFF
    return (
        f"{1980 + (date >> 9)}-{date >> 5 & 15:02d}-{date & 31:02d} "
        f"{time >> 11:02d}:{time >> 5 & 63:02d}:{(time & 31) * 2:02d}"
    )


CENTRAL = Record(
    "zip",
    "<",
    (
        Field("signature", "4s", hexadecimal),
        Field("made_by", "B", _version),
        Field("host", "B", named(HOSTS)),
        Field("needed", "H", _version),
        Field("flags", "H", hexadecimal),
        Field("method", "H", named(METHODS)),
        Field("mtime", "I", dos_time),
        Field("crc32", "I", _crc, True),
        Field("packed_size", "I", plain, True),
        Field("size", "I", plain, True),
        Field("name_size", "H"),
        Field("extra_size", "H"),
        Field("comment_size", "H"),
        Field("disk", "H"),
        Field("internal_attributes", "H", hexadecimal),
        Field("dos_attributes", "H", hexadecimal),
        Field("mode", "H", _octal),
        Field("offset", "I", plain, True),
    ),
)
LOCAL = Record(
    "zip.local",
    "<",
    (
        Field("signature", "4s", hexadecimal),
        Field("needed", "H", _version),
        Field("flags", "H", hexadecimal),
        Field("method", "H", named(METHODS)),
        Field("mtime", "I", dos_time),
        Field("crc32", "I", _crc, True),
        Field("packed_size", "I", plain, True),
        Field("size", "I", plain, True),
        Field("name_size", "H"),
        Field("extra_size", "H"),
    ),
)
END = Record(
    "zip.end",
    "<",
    (
        Field("signature", "4s", hexadecimal),
        Field("disk", "H"),
        Field("directory_disk", "H"),
        Field("entries_here", "H", plain, True),
        Field("entries", "H", plain, True),
        Field("directory_size", "I", plain, True),
        Field("directory_offset", "I", plain, True),
        Field("comment_size", "H"),
    ),
)
END64 = Record(
    "zip.end64",
    "<",
    (
        Field("signature", "4s", hexadecimal),
        Field("record_size", "Q"),
        Field("made_by", "B", _version),
        Field("host", "B", named(HOSTS)),
        Field("needed", "H", _version),
        Field("disk", "I"),
        Field("directory_disk", "I"),
        Field("entries_here", "Q", plain, True),
        Field("entries", "Q", plain, True),
        Field("directory_size", "Q", plain, True),
        Field("directory_offset", "Q", plain, True),
    ),
)
LOCATOR = Record(
    "zip.locator64",
    "<",
    (
        Field("signature", "4s", hexadecimal),
        Field("disk", "I"),
        Field("offset", "Q", plain, True),
        Field("disks", "I"),
    ),
)
SIZES = frozenset({"name_size", "extra_size", "comment_size"})
"""Sizes of fields that are told whole, and so tell their sizes."""
ABSENT = {"crc32": (0,), "size": (0, 0xFFFFFFFF), "packed_size": (0, 0xFFFFFFFF)}
"""What a local header may say where another place has the number."""
SUMS = frozenset({"zip.crc32", "zip.size", "zip.packed_size", "zip.zip64_size"})
"""What the content of an entry must bear out."""
SIZES_OF = {"B": 1, "H": 2, "I": 4, "Q": 8, "4s": 4}
ZEROS: dict[str, Scalar] = {"disk": 0, "internal_attributes": "0x0", "dos_attributes": "0x0"}
"""What most archives say, and is told only where it is something else."""
LARGEST_DIRECTORY = 256 << 20


class Part(NamedTuple):
    """One told piece of an entry, whichever directory it stands in: name of the fact without
    its `zip.`, value, span, and whether it follows from other bytes."""

    kind: str
    value: Scalar
    at: Span
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the end records say that the central directory lies, and how far all is shifted."""

    at: int
    size: int
    base: int
    end: int
    end64: int | None
    locator: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: both its headers, and where its data and its descriptor lie in the stream."""

    name: str
    central: "_Headers"
    local: "_Headers"
    data: Span
    descriptor: Span

    @property
    def fields(self) -> dict[str, int]:
        return self.central.fields

    @property
    def local_at(self) -> int:
        return self.local.at

    @property
    def end(self) -> int:
        return sum(self.descriptor)


class Zip:
    """Both headers of each entry, contents unpacked, end records."""

    name = "zip"

    def recognises(self, head: bytes) -> bool:
        """A local header of known version first, or an archive without any entry; also behind a
        line that says what runs it (PEP 441)."""
        head = head.removeprefix(SPLIT_MAGIC)
        head = head[_script(head) :]
        if head.startswith(END_MAGIC):
            return len(head) >= END_SIZE and not any(head[4:12])
        return len(head) >= 30 and head.startswith(LOCAL_MAGIC) and head[4] < 100

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Entries in the order of the central directory, then the end records."""
        directory = _directory(blob)
        if blob.read(0, 4) == SPLIT_MAGIC:
            yield Fact("zip.split", SPLIT_MAGIC.hex(), (0, 4))
        if script := _script(blob.read(0, LONGEST_LINE)):
            yield Fact("zip.interpreter", text_of(blob.read(0, script - 1)), (0, script))
        entries = list(_entries(blob, directory))
        signing = _signing_block(blob, directory)
        places = _places(entries, signing[0] if signing else directory.at)
        for entry in entries:
            sums = _Sums(blob, entry, limits)
            for fact in _told(blob, entry, places, directory.base):
                yield _borne_out(fact, sums) if fact.kind in SUMS else fact
            yield from _content(blob, entry, limits, sums)
        if signing:
            yield from _signing_parts(blob, signing)
        yield from _end(blob, directory, entries)


def _script(head: bytes) -> int:
    """Bytes of a first line `#!...` in front of an archive."""
    end = head.find(b"\n", 0, LONGEST_LINE) + 1
    return end if head.startswith(b"#!") and head.startswith(LOCAL_MAGIC, end) else 0


def _directory(blob: Blob) -> Directory:
    """The end record is the last one whose comment reaches the end, or else the last one."""
    start = max(0, blob.size - END_SIZE - LONGEST_COMMENT)
    tail = blob.read(start)
    found = end = tail.rfind(END_MAGIC, 0, max(0, len(tail) - END_SIZE + 4))
    while found >= 0:
        comment = int.from_bytes(tail[found + 20 : found + 22], "little")
        if found + END_SIZE + comment == len(tail):
            end = found
            break
        found = tail.rfind(END_MAGIC, 0, found)
    if end < 0:
        raise FormatError("no end of central directory", blob.size)
    end += start
    fields = _numbers(END, blob, end)
    size, offset = fields["directory_size"], fields["directory_offset"]
    before, end64, locator = end, None, None
    if end >= LOCATOR.size and blob.read(end - LOCATOR.size, 4) == LOCATOR_MAGIC:
        locator = end - LOCATOR.size
        end64 = _numbers(LOCATOR, blob, locator)["offset"]
        if blob.read(end64, 4) != END64_MAGIC:
            end64 = locator - END64.size
        if end64 < 0 or blob.read(end64, 4) != END64_MAGIC:
            raise FormatError("no zip64 end record where its locator says", locator)
        larger = _numbers(END64, blob, end64)
        size, offset = larger["directory_size"], larger["directory_offset"]
        before = end64
    base = before - size - offset
    if base < 0 or blob.read(offset, 4) in (CENTRAL_MAGIC, END_MAGIC, END64_MAGIC):
        base = 0
    blob.part(base + offset, size)
    return Directory(base + offset, size, base, end, end64, locator)


def _numbers(record: Record, blob: Blob, at: int) -> dict[str, int]:
    return {name: value for name, value in record.read(blob, at).items() if isinstance(value, int)}


def _entries(blob: Blob, directory: Directory) -> Iterator[Entry]:
    """Each entry of the central directory, with its local header."""
    if directory.size > LARGEST_DIRECTORY:
        raise LimitError(f"central directory of {directory.size} bytes", directory.at)
    central = blob.part(directory.at, directory.size).read()
    met: dict[str, int] = {}
    at = packed = 0
    with blob.open() as stream:
        while central.startswith(CENTRAL_MAGIC, at):
            headers = _Headers(CENTRAL, central, at, directory.at)
            fields = headers.fields
            fields |= {
                part.kind[6:]: part.value
                for part in headers.parts
                if part.kind.startswith("zip64_") and isinstance(part.value, int)
            }
            name = headers.name or "entry without a name"
            met[name] = met.get(name, 0) + 1
            if met[name] > 1:
                name = f"{name} #{met[name]}"
            packed += fields["packed_size"]
            if packed > blob.size:
                raise FormatError("packed sizes of more bytes than the archive has", at)
            local_at = directory.base + fields["offset"]
            blob.part(local_at, LOCAL.size)
            stream.seek(local_at)
            raw = stream.read(LOCAL.size)
            if not raw.startswith(LOCAL_MAGIC):
                raise FormatError(f"no local header of {name!r}", local_at)
            raw += stream.read(sum(struct.unpack("<HH", raw[26:30])))
            local = _Headers(LOCAL, raw, 0, local_at)
            data = (local_at + local.size, fields["packed_size"])
            blob.part(*data)
            end = sum(data)
            marked = local.fields["flags"] & DESCRIPTOR
            descriptor = _descriptor(blob, fields, end) if marked else 0
            yield Entry(name, headers, local, data, (end, descriptor))
            at += headers.size


class _Headers:
    """One header of either directory in `data` at `at`: fields, name, extra fields, comment.

    `base` is where `data` starts in the stream.
    """

    __slots__ = ("at", "fields", "name", "parts", "raw", "size")

    def __init__(self, record: Record, data: bytes, at: int, base: int) -> None:
        if at + record.size > len(data):
            raise FormatError("header ends early", base + at)
        self.at = base + at
        self.raw = record.row.unpack_from(data, at)
        pairs = zip(record.fields, self.raw, strict=True)
        self.fields = {field.name: value for field, value in pairs if isinstance(value, int)}
        name_size, extra_size = self.fields["name_size"], self.fields["extra_size"]
        comment_size = self.fields.get("comment_size", 0)
        start = at + record.size
        self.size = record.size + name_size + extra_size + comment_size
        if at + self.size > len(data):
            raise FormatError("header of more bytes than there are", base + at)
        self.name = text_of(data[start : start + name_size])
        self.parts = [Part("name", self.name, (base + start, name_size))] if name_size else []
        start += name_size
        if extra_size:
            extra = data[start : start + extra_size]
            self.parts += _extras(extra, base + start, self.fields)
        start += extra_size
        if comment_size:
            comment = text_of(data[start : start + comment_size])
            self.parts.append(Part("comment", comment, (base + start, comment_size)))

    @property
    def span(self) -> Span:
        return self.at, self.size


def _descriptor(blob: Blob, fields: dict[str, int], at: int) -> int:
    """Size of the data descriptor at `at`: with or without a signature, with sizes of 4 or 8
    bytes, whichever says what the central directory says (APPNOTE 4.3.9)."""
    raw = blob.read(at, 24)
    for signature in (DESCRIPTOR_MAGIC, b""):
        for code in ("<III", "<IQQ"):
            size = struct.calcsize(code)
            if raw.startswith(signature) and len(raw) >= len(signature) + size:
                found = struct.unpack_from(code, raw, len(signature))
                if found == (fields["crc32"], fields["packed_size"], fields["size"]):
                    return len(signature) + size
    return 16 if raw.startswith(DESCRIPTOR_MAGIC) and len(raw) >= 16 else 0


def _places(entries: Sequence[Entry], end: int) -> dict[int, tuple[bool, bool]]:
    """Of each central header's place: whether the entry starts where the one before it ends, and
    whether it ends where the next one starts."""
    out: dict[int, tuple[bool, bool]] = {}
    laid = sorted(entries, key=lambda entry: entry.local_at)
    in_order = {id(two): id(one) for one, two in pairwise(entries)}
    for number, entry in enumerate(laid):
        before = laid[number - 1] if number else None
        after = laid[number + 1].local_at if number + 1 < len(laid) else end
        follows = (
            before.end == entry.local_at and in_order.get(id(entry)) == id(before)
            if before
            else entry.local_at in (0, 4) and entry is entries[0]
        )
        out[id(entry)] = follows, entry.end == after
    return out


def _told(
    blob: Blob, entry: Entry, places: dict[int, tuple[bool, bool]], base: int
) -> Iterator[Fact]:
    """The central header, then what the local header says otherwise, then the descriptor."""
    in_place, ends = places[id(entry)]
    name, central, local = entry.name, entry.central, entry.local
    # the name is what the entry pairs by
    usual = {"signature", "name", *SIZES}
    if in_place and not base:
        usual.add("offset")
    if ends:
        usual.add("packed_size")
    # what is usual is told by these two, as there is no fact of its own
    again = tuple(part.at for part in _parts(CENTRAL, central) if part.kind in usual)
    yield Fact("zip.entry", LAID_OUT, central.span, name, follows=again)
    values: dict[str, list[Scalar]] = {}
    for part in _parts(CENTRAL, central):
        values.setdefault(part.kind, []).append(part.value)
        if part.kind in usual or (part.kind in ZEROS and part.value == ZEROS[part.kind]):
            continue
        value = _relative_time(entry) if part.kind == "mtime" else part.value
        yield Fact(f"zip.{part.kind}", value, part.at, name, part.derived)
    otherwise: list[Fact] = []
    extras = [part.value for part in local.parts if part.kind == "extra"]
    if extras != values.get("extra", []):
        start = local.at + LOCAL.size + local.fields["name_size"]
        told = ", ".join(map(str, extras))
        span = (start, local.fields["extra_size"])
        otherwise.append(Fact("zip.local.extra", told, span, name))
    repeats: list[Span] = []
    for part in _parts(LOCAL, local):
        same = values.get(part.kind)
        if part.kind in SIZES or part.kind in ("signature", "extra"):
            repeats.append(part.at)
        elif same and same[0] == part.value:
            same.pop(0)
            repeats.append(part.at)
        else:
            kind = f"zip.local.{part.kind}"
            # zeros where the descriptor has it, ones where the zip64 field has it
            absent = part.kind in ABSENT and local.fields[part.kind] in ABSENT[part.kind]
            derived = part.derived and (absent or part.kind not in ABSENT)
            otherwise.append(Fact(kind, part.value, part.at, name, derived))
    yield Fact("zip.local", SAME, local.span, name, follows=tuple(repeats))
    yield from otherwise
    at, size = entry.descriptor
    if size:
        raw = blob.part(at, size).read()
        marked = raw.startswith(DESCRIPTOR_MAGIC) and size in (16, 24)
        found = struct.unpack("<III" if size < 20 else "<IQQ", raw[4:] if marked else raw)
        fields = entry.fields
        right = found == (fields["crc32"], fields["packed_size"], fields["size"])
        style = f"{size} bytes, {'with' if marked else 'without'} signature"
        said = SAME if right else f"{found[0]:08x}, {found[1]}, {found[2]}"
        span = (at, size)
        follows = (span,) if right else ()
        yield Fact("zip.descriptor", f"{style}: {said}", span, name, right, follows)


def _parts(record: Record, headers: "_Headers") -> Iterator[Part]:
    """The fields of a header with their places, then what follows them."""
    at = headers.at
    for field, value in zip(record.fields, headers.raw, strict=True):
        size = SIZES_OF[field.code]
        yield Part(field.name, field.show(value), (at, size), field.derived)
        at += size
    yield from headers.parts


def _relative_time(entry: Entry) -> Scalar:
    """The local time by the time zone that lies between it and the extended time stamp, if there
    is one: so one time is not told twice, and another zone is told as what it is."""
    known = next((part.value for part in entry.local.parts if part.kind == "extended_mtime"), "")
    return _in_zone(entry.fields["mtime"], f"{known}")


@lru_cache(4096)
def _in_zone(dos: int, known: str) -> Scalar:
    told = dos_time(dos)
    try:
        utc_time = datetime.strptime(known, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        local_time = datetime.strptime(str(told), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return told
    distance = int((local_time - utc_time).total_seconds())
    rounding = ""
    if distance % 2:  # an odd second: Info-ZIP rounds it up, others down
        rounding = ", rounded down" if (distance + 1) % 900 == 0 else ""
        distance += 1 if rounding else -1
    if distance % 900 or abs(distance) > 14 * 3600:
        return told
    hours, minutes = divmod(abs(distance) // 60, 60)
    sign = "-" if distance < 0 else "+"
    return f"extended_mtime in UTC{sign}{hours:02d}:{minutes:02d}{rounding}"


_utc = lru_cache(4096)(utc)
"""Many entries have one time."""


def _extras(data: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    """Each extra field (APPNOTE 4.5): its header, then what it holds; the rest is padding."""
    size = len(data)
    place = 0
    while place + 4 <= size:
        number, length = struct.unpack_from("<HH", data, place)
        if place + 4 + length > size or not number:
            break
        known, read = EXTRAS.get(number, (f"{number:#06x}", _plain_extra))
        yield Part("extra", f"{known}, {length} bytes", (at + place, 4))
        raw = data[place + 4 : place + 4 + length]
        try:
            told = list(read(raw, at + place + 4, fields))
        except (struct.error, IndexError):
            told = []
        told_size = sum(part.at[1] for part in told)
        if told_size < length:
            rest = raw[told_size:]
            told.append(
                Part(
                    "extra_rest", f"{known}: {rest.hex()}", (at + place + 4 + told_size, len(rest))
                )
            )
        yield from told
        place += 4 + length
    if place < size:
        yield _padding(data[place:], at + place)


def _padding(raw: bytes, at: int) -> Part:
    said = raw.hex() if any(raw) else f"{len(raw)} zeros"
    # zipalign fills up to the next boundary
    return Part("padding", said, (at, len(raw)), derived=not any(raw))


Reader = Callable[[bytes, int, dict[str, int]], Iterator[Part]]


def _plain_extra(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    del raw, at, fields
    return iter(())


def _zip64(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    place = 0
    for name, code, marker in (
        ("size", "<Q", 0xFFFFFFFF),
        ("packed_size", "<Q", 0xFFFFFFFF),
        ("offset", "<Q", 0xFFFFFFFF),
        ("disk", "<I", 0xFFFF),
    ):
        if fields.get(name) == marker:
            size = struct.calcsize(code)
            (value,) = struct.unpack_from(code, raw, place)
            yield Part(f"zip64_{name}", value, (at + place, size), derived=True)
            place += size


def _extended_time(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    del fields
    yield Part("extended_times", f"{raw[0]:#x}", (at, 1))
    place = 1
    for bit, name in enumerate(("mtime", "atime", "ctime")):
        # the central directory says which times are there, but holds only the first
        if raw[0] >> bit & 1 and place < len(raw):
            (value,) = struct.unpack_from("<i", raw, place)
            yield Part(f"extended_{name}", _utc(value), (at + place, 4))
            place += 4


def _ntfs(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    del fields
    if raw[4:8] != b"\1\0\x18\0" or len(raw) < 32:
        return
    yield Part("ntfs", raw[:8].hex(), (at, 8))
    for place, name in ((8, "mtime"), (16, "atime"), (24, "ctime")):
        (value,) = struct.unpack_from("<Q", raw, place)
        seconds, ticks = divmod(value, 10**7)
        told = f"{_utc(seconds - 11_644_473_600)} and {ticks * 100} ns"
        yield Part(f"ntfs_{name}", told, (at + place, 8))


def _unix(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    """Info-ZIP "ux": version, then numbers of any size."""
    del fields
    sizes = raw[1], raw[2 + raw[1]]
    if raw[0] != 1 or len(raw) != 3 + sum(sizes):
        return
    yield Part("unix_version", raw[0], (at, 1))
    place = 1
    for name, size in zip(("uid", "gid"), sizes, strict=True):
        value = int.from_bytes(raw[place + 1 : place + 1 + size], "little")
        said: Scalar = value if size == 4 else f"{value} in {size} bytes"
        yield Part(f"unix_{name}", said, (at + place, 1 + size))
        place += 1 + size


def _old_unix(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    """Info-ZIP "UX": two times, and in the local header two owners."""
    del fields
    for place, name in ((0, "atime"), (4, "mtime")):
        yield Part(f"unix_{name}", _utc(struct.unpack_from("<i", raw, place)[0]), (at + place, 4))
    if len(raw) >= 12:
        yield from _owners(raw, at, 8)


def _short_unix(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    """Info-ZIP "Ux": owners of two bytes, none in the central directory."""
    del fields
    if raw:
        yield from _owners(raw, at, 0)


def _owners(raw: bytes, at: int, place: int) -> Iterator[Part]:
    for name in ("uid", "gid"):
        yield Part(f"unix_{name}", struct.unpack_from("<H", raw, place)[0], (at + place, 2))
        place += 2


def _unicode(name: str) -> Reader:
    def read(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
        del fields
        (crc,) = struct.unpack_from("<I", raw, 1)
        yield Part("unicode_version", raw[0], (at, 1))
        yield Part("unicode_crc32", f"{crc:08x}", (at + 1, 4))
        yield Part(name, text_of(raw[5:]), (at + 5, len(raw) - 5))

    return read


def _alignment(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    del fields
    yield Part("alignment", struct.unpack_from("<H", raw)[0], (at, 2))
    if len(raw) > 2:
        yield _padding(raw[2:], at + 2)


def _aes(raw: bytes, at: int, fields: dict[str, int]) -> Iterator[Part]:
    del fields
    version, vendor, strength, method = struct.unpack("<H2sBH", raw)
    said = (
        f"AE-{version}, {text_of(vendor)}, {64 + 64 * strength} bits, {METHODS.get(method, method)}"
    )
    yield Part("aes", said, (at, 7))


EXTRAS: dict[int, tuple[str, Reader]] = {
    0x0001: ("zip64", _zip64),
    0x000A: ("NTFS", _ntfs),
    0x5455: ("UT extended timestamp", _extended_time),
    0x5855: ("UX Unix", _old_unix),
    0x6375: ("uc Unicode comment", _unicode("unicode_comment")),
    0x7075: ("up Unicode path", _unicode("unicode_path")),
    0x7855: ("Ux Unix", _short_unix),
    0x7875: ("ux Unix", _unix),
    0x9901: ("AES", _aes),
    0xCAFE: ("Java archive", _plain_extra),
    0xD935: ("Android alignment", _alignment),
}
"""Extra fields by their number: what they are called, and how they are read."""


class _Sums:
    """What an entry's content says of its headers. It is unpacked once, and only if asked."""

    def __init__(self, blob: Blob, entry: Entry, limits: Limits) -> None:
        self._blob, self._entry, self._limits = blob, entry, limits
        self._known: bool | None = None

    def hold(self) -> bool:
        """Whether CRC, size and packed size are those of the content. Of what is not unpacked
        here nothing can be said against them."""
        if self._known is None:
            self._known = self._right()
        return self._known

    def _right(self) -> bool:
        fields, method = self._entry.fields, self._entry.fields["method"]
        unpack = UNPACKERS.get(method)
        if fields["flags"] & ENCRYPTED or (method != STORED and unpack is None):
            return True
        at, packed = self._entry.data
        if method == STORED:
            whole = self._blob.part(at, packed)
            return packed == fields["size"] and crc32_of(whole) == fields["crc32"]
        most = min(self._limits.member_bytes, packed * _expansion(method, self._limits))
        size = crc = used = 0
        try:
            if method == DEFLATED:
                for used, chunk in inflate(self._blob.part(at, packed), 0):  # noqa: B007 - the last
                    size, crc = size + len(chunk), zlib_ng.crc32(chunk, crc)
                    if size > most:
                        return True
                if used != packed:
                    return False
            elif unpack:
                for chunk in _bounded(unpack, self._blob.part(at, packed), fields, most):
                    size, crc = size + len(chunk), zlib_ng.crc32(chunk, crc)
        except LimitError:
            return True
        except FormatError:
            return False
        return size == fields["size"] and crc == fields["crc32"]


def _borne_out(fact: Fact, sums: _Sums) -> Fact:
    return Fact(
        fact.kind, fact.value, fact.at, fact.name, fact.derived, fact.follows, check=sums.hold
    )


def _content(blob: Blob, entry: Entry, limits: Limits, sums: _Sums) -> Iterator[Fact | Member]:
    """The entry's content: where it lies, unpacked, or packed where nothing here unpacks it."""
    at, size = entry.data
    if not size:
        return
    packed = blob.part(at, size)
    method = entry.fields["method"]
    unpack = UNPACKERS.get(method)
    if entry.fields["flags"] & ENCRYPTED or (method != STORED and unpack is None):
        yield Member(entry.name, packed, (at, size), "zip.packed", opaque=True)
    elif unpack is None:
        yield Member(entry.name, packed, (at, size))
    else:
        most = min(limits.member_bytes, size * _expansion(method, limits))
        yield Member(entry.name, partial(_bounded, unpack, packed, entry.fields, most))
        kind = f"zip.{METHODS[method]}"
        digest = digest_of(packed)
        yield Fact(kind, digest, (at, size), entry.name, derived=True, check=sums.hold)


def _expansion(method: int, limits: Limits) -> int:
    # these reach far more than deflate; a member's size is bounded all the same
    return limits.expansion if method == DEFLATED else limits.expansion * 64


Unpacker = Callable[[Blob, dict[str, int]], Iterator[bytes]]


def _bounded(unpack: Unpacker, packed: Blob, fields: dict[str, int], most: int) -> Iterator[bytes]:
    size = 0
    for chunk in unpack(packed, fields):
        size += len(chunk)
        if size > most:
            raise LimitError(f"content of more than {most} bytes")
        yield chunk


def _inflated(packed: Blob, fields: dict[str, int]) -> Iterator[bytes]:
    del fields
    return (chunk for _, chunk in inflate(packed, 0))


def _bunzipped(packed: Blob, fields: dict[str, int]) -> Iterator[bytes]:
    del fields
    return _decompressed(packed, bz2.BZ2Decompressor(), b"", 0)


def _unxz(packed: Blob, fields: dict[str, int]) -> Iterator[bytes]:
    del fields
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=UNPACKING_MEMORY)
    return _decompressed(packed, unpacker, b"", 0)


def _unlzma(packed: Blob, fields: dict[str, int]) -> Iterator[bytes]:
    """APPNOTE 5.8.8: version, size of the properties, properties; then as in a .lzma file, whose
    header also holds the unpacked size (all ones where a mark ends the stream: flag bit 1)."""
    head = packed.read(0, 9)
    if len(head) < 9 or head[2:4] != b"\5\0":
        raise FormatError("LZMA properties of another size than 5")
    size = b"\xff" * 8 if fields["flags"] & 2 else fields["size"].to_bytes(8, "little")
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=UNPACKING_MEMORY)
    return _decompressed(packed, unpacker, head[4:9] + size, 9)


def _decompressed(
    packed: Blob, unpacker: bz2.BZ2Decompressor | lzma.LZMADecompressor, head: bytes, at: int
) -> Iterator[bytes]:
    stream: BinaryIO
    with packed.open(io.DEFAULT_BUFFER_SIZE) as stream:
        stream.seek(at)
        data = head
        while not unpacker.eof:
            if unpacker.needs_input and not data:
                data = stream.read(PACKED)
                if not data:
                    raise FormatError("packed stream ends early", packed.size)
            try:
                chunk = unpacker.decompress(data, UNPACKED)
            except (OSError, lzma.LZMAError, EOFError) as error:
                raise FormatError(f"damaged stream: {error}") from error
            data = b""
            yield chunk


def _unzstd(packed: Blob, fields: dict[str, int]) -> Iterator[bytes]:
    del fields
    import zstandard  # noqa: PLC0415 - start-up time

    unpacker = zstandard.ZstdDecompressor(max_window_size=UNPACKING_MEMORY)
    with packed.open() as stream, unpacker.stream_reader(stream) as reader:
        while True:
            try:
                chunk = reader.read(UNPACKED)
            except zstandard.ZstdError as error:
                raise FormatError(f"damaged stream: {error}") from error
            if not chunk:
                return
            yield chunk


UNPACKERS: dict[int, Unpacker] = {
    DEFLATED: _inflated,
    BZIP2: _bunzipped,
    LZMA: _unlzma,
    20: _unzstd,
    ZSTANDARD: _unzstd,
    XZ: _unxz,
}

SIGNING_MAGIC = b"APK Sig Block 42"
SCHEMES = {
    0x7109871A: "signature scheme v2",
    0xF05368C0: "signature scheme v3",
    0x1B93AD61: "signature scheme v3.1",
    0x42726577: "verity padding",
    0x504B4453: "dependency info",
    0x6DFF800D: "source stamp v2",
    0x2146444E: "Google Play metadata",
    0x71777777: "Walle channel",
}
"""Known pairs of the signing block. Only the metadata of shops does not follow from the rest."""
CHANNELS = frozenset({0x2146444E, 0x71777777, 0x504B4453})


def _signing_block(blob: Blob, directory: Directory) -> Span | None:
    """The APK signing block in front of the central directory."""
    end = directory.at
    if end < 32 or blob.read(end - 16, 16) != SIGNING_MAGIC:
        return None
    size = int.from_bytes(blob.read(end - 24, 8), "little")
    start = end - size - 8
    if start < 0 or size < 24 or int.from_bytes(blob.read(start, 8), "little") != size:
        return None
    return start, end - start


def _signing_parts(blob: Blob, block: Span) -> Iterator[Fact | Member]:
    start, size = block
    at, end = start + 8, start + size - 24
    yield Fact("zip.signing.size", size - 8, (start, 8), derived=True)
    met: dict[str, int] = {}
    while at + 12 <= end:
        length = int.from_bytes(blob.read(at, 8), "little")
        number = int.from_bytes(blob.read(at + 8, 4), "little")
        if length < 4 or at + 8 + length > end:
            break
        name = SCHEMES.get(number, f"signing block {number:#010x}")
        met[name] = met.get(name, 0) + 1
        if met[name] > 1:
            name = f"{name} #{met[name]}"
        yield Fact("zip.signing.pair", f"{number:#010x}, {length} bytes", (at, 12), name, True)
        if length > 4:
            span = (at + 12, length - 4)
            yield Member(
                name,
                blob.part(*span),
                span,
                "zip.signature",
                opaque=True,
                derived=number not in CHANNELS,
            )
        at += 8 + length
    yield Fact("zip.signing.size", size - 8, (end, 8), derived=True)
    yield Fact("zip.signing.magic", text_of(SIGNING_MAGIC), (end + 8, 16))


def _end(blob: Blob, directory: Directory, entries: Sequence[Entry]) -> Iterator[Fact | Member]:
    """What stands behind the last central header."""
    at = sum(entries[-1].central.span) if entries else directory.at
    if blob.read(at, 4) == SIGNATURE_MAGIC:
        size = int.from_bytes(blob.read(at + 4, 2), "little")
        span = (at, 6 + size)
        yield Member(
            "digital signature", blob.part(*span), span, "zip.signature", opaque=True, derived=True
        )
        at += 6 + size
    instead: dict[str, Scalar] = {}
    first_end = directory.end if directory.end64 is None else directory.end64
    joined = at == directory.at + directory.size == first_end
    laid_out = not directory.base and joined
    wrong = set() if joined else {"directory_size", "directory_offset"}
    counted = {len(entries), len(entries) & 0xFFFF}
    if directory.end64 is not None:
        counted.add(0xFFFF)
    for record, place in ((END64, directory.end64), (END, directory.end)):
        if place is not None:
            numbers = _numbers(record, blob, place)
            wrong |= {name for name in ("entries", "entries_here") if numbers[name] not in counted}
    if laid_out:
        instead = dict.fromkeys(("directory_size", "directory_offset"), LAID_OUT)
    comment = _numbers(END, blob, directory.end)["comment_size"]
    commented = directory.end + END.size + comment == blob.size
    if commented:
        instead["comment_size"] = LAID_OUT
    if directory.end64 is not None and directory.locator is not None:
        rest = directory.end64 + END64.size
        yield from _instead(END64, blob, directory.end64, instead, wrong)
        if directory.locator > rest:
            span = (rest, directory.locator - rest)
            yield Fact("zip.end64.data", digest_of(blob.part(*span)), span)
        told: dict[str, Scalar] = {"offset": LAID_OUT} if laid_out else {}
        yield from _instead(LOCATOR, blob, directory.locator, told, wrong)
        larger = _numbers(END64, blob, directory.end64)
        smaller = _numbers(END, blob, directory.end)
        instead = {"comment_size": LAID_OUT} if commented else {}
        for field in ("entries", "entries_here", "directory_size", "directory_offset"):
            if smaller[field] == larger[field]:
                instead[field] = "as in the zip64 record"
    yield from _instead(END, blob, directory.end, instead, wrong)
    span = (directory.end + END.size, min(comment, blob.size - directory.end - END.size))
    if span[1]:
        yield Fact("zip.end.comment", text_of(blob.read(*span)), span)


def _instead(
    record: Record, blob: Blob, at: int, instead: dict[str, Scalar], wrong: set[str]
) -> Iterator[Fact]:
    """The record's facts; those that are `wrong` follow from nothing."""
    for fact in record.facts(blob, at):
        name = fact.kind.removeprefix(f"{record.kind}.")
        told = instead.get(name)
        follows = (fact.at,) if fact.at else ()
        if name in wrong:
            yield replace(fact, derived=False)
            continue
        yield fact if told is None else replace(fact, value=told, follows=follows)
