"""What archives, packages and file systems keep of the build beside their contents."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, Judge, NearMiss, Token, Tokens
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    another_order,
    any_two,
    joined,
    matches,
    seconds,
    time_field,
    times,
    two_times,
)

_ARCHIVES = "https://reproducible-builds.org/docs/archives/"
_IMAGES = "https://reproducible-builds.org/docs/system-images/"
_INPUTS = "https://reproducible-builds.org/docs/stable-inputs/"
_EPOCH = "https://reproducible-builds.org/docs/source-date-epoch/"
_VARIATIONS = "https://reproducible-builds.org/docs/env-variations/"
_GZIP = "https://www.rfc-editor.org/rfc/rfc1952"
_ZIP = "https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT"
_JVM = "https://reproducible-builds.org/docs/jvm/"

DOS_ZERO = "1980-00-00 00:00:00"
"""No time at all, as zip writes it."""
MASKS: Final = {0o002: "umask 002", 0o022: "umask 022"}
"""The umasks of builders. Who may read a file at all is no matter of chance."""
MOST_NAMES = 64
"""Names that are told of an order."""
EAST, WEST = timedelta(hours=14), timedelta(hours=12)
QUARTER = timedelta(minutes=15)


def only(pattern: str, form: str = "", *, empty: bool = False) -> Tokens:
    """The whole of a field that a pattern matches whole; with `empty` also one that is not
    there."""
    known = late(pattern)

    def all_of(text: str) -> Iterator[Token]:
        if (empty and not text) or known.fullmatch(text):
            yield Token(0, len(text), text, form)

    return all_of


def one_of(judge: Judge, allowed: Callable[[str, str], bool]) -> Judge:
    """A judge that also asks whether both values may stand for each other."""

    def judged(one: Token, two: Token) -> Evidence | None:
        return judge(one, two) if allowed(one.value, two.value) else None

    return judged


def zip_time(text: str) -> Iterator[Token]:
    """A time in a zip archive, also the one that says nothing."""
    if text == DOS_ZERO:
        yield Token(0, len(text), "1980-01-01T00:00:00", "time")
    elif found := re.fullmatch(r"(\S+) and \d+ ns", text):
        yield from (Token(0, len(text), token.value, "NTFS time") for token in time_field(found[1]))
    else:
        yield from time_field(text)


def _zone_apart(one: Token, two: Token) -> Evidence | None:
    """Two clocks that show one moment in two zones: whole quarters of an hour lie between."""
    found = two_times(one, two)
    if found is None:
        return None
    a, b = (datetime.fromisoformat(token.value) for token in (one, two))
    apart = abs(a - b)
    if apart == timedelta(days=1):
        return None  # a build of every night
    return None if apart % QUARTER or apart > EAST + WEST else found


_MODE = late(r"(?:(?P<type>0?4|10)0|0)?(?P<bits>[0-7]{3})")


def permissions(text: str) -> Iterator[Token]:
    """A mode without setuid, setgid and sticky bits, whose owner's bits are its form."""
    if found := _MODE.fullmatch(text):
        kind = {"04": "directory", "4": "directory", "10": "file"}.get(found["type"] or "", "")
        yield Token(0, len(text), found["bits"], f"{kind} u={found['bits'][0]}")


def two_masks(one: Token, two: Token) -> Evidence | None:
    """Both are what is left of one mode under two umasks."""
    masks = []
    for token in (one, two):
        bits = int(token.value, 8)
        full = (bits >> 6) * 0o111
        masks.append(next((said for mask, said in MASKS.items() if full & ~mask == bits), None))
    if masks[0] is None or masks[1] is None:
        return None
    return Evidence(masks[0], masks[1])


def names(text: str) -> Iterator[Token]:
    """Names in their order. Where no more are told, the comparison has counted the others."""
    lines = text.split("\n")
    yield Token(0, len(text), text, "\0".join(sorted(lines)) if len(lines) < MOST_NAMES else "")


_STORE_TIME = late(r"(?P<v>\S+Z)(?: \+ \d{1,3} ms)?")


def store_time(text: str) -> Iterator[Token]:
    """A date of a key store, to the millisecond."""
    if found := _STORE_TIME.fullmatch(text):
        yield from (
            Token(0, len(text), token.value, "milliseconds") for token in time_field(found["v"])
        )


def pax_time(text: str) -> Iterator[Token]:
    """The record of a time, told where it is not in its shortest form: `mtime=1768039200.0`."""
    found = re.fullmatch(r"mtime=(\d{1,12})(?:\.\d{1,20})?", text)
    moment = seconds(int(found[1])) if found else None
    if moment:
        yield Token(0, len(text), moment, "record")


_BUILDER = late(r"\((?P<v>[\w.+-]{1,64}@[\w.-]{1,253})\)")


def _banner(text: str) -> Iterator[Token]:
    """Who built a kernel and where, and when."""
    yield from joined(matches(_BUILDER, "builder"), times)(text)


def _two_banners(one: Token, two: Token) -> Evidence | None:
    return any_two(one, two) if one.form == "builder" else two_times(one, two)


_MEMBERS: Final = ("tar", "zip", "cpio", "cab", "lha", "rar", "sevenzip", "xar")
_ORDERS: Final = tuple(f"{name}.order" for name in _MEMBERS)
_INITRAMFS = late(r"(?:^|/)(?:initrd|initramfs)[^/]*$")
_DEB = late(r"\.u?deb(?:$|/)")
_GEM = late(r"\.gem$")
_CPIO_TIMES: Final = ("cpio.mtime",)
_CPIO_PLACES: Final = ("cpio.ino", "cpio.dev", "cpio.devmajor", "cpio.devminor")

_MANIFEST = late(
    r"(?:^|/)Manifest-Version/(?:Built-By|Built-On|Build-Jdk|Build-Host(?:name)?|Build-User"
    r"(?:name)?|Build-Machine|Build-Os|Build-OS|Build-Time|Build-Date(?:-ISO-8601|-UTC)?"
    r"|Build-Timestamp|Built-Date|Built-Host|Built-OS|Built-User|Bnd-LastModified|Created-By"
    r"|Originally-Created-By|Os-(?:Arch|Name|Version)|X-Build-Os|X-Builder|X-Built-(?:By|On|OS)"
    r"|Tool|User-Name|Hudson-Build-Number"
    r"|Jenkins-Build-(?:Date|Number|URL)|Build-(?:Number|Id|ID|Job|Url|URL))$"
)
"""Attributes of a manifest that say who built the archive, when and on what."""

_LEVEL_BITS, _STREAMED = 0x6, 0x8


def _bits(allowed: int) -> Callable[[str, str], bool]:
    return lambda a, b: not (int(a, 16) ^ int(b, 16)) & ~allowed


def _two_headers(one: Token, two: Token) -> Evidence:
    """Sizes that the headers of blocks have on one side, and what follows from them."""
    if one.value and two.value:
        return Evidence("", "")
    a, b = ("stated" if token.value else "not stated" for token in (one, two))
    return Evidence(a, b)


_XZ_INDEX = late(
    r"(\d+ blocks, less headers sha256:[0-9a-f]{64}), whole (?P<v>sha256:[0-9a-f]{64})"
)


def _xz_index(text: str) -> Iterator[Token]:
    """An index, with what it says beside the sizes of headers as its form."""
    if found := _XZ_INDEX.fullmatch(text):
        yield Token(0, len(text), found["v"], found[1])


def _two_packings(one: Token, two: Token) -> Evidence:
    """How many bytes both contents take, or which setting differs."""
    sizes = [_PACKED.match(token.value) for token in (one, two)]
    a, b = (
        found[1] if found else token.value for found, token in zip(sizes, (one, two), strict=True)
    )
    return Evidence("", "") if a == b or "sha256:" in a + b else Evidence(a, b)


def _two_layouts(one: Token, two: Token) -> Evidence | None:
    """Two packings or counters; or space that nothing uses, cleared on one side."""
    if one.form != "unused":
        return _two_packings(one, two)
    if "zeros" not in (one.value, two.value):
        return None
    a, b = ("cleared" if token.value == "zeros" else "with old bytes" for token in (one, two))
    return Evidence(a, b)


_PACKED = late(r"same content, packed into (\d+ bytes)")
_IS_FLAGS = late(r"0x[0-9a-f]{1,4}")
_FLAGS = only(_IS_FLAGS.pattern, "flags")

_UNPACKED: Final = (
    *("beam", "bzip2", "cab", "cramfs", "deb", "elf", "erofs", "font", "git_pack", "gzip", "lha"),
    *(
        "lz4",
        "lzip",
        "lzma",
        "pdf",
        "png",
        "r_rdb",
        "rar",
        "sevenzip",
        "squashfs",
        "vmlinuz",
        "xar",
        "xz",
    ),
    *("zip", "zlib", "zstd"),
)
"""Formats that unpack to bytes which were compared. Of a database or a table only what it says was
compared: what else its bytes hold may be anything."""
_XZ_FOLLOWS: Final = (
    "xz.block_header",
    "xz.block_padding",
    "xz.block_crc",
    "xz.block_check",
    "xz.header_crc",
    "xz.index",
    "xz.footer",
)
"""What the decoder holds to be right, or it gives no content."""

_TIMES: Final = (
    "squashfs.superblock.mkfs_time",
    "squashfs.inode.mtime",
    "ext.superblock.*_time",
    "ext.inode.atime",
    "ext.inode.ctime",
    "ext.inode.mtime",
    "ext.inode.crtime",
    "fat.entry.created",
    "fat.entry.accessed",
    "fat.entry.modified",
    "iso9660.record.created",
    "iso9660.record.modified",
    "iso9660.record.accessed",
    "iso9660.record.changed",
    "iso9660.record.date",
    "iso9660.volume.root_date",
    "iso9660.volume.created",
    "iso9660.volume.modified",
    "iso9660.volume.effective",
    "erofs.superblock.build_time",
    "erofs.superblock.build_time_nanoseconds",
    "erofs.inode.mtime",
    "erofs.inode.mtime_nanoseconds",
)
_UUIDS: Final = (
    "ext.superblock.uuid",
    "ext.superblock.journal_uuid",
    "ext.superblock.hash_seed",
    "ext.journal.uuid",
    "erofs.superblock.uuid",
    "fat.boot.volume_id",
)


def _image_time(text: str) -> Iterator[Token]:
    """A time of a file system, also to the nanosecond, or nanoseconds alone."""
    if text.isdigit() and len(text) < 10:
        yield Token(0, len(text), "nanoseconds", text and "nanoseconds")
        return
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d(?:[T ][\d:]{8})?)(?:[.:+ ]\d{1,9}(?: ns)?)?Z?", text)
    for token in time_field(found[1] if found else text):
        yield Token(0, len(text), token.value, "time")


def _two_image_times(one: Token, two: Token) -> Evidence | None:
    if one.form == "nanoseconds":
        return Evidence("", "")
    return two_times(one, two)


_DATE = late(
    r"(?m)^(?:date: (?P<v>\d{4}-\d\d-\d\d)(?= 00:00:00\.0{9} Z$)"
    r"|  s\.date = \"(?P<w>\d{4}-\d\d-\d\d)(?=\".freeze$|\"$))"
)


def _gem_date(text: str) -> Iterator[Token]:
    """The day in a specification, as YAML or as Ruby."""
    for found in _DATE.finditer(text):
        group = found.lastgroup or 0
        yield Token(*found.span(group), f"{found[group]}T00:00:00", "day")


def _library_mode(text: str) -> Iterator[Token]:
    """A mode in a static library, or none."""
    if text in ("", "0") or any(permissions(text)):
        yield Token(0, len(text), text, "mode")


def _two_library_modes(one: Token, two: Token) -> Evidence | None:
    """Modes under two umasks, with or without the type of file; or none on one side."""
    if {one.value, two.value} & {"", "0"}:
        return Evidence(one.value or "none", two.value or "none")
    a, b = (int(token.value[-3:], 8) for token in (one, two))
    if a == b:
        return Evidence(one.value, two.value)
    if a >> 6 != b >> 6:
        return None
    found = [next(permissions(token.value)) for token in (one, two)]
    return two_masks(found[0], found[1])


_HEADER_TIMES = late(r"\bINSTALL(?:TIME|TID)=(?P<v>\d{9,10})(?=[,\]])")
_KEY = late(r"(?<=key=x')(?P<v>[0-9a-f]{8})(?=')")


def installed(text: str) -> Iterator[Token]:
    """When and in which transaction a package was installed: in the row of its header, and in
    the index of transactions."""
    for found in _HEADER_TIMES.finditer(text):
        if moment := seconds(int(found["v"])):
            yield Token(*found.span("v"), moment, "seconds")
    for found in _KEY.finditer(text):
        if moment := seconds(int.from_bytes(bytes.fromhex(found["v"]), "little")):
            yield Token(*found.span("v"), moment, "key")


_COOKIE = late(r"[A-Za-z0-9][\w.-]{0,252} \d{9,10}")
_HOST = r"[A-Za-z0-9](?:[\w.-]{0,251}[A-Za-z0-9])?"


def _package(text: str) -> Iterator[Token]:
    """A time, a host name, or both as rpm's cookie."""
    times = list(time_field(text))
    if times or re.fullmatch(r"[\d-]{4,10}T[\d:]{8}Z", text):
        yield from times
    elif _COOKIE.fullmatch(text):
        yield Token(0, len(text), text, "cookie")
    elif re.fullmatch(_HOST, text):
        yield Token(0, len(text), text, "host")


def _two_packages(one: Token, two: Token) -> Evidence | None:
    return any_two(one, two) if one.form in ("cookie", "host") else two_times(one, two)


CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        id="gzip-header-mtime",
        title="Time in the header of a gzip file",
        family="time",
        kinds=("gzip.mtime",),
        tokens=time_field,
        judge=two_times,
        why="gzip writes the input's modification time, or the time of day, into bytes 4 to 7"
        " (RFC 1952, section 2.3.1).",
        fixes=(Fix("gzip -n; in Python gzip.compress(data, mtime=0)"),),
        references=(_ARCHIVES, _GZIP),
        example=NearMiss("gzip.mtime", "1768039200", "1773578096"),
        near_miss=NearMiss("gzip.mtime", "1768039200", "-1"),
    ),
    Cause(
        id="gzip-header-name",
        title="Name of the input in the header of a gzip file",
        family="path",
        kinds=("gzip.name", "gzip.flags"),
        tokens=joined(only(r"0|8", "flags"), only(r"(?!\d+\Z)[^\n]{1,255}", "name", empty=True)),
        judge=any_two,
        why="gzip keeps the name of the file that it packed (RFC 1952, section 2.3.1); a temporary"
        " file or a renamed one leaves its name there.",
        fixes=(Fix("gzip -n, or pack a stream: gzip -n < file > file.gz"),),
        references=(_GZIP,),
        example=NearMiss("gzip.name", "alpha.txt", "bravo.txt"),
        near_miss=NearMiss("gzip.comment", "alpha.txt", "bravo.txt"),
    ),
    Cause(
        id="gzip-header-os-xfl",
        title="Which program and system packed a gzip file",
        family="compression",
        kinds=("gzip.os",),
        tokens=only(r"\d{1,3}", "os"),
        judge=any_two,
        why="Byte 9 of a gzip header says on which system it was packed (RFC 1952, section"
        " 2.3.1): gzip says Unix, Go and Java say unknown.",
        fixes=(Fix("pack with the same program on both sides"),),
        references=(_GZIP,),
        example=NearMiss("gzip.os", "3", "255"),
        near_miss=NearMiss("gzip.flags", "3", "255"),
    ),
    Cause(
        id="compression-threads",
        title="Blocks that follow from the number of threads",
        family="parallelism",
        kinds=("xz.block_packed_size", "xz.block_size", *_XZ_FOLLOWS[:3], "xz.index"),
        tokens=joined(_xz_index, only(r"\d+|[0-9a-f]{4,8}|\d zeros?", empty=True)),
        judge=_two_headers,
        why="With several threads xz cuts the content into blocks and writes their sizes into the"
        " blocks' headers; with one it does not. The content is the same.",
        fixes=(Fix("xz -T1, or the same -T above 1 with a fixed --block-size on both sides"),),
        references=(_ARCHIVES, "https://tukaani.org/xz/xz-file-format.txt"),
        example=NearMiss("xz.block_size", "", "524288"),
        near_miss=NearMiss("xz.content_size", "", "524288"),
    ),
    Cause(
        id="sqlite-file-layout",
        title="Layout and counters of an SQLite database",
        family="order",
        kinds=(
            "sqlite.packing",
            "sqlite.change_counter",
            "sqlite.schema_cookie",
            "sqlite.version_valid_for",
            "sqlite.sqlite_version",
            "sqlite.page_count",
            "sqlite.freelist_trunk",
            "sqlite.freelist_pages",
            "sqlite.unused",
        ),
        tokens=joined(
            only(r"\d+|as change_counter", "number"),
            only(
                r"same content, packed into \d+ bytes(?:, sha256:[0-9a-f]+)?(?:\ntables)?", "pages"
            ),
            only(r"zeros|sha256:[0-9a-f]{64}", "unused"),
        ),
        judge=_two_layouts,
        why="SQLite counts its transactions, and leaves free pages behind; the rows are the same.",
        fixes=(
            Fix(
                "write the database in one transaction and VACUUM INTO a new file; PRAGMA"
                " journal_mode=DELETE, and delete -wal and -shm files"
            ),
        ),
        references=("https://www.sqlite.org/fileformat2.html",),
        example=NearMiss("sqlite.change_counter", "3", "4"),
        near_miss=NearMiss("sqlite.user_version", "3", "4"),
    ),
    Cause(
        id="compression-level-or-implementation",
        title="Same content, packed otherwise",
        family="compression",
        kinds=(
            *(f"{name}.packing" for name in _UNPACKED),
            "file.compression",
            "gzip.xfl",
            "bzip2.level",
            "zstd.window",
            "xz.filters",
            "xz.check",
            *_XZ_FOLLOWS,
            "lzma.dictionary",
            "lzip.dictionary",
            "lz4.largest_block",
            "zlib.level",
            "zip.flags",
            "zip.method",
            "zip.needed",
            "squashfs.options",
        ),
        tokens=joined(_FLAGS, only(r"(?!undefined )[\s\S]+", "packing", empty=True)),
        judge=one_of(
            _two_packings, lambda a, b: not _IS_FLAGS.fullmatch(a) or _bits(_LEVEL_BITS)(a, b)
        ),
        why="Another level, program or version packed the stream; what it holds is the same, byte"
        " by byte.",
        fixes=(
            Fix(
                "pin the program, its version and its level: gzip -9n, xz -6 -T1, zstd -19, zip"
                " -9; dpkg-deb -Zxz -z6"
            ),
        ),
        references=(_ARCHIVES,),
        example=NearMiss(
            "gzip.packing",
            "same content, packed into 44986 bytes",
            "same content, packed into 43753 bytes",
        ),
        near_miss=NearMiss("zip.flags", "0x0", "0x801"),
    ),
    Cause(
        id="zip-timezone",
        title="Times of zip members in another time zone",
        family="env",
        kinds=("zip.mtime",),
        tokens=joined(
            only(r"extended_mtime in UTC[+-]\d\d:\d\d(?:, [^,]*)?", "zone"),
            lambda text: (
                Token(token.start, token.end, token.value, "clock") for token in time_field(text)
            ),
        ),
        judge=lambda one, two: any_two(one, two) if one.form == "zone" else _zone_apart(one, two),
        why="zip keeps local time (APPNOTE 4.4.6); the same moment is another time in another"
        " zone.",
        fixes=(Fix("TZ=UTC for zip, unzip, jar and all that packs"),),
        references=(_ZIP, _VARIATIONS),
        example=NearMiss("zip.mtime", "extended_mtime in UTC+00:00", "extended_mtime in UTC+02:00"),
        near_miss=NearMiss("zip.mtime", "extended_mtime in UTC+00:00", "2026-01-10 25:00:00"),
    ),
    Cause(
        id="zip-dos-timestamp",
        title="Modification times of zip members",
        family="time",
        kinds=("zip.mtime", "zip.local.mtime"),
        tokens=zip_time,
        judge=two_times,
        why="zip keeps a date and time for each member (APPNOTE 4.4.6); files that the build"
        " writes get the clock's time.",
        fixes=(
            Fix(
                "jar --date=2026-01-01T00:00:00Z (JDK 17.0.3, 19 and later); Maven:"
                " project.build.outputTimestamp; Gradle: preserveFileTimestamps = false,"
                " reproducibleFileOrder = true",
                late(r"(?i)\bjava\b|jdk|maven|gradle|\bant\b|\bbnd\b"),
            ),
            Fix(
                "find . -exec touch -h -d @$SOURCE_DATE_EPOCH {} + before zip -X, with TZ=UTC;"
                " SOURCE_DATE_EPOCH for wheels; jar --date (JDK 17.0.3, 19 and later)"
            ),
        ),
        references=(_ARCHIVES, _JVM, _ZIP),
        example=NearMiss("zip.mtime", "2026-01-10 10:00:00", "2026-03-15 12:34:56"),
        near_miss=NearMiss("zip.crc32", "20260110", "20260315"),
    ),
    Cause(
        id="zip-extra-timestamp-uid",
        title="Times and owners in extra fields of zip members",
        family="time",
        kinds=(
            "zip.extended_?time*",
            "zip.local.extended_?time*",
            "zip.ntfs_?time",
            "zip.local.ntfs_?time",
            "zip.unix_?time",
            "zip.local.unix_?time",
        ),
        tokens=zip_time,
        judge=two_times,
        why="zip keeps the times of modification, reading and creation in an extra field of each"
        " member.",
        fixes=(Fix("zip -X, after touch -h -d @$SOURCE_DATE_EPOCH"),),
        references=(_ARCHIVES, _ZIP),
        example=NearMiss("zip.extended_mtime", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        near_miss=NearMiss("zip.extended_mtime", "2026-01-10T10:00:00Z", "2126-03-15T12:34:56Z"),
    ),
    Cause(
        id="zip-extra-timestamp-uid",
        title="Times and owners in extra fields of zip members",
        family="time",
        kinds=("zip.unix_?id", "zip.local.unix_?id"),
        tokens=only(r"\d{1,10}(?: in \d bytes)?", "owner"),
        judge=any_two,
        why="zip keeps the numbers of the user and group who own each file. unzip sets them with -X"
        " alone.",
        fixes=(Fix("zip -X"),),
        references=(_ARCHIVES, _ZIP),
        example=NearMiss("zip.unix_uid", "1111", "2222"),
        near_miss=NearMiss("zip.unix_version", "1", "2"),
    ),
    Cause(
        id="zip-extra-timestamp-uid",
        title="Times and owners in extra fields of zip members",
        family="time",
        kinds=(
            "zip.extra",
            "zip.local.extra",
            "zip.unix_version",
            "zip.extended_times",
            "zip.local.unix_version",
            "zip.local.extended_times",
            "zip.extended_?time",
            "zip.local.extended_?time",
            "zip.unix_?id",
            "zip.local.unix_?id",
        ),
        tokens=only(
            r"(?:(?:, )?(?:UT extended timestamp|UX Unix|Ux Unix|ux Unix|NTFS), \d+ bytes)+"
            r"|1|0x[0-7]|[\dT:-]{10,20}Z|\d{1,10}",
            empty=True,
        ),
        judge=one_of(any_two, lambda a, b: not a or not b),
        why="One side was packed with times and owners in extra fields, the other without.",
        fixes=(Fix("zip -X on both sides"),),
        references=(_ARCHIVES, _ZIP),
        example=NearMiss("zip.extra", "UT extended timestamp, 5 bytes", ""),
        near_miss=NearMiss("zip.extra", "AES, 7 bytes", ""),
    ),
    Cause(
        id="zip-external-attributes",
        title="Permissions of zip members, and what packed them",
        family="env",
        kinds=("zip.mode",),
        tokens=permissions,
        judge=two_masks,
        bound=True,
        why="zip keeps the permissions of each file, and they follow from the umask of the build.",
        fixes=(Fix("umask 022 in the build; Gradle: filePermissions and dirPermissions"),),
        references=(_VARIATIONS, _ZIP),
        example=NearMiss("zip.mode", "100644", "100664"),
        near_miss=NearMiss("zip.mode", "100644", "100744"),
    ),
    Cause(
        id="zip-external-attributes",
        title="Permissions of zip members, and what packed them",
        family="env",
        kinds=("zip.made_by", "zip.internal_attributes"),
        tokens=only(r"\d{1,2}\.\d|0x[01]", empty=True),
        judge=any_two,
        why="zip keeps the version of the program that packed, and whether a member looked like"
        " text to it (APPNOTE 4.4.2, 4.4.14).",
        fixes=(Fix("pack with the same program on both sides"),),
        references=(_ZIP,),
        example=NearMiss("zip.made_by", "3.0", "2.0"),
        near_miss=NearMiss("zip.host", "FAT", "Unix"),
    ),
    Cause(
        id="zip-data-descriptor-flags",
        title="Sizes of zip members behind their contents",
        family="compression",
        kinds=(
            "zip.flags",
            "zip.local.crc32",
            "zip.local.packed_size",
            "zip.local.size",
            "zip.descriptor",
        ),
        tokens=joined(
            _FLAGS,
            only(
                r"0+|(?:12|16|20|24) bytes, with(?:out)? signature: as in the central directory",
                empty=True,
            ),
        ),
        judge=one_of(
            any_two,
            lambda a, b: (
                _bits(_STREAMED | _LEVEL_BITS)(a, b) if _IS_FLAGS.fullmatch(a) else not a or not b
            ),
        ),
        why="A packer that writes into a pipe says checksum and sizes behind each member (APPNOTE"
        " 4.3.9).",
        fixes=(Fix("pack into a file on both sides, or into a pipe on both"),),
        references=(_ZIP,),
        example=NearMiss("zip.flags", "0x0", "0x8"),
        near_miss=NearMiss("zip.flags", "0x0", "0x9"),
    ),
    Cause(
        id="locale-archive-order",
        title="Locales in another order",
        family="order",
        kinds=("locale.order",),
        tokens=names,
        judge=another_order,
        why="localedef puts each locale behind those that the archive has: its order is that of the"
        " calls.",
        fixes=(Fix("call localedef in one order (LC_ALL=C sort), or with --no-archive"),),
        references=("https://man7.org/linux/man-pages/man1/localedef.1.html",),
        example=NearMiss("locale.order", "C/LC_TIME\nD/LC_TIME", "D/LC_TIME\nC/LC_TIME"),
        near_miss=NearMiss("locale.order", "C/LC_TIME\nD/LC_TIME", "D/LC_TIME\nE/LC_TIME"),
    ),
    Cause(
        id="static-library-member-order",
        title="Members of a static library in another order",
        family="order",
        kinds=("ar.order",),
        tokens=names,
        judge=another_order,
        why="The objects came in the order of a directory. Where two define one symbol, the first"
        " one is linked.",
        fixes=(Fix("$(sort $(wildcard *.o)) in the makefile; LC_ALL=C"),),
        references=(_INPUTS,),
        example=NearMiss("ar.order", "a.o\nb.o", "b.o\na.o"),
        near_miss=NearMiss("ar.order", "a.o\nb.o", "b.o\nc.o"),
    ),
    Cause(
        id="archive-member-order",
        title="Members of an archive in another order",
        family="order",
        kinds=_ORDERS,
        tokens=names,
        judge=another_order,
        why="The packer took the files in the order of a directory.",
        fixes=(
            Fix(
                "tar --sort=name; find . -print0 | LC_ALL=C sort -z | cpio -0 -o or bsdtar --null"
                " -T -; Gradle: reproducibleFileOrder = true"
            ),
        ),
        references=(_ARCHIVES, _INPUTS),
        example=NearMiss("zip.order", "a\nb\nc", "c\na\nb"),
        near_miss=NearMiss("zip.order", "a\nb\nc", "c\na\nd"),
    ),
    Cause(
        id="deb-member-mtimes",
        title="Times in a Debian package",
        family="time",
        kinds=("ar.mtime", "tar.mtime"),
        paths=_DEB,
        where=late(r"^(?:control|data|control/content/.*|data/content/.*|debian-binary)$"),
        tokens=time_field,
        judge=two_times,
        why="dpkg-deb writes the time of the build into the package, and keeps the times of the"
        " files.",
        fixes=(Fix("SOURCE_DATE_EPOCH for dpkg-deb (1.18.8 and later), which clamps all times"),),
        references=(_ARCHIVES, _EPOCH),
        example=NearMiss("ar.mtime", "1768039200", "1773578096", "x.deb", where=("control",)),
        near_miss=NearMiss("ar.size", "1768039200", "1773578096", "x.deb", where=("control",)),
    ),
    Cause(
        id="ruby-gem-metadata-date",
        title="Times in a gem",
        family="time",
        kinds=("tar.mtime", "gzip.mtime"),
        paths=_GEM,
        tokens=time_field,
        judge=two_times,
        why="gem build writes the time of the build into the package and its specification.",
        fixes=(Fix("SOURCE_DATE_EPOCH=N gem build"),),
        references=(_EPOCH,),
        example=NearMiss("tar.mtime", "1768039200", "1773578096", "g-1.gem"),
        near_miss=NearMiss("tar.size", "1768039200", "1773578096", "g-1.gem"),
    ),
    Cause(
        id="ruby-gem-metadata-date",
        title="Times in a gem",
        family="time",
        kinds=("text",),
        paths=late(r"\.gem$|(?:^|/)specifications/[^/]+\.gemspec$"),
        tokens=_gem_date,
        judge=two_times,
        why="gem build writes the date of the build into the specification.",
        fixes=(Fix("SOURCE_DATE_EPOCH=N gem build, or s.date in the specification"),),
        references=(_EPOCH,),
        example=NearMiss(
            "text",
            "date: 2026-01-10 00:00:00.000000000 Z\n",
            "date: 2026-03-15 00:00:00.000000000 Z\n",
            "g-1.gem",
        ),
        near_miss=NearMiss(
            "text",
            "date: 2026-01-10 00:00:00.000000000 Z\nversion: 1\n",
            "date: 2026-03-15 00:00:00.000000000 Z\nversion: 2\n",
            "g-1.gem",
        ),
    ),
    Cause(
        id="static-library-timestamps",
        title="Times in a static library",
        family="time",
        kinds=("ar.mtime",),
        tokens=time_field,
        judge=two_times,
        why="ar keeps the modification time of each member, and of its symbol table the time of"
        " the run.",
        fixes=(
            Fix(
                "ar rcD and ranlib -D (ARFLAGS=rcD); llvm-ar rcD; binutils built with"
                " --enable-deterministic-archives do so unless U is given"
            ),
        ),
        references=(_ARCHIVES,),
        example=NearMiss("ar.mtime", "1768039200", "1773578096"),
        near_miss=NearMiss("ar.size", "1768039200", "1773578096"),
    ),
    Cause(
        id="static-library-uid-gid-mode",
        title="Owners and permissions in a static library",
        family="env",
        kinds=("ar.uid", "ar.gid"),
        tokens=only(r"\d{1,6}", "owner", empty=True),
        judge=any_two,
        why="ar keeps the numbers of the user and group who built each member; nothing reads them.",
        fixes=(Fix("ar rcD and ranlib -D (ARFLAGS=rcD); llvm-ar rcD"),),
        references=(_ARCHIVES,),
        example=NearMiss("ar.uid", "1111", "2222"),
        near_miss=NearMiss("ar.name", "1111", "2222"),
    ),
    Cause(
        id="static-library-uid-gid-mode",
        title="Owners and permissions in a static library",
        family="env",
        kinds=("ar.mode",),
        tokens=_library_mode,
        judge=_two_library_modes,
        why="ar keeps the permissions of each member, which follow from the umask of the build.",
        fixes=(Fix("ar rcD and ranlib -D (ARFLAGS=rcD), or umask 022; llvm-ar rcD"),),
        references=(_ARCHIVES, _VARIATIONS),
        example=NearMiss("ar.mode", "100644", "100664"),
        near_miss=NearMiss("ar.mode", "100644", "104644"),
    ),
    Cause(
        id="initramfs",
        title="Times and inode numbers in an initramfs",
        family="time",
        kinds=_CPIO_TIMES,
        paths=_INITRAMFS,
        tokens=time_field,
        judge=two_times,
        why="The image is packed from files that were just written.",
        fixes=(
            Fix("SOURCE_DATE_EPOCH for mkinitramfs and update-initramfs; dracut --reproducible"),
        ),
        references=(_IMAGES,),
        example=NearMiss("cpio.mtime", "1768039200", "1773578096", "boot/initrd.img-6.1"),
        near_miss=NearMiss("cpio.filesize", "1768039200", "1773578096", "boot/initrd.img-6.1"),
    ),
    Cause(
        id="cpio-mtime-inode",
        title="Times and inode numbers of cpio members",
        family="time",
        kinds=_CPIO_TIMES,
        tokens=time_field,
        judge=two_times,
        why="cpio keeps the modification time of every file; files that the build writes get the"
        " clock's time.",
        fixes=(
            Fix("find . -exec touch -h -d @$SOURCE_DATE_EPOCH {} + before cpio --reproducible -o"),
        ),
        references=(_ARCHIVES,),
        example=NearMiss("cpio.mtime", "1768039200", "1773578096"),
        near_miss=NearMiss("cpio.filesize", "1768039200", "1773578096"),
    ),
    Cause(
        id="cpio-mtime-inode",
        title="Times and inode numbers of cpio members",
        family="time",
        kinds=_CPIO_PLACES,
        tokens=matches(late(r"^(?P<v>\d{1,10})(?=$|, )"), "inode"),
        judge=any_two,
        why="cpio keeps the inode number and the device of every file of the file system that it"
        " was packed from.",
        fixes=(Fix("cpio --reproducible -o (GNU cpio 2.12 and later); bsdcpio --renumber-inodes"),),
        references=(_ARCHIVES,),
        example=NearMiss("cpio.ino", "4", "53"),
        near_miss=NearMiss("cpio.ino", "4, as a", "53, as b"),
    ),
    Cause(
        id="different-due-to-umask",
        title="Permissions of another umask",
        family="umask",
        kinds=("cpio.mode",),
        tokens=permissions,
        judge=two_masks,
        bound=True,
        why="The files were written or checked out under another umask.",
        fixes=(Fix("umask 022 in the build and where the sources are checked out"),),
        references=(_VARIATIONS,),
        example=NearMiss("cpio.mode", "100644", "100664"),
        near_miss=NearMiss("cpio.mode", "100644", "104664"),
    ),
    Cause(
        id="java-manifest-build-metadata",
        title="Who built a Java archive, when and on what",
        family="env",
        kinds=("stanza.value",),
        where=_MANIFEST,
        tokens=only(r"[^\n]{1,512}"),
        judge=any_two,
        why="The packer writes the user, the JDK, the host or the time into the manifest.",
        fixes=(
            Fix(
                "maven-jar-plugin 3.2 and later with project.build.outputTimestamp; bnd:"
                " -reproducible: true or -noextraheaders: true; Ant: set Built-By and Created-By"
                " in <manifest>"
            ),
        ),
        references=(_JVM,),
        example=NearMiss(
            "stanza.value",
            "pbuilder1",
            "pbuilder2",
            "o.jar",
            where=("META-INF/MANIFEST.MF", "Manifest-Version", "Built-By"),
        ),
        near_miss=NearMiss(
            "stanza.value",
            "1.0",
            "1.1",
            "o.jar",
            where=("META-INF/MANIFEST.MF", "Manifest-Version", "Implementation-Version"),
        ),
    ),
    Cause(
        id="java-keystore-creation-date",
        title="Dates of the entries of a Java key store",
        family="time",
        kinds=("jks.date",),
        tokens=store_time,
        judge=two_times,
        why="keytool writes the time, to the millisecond, beside every certificate.",
        fixes=(
            Fix(
                "make the store with trust extract --format=java-cacerts (p11-kit 0.24 and later)"
                " under SOURCE_DATE_EPOCH, ship one that is made once, or make it at the first"
                " start"
            ),
        ),
        references=(_JVM,),
        example=NearMiss(
            "jks.date", "2026-01-10T10:00:03Z + 351 ms", "2026-03-15T12:34:57Z + 8 ms"
        ),
        near_miss=NearMiss("jks.alias", "2026-01-10T10:00:03Z", "2026-03-15T12:34:57Z"),
    ),
    Cause(
        id="rpm-header-buildtime-buildhost",
        title="Time and host of the build of an RPM package",
        family="time",
        kinds=("rpm.buildtime", "rpm.buildhost", "rpm.cookie", "rpm.filemtimes"),
        tokens=_package,
        judge=_two_packages,
        why="rpmbuild writes the time and the host of the build into the package's header.",
        fixes=(
            Fix(
                "rpmbuild --define '_buildhost reproducible' --define"
                " 'use_source_date_epoch_as_buildtime 1' --define"
                " 'clamp_mtime_to_source_date_epoch 1' with SOURCE_DATE_EPOCH (rpm 4.14 and later)"
            ),
        ),
        references=(_EPOCH, "https://rpm.org/docs/4.20.x/manual/reproducible.html"),
        example=NearMiss("rpm.buildhost", "build-a", "build-b"),
        near_miss=NearMiss("rpm.version", "build-a", "build-b"),
    ),
    Cause(
        id="rpmdb-install-time-tid",
        title="When RPM packages were installed",
        family="time",
        kinds=("sqlite.rows",),
        paths=late(r"rpmdb\.sqlite"),
        where=late(r"(?:^|/)(?:Installtid|Packages)$"),
        tokens=installed,
        judge=two_times,
        why="rpm writes the time of the installation and of its transaction into its database.",
        fixes=(Fix("SOURCE_DATE_EPOCH when packages are installed (rpm 4.18 and later)"),),
        references=(_EPOCH,),
        example=NearMiss(
            "sqlite.rows",
            "key=x'20236269', hnum=1, idx=0",
            "key=x'70a7b669', hnum=1, idx=0",
            "var/lib/rpm/rpmdb.sqlite",
            where=("tables", "Installtid"),
        ),
        near_miss=NearMiss(
            "sqlite.rows",
            "key=x'20236269', hnum=1, idx=0",
            "key=x'70a7b669', hnum=2, idx=0",
            "var/lib/rpm/rpmdb.sqlite",
            where=("tables", "Installtid"),
        ),
    ),
    Cause(
        id="timestamps-in-uimage",
        title="Time in the header of a U-Boot image",
        family="time",
        kinds=("uimage.time", "device_tree.timestamp"),
        tokens=time_field,
        judge=two_times,
        why="mkimage writes the time of its run into the header.",
        fixes=(Fix("SOURCE_DATE_EPOCH for mkimage"),),
        references=(_EPOCH, _IMAGES),
        example=NearMiss("uimage.time", "2026-01-10T09:59:59Z", "2026-03-15T12:34:55Z"),
        near_miss=NearMiss("uimage.load", "2026-01-10T09:59:59Z", "2026-03-15T12:34:55Z"),
    ),
    Cause(
        id="filesystem-image-timestamps",
        title="Times in a file system image",
        family="time",
        kinds=_TIMES,
        tokens=_image_time,
        judge=_two_image_times,
        why="The program that makes the image writes its own time and the files' times into it.",
        fixes=(
            Fix(
                "SOURCE_DATE_EPOCH for mksquashfs (4.4 and later), xorriso -as mkisofs and"
                " mkfs.erofs -T; E2FSPROGS_FAKE_TIME for mke2fs, SOURCE_DATE_EPOCH from 1.47.1 on;"
                " mkfs.vfat --invariant and mcopy -m of files with fixed times"
            ),
        ),
        references=(_IMAGES, _EPOCH),
        example=NearMiss(
            "squashfs.superblock.mkfs_time", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"
        ),
        near_miss=NearMiss("ext.superblock.blocks", "1768039200", "1773578096"),
    ),
    Cause(
        id="filesystem-image-uuid-hashseed",
        title="UUID, volume number or hash seed of a file system image",
        family="randomness",
        kinds=_UUIDS,
        tokens=joined(
            only(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "uuid"),
            only(r"0x[0-9a-f]{1,8}", "number"),
        ),
        judge=any_two,
        why="The program that makes the image gives it a random identity.",
        fixes=(
            Fix(
                "mke2fs -U UUID -E hash_seed=UUID; mkfs.vfat -i NUMBER or --invariant; mkfs.erofs"
                " -U UUID"
            ),
        ),
        references=(_IMAGES,),
        example=NearMiss(
            "ext.superblock.uuid",
            "11111111-1111-1111-1111-111111111111",
            "22222222-2222-2222-2222-222222222222",
        ),
        near_miss=NearMiss("ext.superblock.blocks", "0x11111111", "0x22222222"),
    ),
    Cause(
        id="tar-mtime",
        title="Modification times of tar members",
        family="time",
        kinds=("tar.pax",),
        tokens=pax_time,
        judge=two_times,
        why="tar keeps the modification time of every file; files that the build writes get the"
        " clock's time.",
        fixes=(
            Fix(
                "tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --clamp-mtime; for Python sdists"
                " SOURCE_DATE_EPOCH, where the build backend honours it"
            ),
        ),
        references=(_ARCHIVES,),
        example=NearMiss("tar.pax", "mtime=1768039200.0", "mtime=1773578096.0"),
        near_miss=NearMiss("tar.pax", "size=1768039200", "size=1773578096"),
    ),
    Cause(
        id="kernel-banner",
        title="Who built a kernel, where and when",
        family="env",
        kinds=("vmlinuz.version_text",),
        tokens=_banner,
        judge=_two_banners,
        why="The kernel's build writes user, host and time into its version.",
        fixes=(Fix("set KBUILD_BUILD_USER, KBUILD_BUILD_HOST and KBUILD_BUILD_TIMESTAMP"),),
        references=("https://docs.kernel.org/kbuild/reproducible-builds.html",),
        example=NearMiss(
            "vmlinuz.version_text",
            "6.1.0 (builder@a) #1 SMP 2023-11-14",
            "6.1.0 (builder@b) #1 SMP 2023-11-14",
        ),
        near_miss=NearMiss(
            "vmlinuz.version_text",
            "6.1.0 (builder@a) #1 SMP 2023-11-14",
            "6.1.1 (builder@b) #1 SMP 2023-11-14",
        ),
    ),
    Cause(
        id="filesystem-stat-capture",
        title="Identity of a Berkeley DB file",
        family="fs-metadata",
        kinds=("berkeley_db.uid",),
        tokens=only(r"[0-9a-f]{40}", "uid"),
        judge=any_two,
        why="Berkeley DB gives each file an identity made of its inode and device number, the time"
        " and the process.",
        fixes=(Fix("db_load -r fileid FILE sets it anew; make the database at the first start"),),
        references=(_INPUTS,),
        example=NearMiss(
            "berkeley_db.uid",
            "e129060000fe0000cd7218583705000000000000",
            "d129060000fe0000f5a138823a05000000000000",
        ),
        near_miss=NearMiss(
            "berkeley_db.lsn",
            "e129060000fe0000cd7218583705000000000000",
            "d129060000fe0000f5a138823a05000000000000",
        ),
    ),
)
