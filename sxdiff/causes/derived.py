"""Digests, sizes and build-ids of other files: they follow from the files that they speak of.

That they do is not seen here: the whole of both images must have a stream with each side's value.
"""

from collections.abc import Iterator
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, NearMiss, Token
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import any_two, matches

LOOKUP = "digest"
IDENTITY = "build-id"
_BASE64 = r"[A-Za-z0-9+/_-]"
_END = r"={0,2}(?![A-Za-z0-9+/=_-])"
_HEX = "|".join(
    rf"{digits}{{{size}}}" for size in (128, 96, 64, 40, 32) for digits in ("[0-9a-f]", "[0-9A-F]")
)
_DIGEST = late(
    rf"(?<![0-9A-Za-z+/_])(?:{_HEX})(?![0-9A-Za-z+/=])"
    # sha256=... of RECORD, sha512-... of npm and of HTML, SHA-256-Digest: ... of a manifest
    rf"|(?i:(?<![0-9a-z])(?:md5|sha-?(?:1|256|384|512))(?:[-=:]|-digest(?:-manifest)?: ))"
    rf"(?P<v>(?:{_BASE64}{{86}}|{_BASE64}{{64}}|{_BASE64}{{43}}|{_BASE64}{{27}}|{_BASE64}{{22}})"
    rf"{_END})"
    # checksums of apk: base64 of SHA-1 behind Q1, of SHA-256 behind Q2
    rf"|(?<![0-9A-Za-z+/])Q(?:1(?P<q>{_BASE64}{{27}}=)|2(?P<r>{_BASE64}{{43}}=))"
)
_MAYBE = late(rf"{_BASE64}{{22}}")
"""What the shortest has."""
_SIZE = late(r"(?:,| +)(?P<v>\d{1,15})(?=[ ,\r\n]|\Z)")
_BUILD_ID = late(r"(?:\A|/)\.build-id/(?P<v>[0-9a-f]{2}/[0-9a-f]{6,126})(?=(?:\.debug)?\Z)")
_KINDS = (
    "text",
    "xml",
    "checksums.digest",
    "json.value",
    "cyclonedx.value",
    "spdx.value",
    "in_toto.value",
    "ini.value",
    "stanza.value",
    "sqlite.rows",
    "rpm.filedigests",
)


def _digests(text: str) -> Iterator[Token]:
    """Digests, and the size that stands right behind one."""
    if not _MAYBE.search(text):
        return
    for found in _DIGEST.finditer(text):
        group = found.lastgroup or 0
        value = found[group]
        form = f"digest {found[0][: found.start(group) - found.start()]} {len(value)}"
        yield Token(*found.span(group), value, form)
        size = _SIZE.match(text, found.end())
        if size:
            yield Token(*size.span("v"), size["v"], "size")


def _size(text: str) -> Iterator[Token]:
    if text.isdigit() and len(text) < 16:
        yield Token(0, len(text), text, "size")


def _two_build_ids(one: Token, two: Token) -> Evidence:
    """Two build-ids, each cut into a directory and a name."""
    return Evidence(one.value.replace("/", ""), two.value.replace("/", ""))


_WHY: Final = "The digest is that of a file that differs: it follows from it."
_FIX: Final = (Fix("nothing here: it is equal when the file is"),)
_ONE, _TWO = "a" * 31 + "1", "b" * 31 + "2"

CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        id="derived-manifest-hash",
        title="Digests and sizes of files that differ",
        family="derived",
        kinds=_KINDS,
        tokens=_digests,
        judge=any_two,
        why=_WHY,
        fixes=_FIX,
        references=("https://packaging.python.org/specifications/recording-installed-packages/",),
        example=NearMiss("text", f"{_ONE}  usr/bin/x\n", f"{_TWO}  usr/bin/x\n"),
        near_miss=NearMiss("text", f"{_ONE}  usr/bin/x\n", f"{_TWO}  usr/bin/y\n"),
        lookup=LOOKUP,
    ),
    Cause(
        id="derived-manifest-hash",
        title="Digests and sizes of files that differ",
        family="derived",
        kinds=("checksums.size",),
        tokens=_size,
        judge=any_two,
        why="The size is that of a file that differs: it follows from it.",
        fixes=_FIX,
        references=("https://packaging.python.org/specifications/recording-installed-packages/",),
        example=NearMiss("checksums.size", "120", "121", where=("p/direct_url.json",)),
        near_miss=NearMiss("checksums.entry", "p/a,", "p/b,"),
        lookup=LOOKUP,
    ),
    Cause(
        id="derived-build-id-file-name",
        title="Files that are named by the build-id of a program",
        family="derived",
        kinds=("file.renamed",),
        tokens=matches(_BUILD_ID, "build-id"),
        judge=_two_build_ids,
        why="Debug files, and links to programs, are named by the program's build-id: the name"
        " follows from it.",
        fixes=(Fix("nothing here: the name is equal when the program's build-id is"),),
        references=("https://sourceware.org/gdb/current/onlinedocs/gdb/Separate-Debug-Files.html",),
        example=NearMiss(
            "file.renamed",
            "usr/lib/debug/.build-id/12/c103b24d2a521749e3f5acd469ae4b225d4ee1.debug",
            "usr/lib/debug/.build-id/97/086b61d3ba1e987b00b958f7bcfb38119a6a23.debug",
        ),
        near_miss=NearMiss(
            "file.renamed",
            "usr/lib/debug/.build-id/12/c103b24d2a521749e3f5acd469ae4b225d4ee1.debug",
            "usr/lib/.build-id/97/086b61d3ba1e987b00b958f7bcfb38119a6a23.debug",
        ),
        lookup=IDENTITY,
    ),
)
