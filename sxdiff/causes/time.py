"""Times of the build that went into the result."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, NearMiss, Token
from sxdiff.causes.languages import dates, two_days, two_languages
from sxdiff.causes.moments import NAMED
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    NOT_WRITTEN_BY_HAND,
    any_two,
    epoch_numbers,
    strong,
    time_field,
    times,
    two_times,
)

TEXTS: Final = (
    "text", "xml", "bytes", "file.content", "untold", "json.*", "cyclonedx.*", "spdx.*",
    "in_toto.*",
    "ini.*", "stanza.*", "config.value", "manifest.value", "index.value", "elf.strings",
    "elf.section.content", "elf.modinfo", "elf.note.text", "elf.go_build.*", "elf.dwarf*",
    "macho.content", "pe.section.content", "pe.version", "cli.user_strings", "java_class.constants",
    "pyc.consts", "luac.constants", "beam.*", "ocaml.value", "rmeta.*", "wasm.*", "elc.forms",
    "r_rds.object", "llvm_bitcode.*", "haskell_interface.*", "sqlite.rows", "gdbm.pair",
    "berkeley_db.pair", "gvariant.*", "hwdb.property", "device_tree.property", "png.text",
    "jpeg.comment", "gif.comment", "tiff.tag", "ogg.comment", "riff.*", "pdf.entry", "pdf.value",
    "pdf.between", "pdf.header", "font.name", "gettext_mo.field", "vmlinuz.version_text",
    "zip.comment",
    "gzip.comment", "numpy.header", "pickle.opcodes", "java_serialized.contents",
    "hdf5.*", "rpm.description", "rpm.summary", "modinfo.*",
)  # fmt: skip
"""Kinds that hold text of any sort. A size, a serial number or a certificate's validity is none:
what a field of a format means is for the causes of that format."""
_DAY = timedelta(days=1)
_FARTHEST = timedelta(hours=26)
"""From UTC-12 to UTC+14."""
_QUARTER = timedelta(minutes=15)


def _two_zones(one: Token, two: Token) -> Evidence | None:
    """One instant in two zones; where the zones are not told, two times of day whose minutes and
    seconds are as those of two zones."""
    try:
        a, b = (datetime.fromisoformat(token.value) for token in (one, two))
    except ValueError:
        return None
    if (a.tzinfo is None) != (b.tzinfo is None) or "%H" not in one.form:
        return None
    if a.tzinfo and b.tzinfo and a.utcoffset() != b.utcoffset():
        return Evidence(_with_zone(a), _with_zone(b)) if a == b else None
    apart = abs(a.replace(tzinfo=None) - b.replace(tzinfo=None))
    if "%S" not in one.form or apart % _QUARTER or not _QUARTER <= apart <= _FARTHEST:
        return None
    if apart == _DAY:
        return None  # a build of every night
    return Evidence(_with_zone(a), _with_zone(b))


_NUMBER = late(r"(?:BINFLOAT|FLOAT|BININT|INT|LONG1) \d[\d.]+")
_NAMED_LAST = late(rf"{NAMED.pattern}[^/]*\Z|\Aall_docs/[^/]*\Z")
"""Keys of what was made at a time. Sphinx keeps when it read each document in `all_docs`."""


_VARIABLE = late(r"number \d{10}")
_JAVA = late(r"(?:java\.util\.Date|java\.time\.Instant|long|int|double) (?:\S+ )?= \d[\d.E]+")


def _number_of_java(text: str) -> Iterator[Token]:
    """A date, or a field, of a serialized Java object: strong where its name says so."""
    if _JAVA.fullmatch(text):
        yield from epoch_numbers(text)


def _number_of_symbol(text: str) -> Iterator[Token]:
    """A number that fills a variable with the name of a time."""
    if _VARIABLE.fullmatch(text):
        yield from epoch_numbers(text)


def _number_of_opcode(text: str) -> Iterator[Token]:
    """A number that a pickle holds in binary, or as text (Lib/pickletools.py)."""
    if _NUMBER.fullmatch(text):
        yield from epoch_numbers(text)


def _with_zone(moment: datetime) -> str:
    return moment.isoformat(" ")


_SPAN = (
    r"(?:\d+(?:\.\d+)? ?(?:ns|us|\u00b5s|\u03bcs|ms|microseconds|milliseconds)"
    r"|\d+\.\d+ ?(?:s|secs?|seconds))"
)
"""What a clock measured: parts of a second. Whole ones are chosen by somebody."""
_WHAT = (
    r"(?: (?:successfully|all|and|with|release|debug|dev|\[[\w +-]{1,40}\]|target\(s\)|\d+"
    r"|modules?|files?|tests?|targets?|pages?|errors?|warnings?|packages?)){0,5}"
)
"""What tools say between what they did and how long it took."""
_NO_WISH = r"(?<!be )(?<!not )(?<!if )(?<!unless )(?<!until )(?<!get )(?<!when )(?<!once )"
_TOOK = late(
    rf"(?im){_NO_WISH}\b(?:"
    rf"(?:completed|finished|done|built|compiled|passed|failed|succeeded|generated){_WHAT} in:? "
    rf"|ran \d+ tests? in |took:? |elapsed(?: time)?(?:: ?| ?= ?| )"
    rf"|(?:total|build|wall|wall-clock|execution) time(?:: ?| ?= ?| is | was )"
    rf")(?P<v>{_SPAN})(?![\w.])"
    r"|^(?:real|user|sys)[ \t]+(?P<m>\d+m\d+[.,]\d{3}s)$"
)


_MAYBE_SPAN = late(r"\d ?[num\u00b5\u03bcs]", re.IGNORECASE)


def _durations(text: str) -> Iterator[Token]:
    """Spans of time that a run is said to have taken."""
    if not _MAYBE_SPAN.search(text):
        return
    for found in _TOOK.finditer(text):
        name = found.lastgroup or "v"
        yield Token(*found.span(name), found[name], "span of time")


CAUSES: Final = (
    Cause(
        id="tar-mtime",
        title="Modification times of tar members",
        family="time",
        kinds=("tar.mtime", "tar.header.mtime"),
        tokens=time_field,
        judge=two_times,
        why="tar keeps the modification time of every file; files that the build writes get the"
        " clock's time.",
        fixes=(
            Fix(
                "BuildKit: SOURCE_DATE_EPOCH as a build argument and --output"
                " type=oci,rewrite-timestamp=true (BuildKit 0.13 and later)",
                late("buildkit", re.IGNORECASE),
            ),
            Fix(
                "buildah: --source-date-epoch N --rewrite-timestamp (1.41 and later), or"
                " --timestamp N",
                late("buildah|podman", re.IGNORECASE),
            ),
            Fix(
                "tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --clamp-mtime; for image layers"
                " rewrite-timestamp=true with BuildKit, --source-date-epoch N"
                " --rewrite-timestamp with buildah 1.41"
            ),
        ),
        references=("https://reproducible-builds.org/docs/archives/",),
        example=NearMiss("tar.mtime", "1768039200", "1773578096"),
        near_miss=NearMiss("tar.mode", "0644", "0600"),
    ),
    Cause(
        id="timezone-in-text",
        title="One time in two time zones",
        family="time",
        kinds=("text", "xml", "json.value", "ini.value", "stanza.value", "elf.strings"),
        tokens=strong(times),
        judge=_two_zones,
        why="The build wrote a time as its own time zone has it.",
        fixes=(Fix("TZ=UTC; date -u, gmtime() instead of localtime()"),),
        references=("https://reproducible-builds.org/docs/timezones/",),
        example=NearMiss(
            "text", "at 2026-01-10 10:00:00 +0000\n", "at 2026-01-10 11:00:00 +0100\n"
        ),
        near_miss=NearMiss(
            "text", "at 2026-01-10 10:00:00 +0000, v2\n", "at 2026-01-10 11:00:00 +0100, v3\n"
        ),
    ),
    Cause(
        id="locale-translated-text",
        title="A date in words of two languages",
        family="locale",
        kinds=("text", "xml", "json.value", "ini.value", "stanza.value", "elf.strings"),
        tokens=dates,
        judge=two_languages,
        why="The build wrote a date in the language of its locale.",
        fixes=(Fix("LC_ALL=C.UTF-8 (LC_TIME alone for dates)"),),
        references=("https://reproducible-builds.org/docs/locales/",),
        example=NearMiss("text", "Saturday 10 January 2026\n", "laupäev 10 jaanuar 2026\n"),
        near_miss=NearMiss("text", "Saturday 10 January 2026\n", "laupäev 10 veebruar 2026\n"),
    ),
    Cause(
        id="timestamp-in-text",
        title="Times in text",
        family="time",
        kinds=TEXTS,
        tokens=times,
        judge=two_times,
        named=NAMED,
        why="The build wrote the date or the time of day into a file.",
        fixes=(
            Fix(
                "use SOURCE_DATE_EPOCH instead of the clock: date -u -d @$SOURCE_DATE_EPOCH, with"
                " LC_ALL=C TZ=UTC; or leave the date out"
            ),
        ),
        references=("https://reproducible-builds.org/docs/source-date-epoch/",),
        example=NearMiss("text", "Built on 2026-01-10.\n", "Built on 2026-03-15.\n"),
        near_miss=NearMiss("text", "Built on 2026-01-10, v2\n", "Built on 2026-03-15, v3\n"),
    ),
    Cause(
        id="timestamp-binary-epoch",
        title="Times in fields of a format",
        family="time",
        kinds=("pickle.opcodes",),
        tokens=_number_of_opcode,
        judge=two_times,
        named=_NAMED_LAST,
        why="The build kept the number of seconds since 1970 in an object.",
        fixes=(Fix("use SOURCE_DATE_EPOCH instead of time.time(), or leave the time out"),),
        references=("https://reproducible-builds.org/docs/timestamps/",),
        example=NearMiss(
            "pickle.opcodes", "BINFLOAT 1768039200.0", "BINFLOAT 1773578096.0", symbol="built"
        ),
        near_miss=NearMiss(
            "pickle.opcodes", "BINFLOAT 1768039200.0", "BINFLOAT 1773578096.0", symbol="built/limit"
        ),
    ),
    Cause(
        id="timestamp-binary-epoch",
        title="Times in fields of a format",
        family="time",
        kinds=("elf.section.content",),
        tokens=_number_of_symbol,
        judge=two_times,
        named=NAMED,
        why="The build compiled the number of seconds since 1970 into a variable.",
        fixes=(Fix("-DBUILT=$SOURCE_DATE_EPOCH instead of $(date +%s), or leave the number out"),),
        references=("https://reproducible-builds.org/docs/source-date-epoch/",),
        example=NearMiss(
            "elf.section.content", "number 1768039200", "number 1773578096", symbol="built"
        ),
        near_miss=NearMiss(
            "elf.section.content", "number 1768039200", "number 1773578096", symbol="expire_time"
        ),
    ),
    Cause(
        id="timestamp-binary-epoch",
        title="Times in fields of a format",
        family="time",
        kinds=("java_serialized.contents",),
        tokens=_number_of_java,
        judge=two_times,
        why="The build kept the time of day in an object.",
        fixes=(
            Fix(
                "use SOURCE_DATE_EPOCH instead of new Date(), Instant.now() or"
                " System.currentTimeMillis(), or leave the time out (a transient field)"
            ),
        ),
        references=("https://reproducible-builds.org/docs/timestamps/",),
        example=NearMiss(
            "java_serialized.contents",
            "java.util.Date = 1768039200000",
            "java.util.Date = 1773578096000",
        ),
        near_miss=NearMiss(
            "java_serialized.contents",
            "java.util.Date expires = 1768039200000",
            "java.util.Date expires = 1773578096000",
        ),
    ),
    Cause(
        id="timestamp-unix-epoch-text",
        title="Seconds since 1970 in text",
        family="time",
        kinds=TEXTS,
        tokens=epoch_numbers,
        judge=two_times,
        named=NAMED,
        why="The build wrote the number of seconds (or parts of them) since 1970 into a file.",
        fixes=(Fix("use SOURCE_DATE_EPOCH instead of the clock, or leave the number out"),),
        references=("https://reproducible-builds.org/docs/source-date-epoch/",),
        example=NearMiss("text", "build=1768039200\n", "build=1773578096\n"),
        near_miss=NearMiss("text", "size=0000039200\n", "size=1773578096\n"),
    ),
    Cause(
        id="timestamp-in-text",
        title="Times in text",
        family="time",
        kinds=("text", "xml", "json.value", "ini.value", "stanza.value", "elf.strings"),
        tokens=dates,
        judge=two_days,
        why="The build wrote the date into a file, in the language of its locale.",
        fixes=(
            Fix("use SOURCE_DATE_EPOCH instead of the clock, with LC_ALL=C; or leave the date out"),
        ),
        references=("https://reproducible-builds.org/docs/source-date-epoch/",),
        example=NearMiss("text", "le 10 janvier 2026\n", "le 15 mars 2026\n"),
        near_miss=NearMiss("text", "le 10 janvier 2026, v2\n", "le 15 mars 2026, v3\n"),
    ),
    Cause(
        id="timestamp-binary-epoch",
        title="Times in fields of a format",
        family="time",
        kinds=(
            "*.mtime",
            "*.ctime",
            "*.atime",
            "*.crtime",
            "*.timestamp",
            "*.mkfs_time",
            "*.write_time",
            "*.check_time",
            "*.record.modified",
            "*.record.created",
            "*.record.accessed",
            "*.record.changed",
            "*.entry.modified",
            "*.entry.created",
            "*.entry.accessed",
            "*.volume.created",
            "*.volume.modified",
            "uimage.time",
            "icc.date",
        ),
        tokens=time_field,
        judge=two_times,
        why="The format has a field for when something was made or changed.",
        fixes=(Fix("set SOURCE_DATE_EPOCH, or the times of the files before they are packed"),),
        references=("https://reproducible-builds.org/docs/timestamps/",),
        example=NearMiss("x.timestamp", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        near_miss=NearMiss("x.size", "1768039200", "1773578096"),
    ),
    Cause(
        id="captures-execution-time",
        title="How long something took",
        family="time",
        kinds=("text",),
        tokens=_durations,
        judge=any_two,
        paths=NOT_WRITTEN_BY_HAND,
        why="The build kept how long one of its steps took.",
        fixes=(Fix("do not ship the log of a run, or take the times out of it"),),
        references=("https://reproducible-builds.org/docs/timestamps/",),
        example=NearMiss("text", "Tests completed in 51234us\n", "Tests completed in 50871us\n"),
        near_miss=NearMiss(
            "text", "timeout = 30s, retry in 1.5s\n", "timeout = 30s, retry in 2.5s\n"
        ),
    ),
)
