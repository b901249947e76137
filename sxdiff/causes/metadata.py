"""Owners, modes, order of files in layers and archives, and how tar headers say them.

POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar 1.35 manual;
OCI image-spec, "Image Layer Filesystem Changeset".
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, Judge, NearMiss, Token, Tokens
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    any_or_none,
    any_two,
    joined,
    matches,
    seconds,
    time_field,
    two_times,
)
from sxdiff.formats.tar import number, path_of

_ARCHIVES: Final = ("https://reproducible-builds.org/docs/archives/",)
_LAYER_SPEC: Final = "https://github.com/opencontainers/image-spec/blob/main/layer.md"
_BUILDKIT: Final = late("buildkit", re.IGNORECASE)
_BUILDAH: Final = late("buildah|podman", re.IGNORECASE)

_LAYER_TIMES: Final = (
    Fix(
        "BuildKit: SOURCE_DATE_EPOCH as a build argument and --output"
        " type=oci,rewrite-timestamp=true (BuildKit 0.13 and later)",
        _BUILDKIT,
    ),
    Fix(
        "buildah: --source-date-epoch N --rewrite-timestamp (1.41 and later), or --timestamp N",
        _BUILDAH,
    ),
)


# Times

_DECIMAL = late(r"(\d{1,12})(?:\.(\d{1,9}))?")


def _instant(text: str) -> Iterator[Token]:
    """A time to the nanosecond, with its whole second as its form."""
    found = _DECIMAL.fullmatch(text)
    if found and seconds(int(found[1])):
        yield Token(0, len(text), text, found[1])


_CREATION = "LIBARCHIVE.creationtime="


def _moment_of_file(prefix: str) -> Tokens:
    """When a file was read, made or its inode changed, behind a prefix; "" where it is not
    stored."""

    def found_in(text: str) -> Iterator[Token]:
        if not text:
            yield Token(0, 0, "")
        elif text.startswith(prefix):
            found = _DECIMAL.fullmatch(text, len(prefix))
            moment = seconds(int(found[1])) if found else None
            if moment:
                yield Token(0, len(text), moment)

    return found_in


def _two_moments(one: Token, two: Token) -> Evidence | None:
    if one.value and two.value:
        return two_times(one, two)
    a, b = (token.value.replace("T", " ") or "not stored" for token in (one, two))
    return Evidence(a, b)


# Owners

_NOBODY = (65534, 65535)


def _user(what: str) -> Tokens:
    """The number of an ordinary account: not root's, no system account's, not nobody's."""

    def found_in(text: str) -> Iterator[Token]:
        if not (text.isascii() and text.isdigit()) or len(text) > 10:
            return
        number = int(text)
        if number >= 1000 and number not in _NOBODY:
            yield Token(0, len(text), f"{what} {number}", what)

    return found_in


_ACCOUNT = late(r"(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?)?")


# Modes


def _created_mode(text: str) -> Iterator[Token]:
    """The mode that open(2) or mkdir(2) gives a file under umask 022 or 002, and which of them."""
    if not 3 <= len(text) <= 7 or set(text) - set("01234567"):
        return
    mode = int(text, 8)
    permissions, kind = mode & 0o7777, mode & ~0o7777
    if kind in (0, 0o40000, 0o100000) and permissions in (0o644, 0o755, 0o664, 0o775):
        mask = "002" if permissions & 0o020 else "022"
        yield Token(0, len(text), f"umask {mask}", f"{mode | 0o020:o}")


# Order

_ELSEWHERE = late(r"(?s)\d+ of \d+ members elsewhere; .* is number (?P<v>\d+)")
"""What the comparison says of two layers whose members are the same in another order."""


def _members(text: str) -> Iterator[Token]:
    """Names of members in their order: of a layer one that moved, of a file all of them."""
    found = _ELSEWHERE.fullmatch(text)
    if found:
        yield Token(*found.span("v"), f"number {found['v']}", "place")
    else:
        yield Token(0, len(text), text, "\0".join(sorted(text.split("\n"))))


def _other_members(one: Token, two: Token) -> Evidence:
    pairs = zip(one.value.split("\n"), two.value.split("\n"), strict=False)
    a, b = next(((x, y) for x, y in pairs if x != y), (one.value, two.value))
    return Evidence(a[:80], b[:80])


# How headers are spelled

_DIALECT = late(r"pax global|pax|Solaris extended|GNU long name|GNU long link|ustar|GNU|v7")
_TOLD_BY_MEANING = late(
    r"path|linkpath|size|mtime|atime|ctime|uid|gid|uname|gname"
    r"|GNU\.sparse\.[a-z]+|SCHILY\.xattr\..+|LIBARCHIVE\.creationtime"
)
"""Records that are told by themselves wherever they say anything else than the header does."""
_EXTENDED = late(
    r"extended header \d+: name (?P<name>[^,;]*)"
    r"(?:, (?:(?:mode|uid|gid|mtime|devmajor|devminor)(?: (?:0|0644|as the member's))?"
    r"(?: (?:empty|base 256|[o \\0]+))?|(?:uname|gname) (?:root|wheel)))*"
)
_NAME_OF_EXTENDED = late(
    r"\././@(?:LongLink|PaxHeader)|(?:[^;]*/)?PaxHeaders?(?:\.\d+)?/[^;/]*"
    r"|(?:/tmp/)?GlobalHead\.\d+\.\d+|pax_global_header"
)


def _headers(text: str) -> Iterator[Token]:
    """Which headers describe a member; what they mean is told by itself, field by field."""
    first, *rest = text.split("; ")
    if not all(map(_DIALECT.fullmatch, first.split(", "))):
        return
    form: list[str] = []
    for part in rest:
        if part.startswith("records "):
            keys = part.removeprefix("records ").split(", ")
            form += [key for key in keys if not _TOLD_BY_MEANING.fullmatch(key)]
            continue
        found = _EXTENDED.fullmatch(part)
        if not found or not _NAME_OF_EXTENDED.fullmatch(found["name"]):
            form.append(part)
    yield Token(0, len(text), text, "\n".join(form))


def _two_headers(one: Token, two: Token) -> Evidence:
    a, b = (token.value.partition("; ")[0] for token in (one, two))
    return Evidence(a, b) if a != b else Evidence(one.value[:120], two.value[:120])


_MAGICS = {"": "v7", "ustar": "GNU", "ustar\0" + "00": "ustar"}


def _magic(text: str) -> Iterator[Token]:
    said = _MAGICS.get(text.rstrip("\0 "))
    if said:
        yield Token(0, len(text), said)


_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def _number(text: str) -> Iterator[Token]:
    """A number in a header field as it is spelled, with its value as its form."""
    digits = text.strip(" \0")
    if len(text) <= 12 and not set(digits) - set("01234567"):
        yield Token(0, len(text), digits or "(empty)", str(int(digits or "0", 8)))
        return
    spelled = text.encode("utf-8", "surrogateescape")
    raw = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), spelled)
    if raw[:1] >= b"\x80" and len(raw) <= 12:
        value = number(raw.ljust(12 if len(raw) > 8 else 8, b"\0"))
        yield Token(0, len(text), "base 256", str(value))


_STYLES = late(r"(?:base 256|empty|o*[ \\0o]*)?")


def _style(text: str) -> Iterator[Token]:
    """How a number is spelled in a header, where that is not the plain way."""
    if _STYLES.fullmatch(text):
        yield Token(0, len(text), text or "octal digits")


_TYPE_BITS = frozenset((0, 0o1, 0o2, 0o4, 0o6, 0o10, 0o12))


def _mode_with_type(text: str) -> Iterator[Token]:
    """A mode, with or without the bits that say the type of file (which has its own field)."""
    digits, _, style = text.strip(" \0").partition(" ")
    if 0 < len(digits) <= 11 and not set(digits) - set("01234567") and _STYLES.fullmatch(style):
        mode = int(digits, 8)
        if mode >> 12 in _TYPE_BITS:
            yield Token(0, len(text), text, f"{mode & 0o7777:04o}")


def _plain_path(text: str) -> Iterator[Token]:
    """A member's name, whose form is the path that it means: `./etc/` is `etc`."""
    if ".." not in text.split("/") and text:
        meant = path_of(text.encode("utf-8", "surrogateescape"))
        yield Token(0, len(text), text, meant.decode("utf-8", "surrogateescape"))


def _sorted(text: str) -> Iterator[Token]:
    yield Token(0, len(text), text, "\0".join(sorted(text.split(", "))))


_REAL_NAME = late(r"[^\0]{1,100}")
_ZEROS = matches(
    late(r"\A(?:\d+ zero bytes|zero blocks up to 10240 bytes|\d+ zero blocks|\d+ zeros|)\Z"),
    "zeros",
)


_LABEL = late(
    r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+"
    r"(?::s\d{1,2}(?:-s\d{1,2})?(?::c\d{1,4}(?:[.,]c\d{1,4})*)?(?:-s\d{1,2}(?::[c0-9.,]+)?)?)?\0?"
)
_SELINUX = "security.selinux="


def _label(prefix: str) -> Tokens:
    """A label of SELinux behind a prefix, or "" where there is none."""

    def found_in(text: str) -> Iterator[Token]:
        label = text.removeprefix(prefix)
        if not text or (text.startswith(prefix) and _LABEL.fullmatch(label)):
            yield Token(0, len(text), label.rstrip("\0") or "(none)")

    return found_in


def _full(pattern: re.Pattern[str], form: str = "") -> Tokens:
    """The whole text as one token, where the pattern fits all of it."""

    def found_in(text: str) -> Iterator[Token]:
        if pattern.fullmatch(text):
            yield Token(0, len(text), text, form)

    return found_in


def _header(*fields: str) -> re.Pattern[str]:
    """The symbol of a field or record of a member's header in a layer."""
    return late(rf"\Aheader (?:{'|'.join(fields)})\Z")


_DIALECT_CAUSE: Final = Cause(
    id="tar-format",
    title="Tar headers in another dialect",
    family="toolchain",
    kinds=("tar.dialect",),
    tokens=_headers,
    judge=_two_headers,
    why="Two programs, or two formats of one, say the same of a file in other headers: ustar, GNU"
    " or PAX.",
    fixes=(
        Fix("pack with the same version of the same program; tar --format=gnu, or --format=posix"),
    ),
    references=("https://www.gnu.org/software/tar/manual/html_section/Formats.html",),
    example=NearMiss("tar.dialect", "GNU", "pax, ustar; records mtime"),
    near_miss=NearMiss("tar.dialect", "GNU", "pax, ustar; records mtime, comment"),
)


def _spelled(
    kinds: tuple[str, ...],
    tokens: Tokens,
    example: NearMiss,
    near_miss: NearMiss,
    symbol: re.Pattern[str] | None = None,
    judge: Judge = any_or_none,
) -> Cause:
    """Another place where a dialect shows."""
    return replace(
        _DIALECT_CAUSE,
        kinds=kinds,
        tokens=tokens,
        judge=judge,
        example=example,
        near_miss=near_miss,
        symbol=symbol,
    )


_FILE_TIMES: Final = Cause(
    id="tar-pax-atime-ctime",
    title="Times of access and of inodes in PAX headers",
    family="time",
    kinds=("tar.atime", "tar.ctime"),
    tokens=_moment_of_file(""),
    judge=_two_moments,
    why="PAX headers may keep when a file was read and when its inode changed, which no build"
    " controls.",
    fixes=(
        Fix(
            "tar --format=gnu; or --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,"
            "delete=atime,delete=ctime, with POSIXLY_CORRECT unset"
        ),
    ),
    references=_ARCHIVES,
    example=NearMiss("tar.ctime", "1795845284.652108523", "1795845284.679356901"),
    near_miss=NearMiss("tar.ctime", "1795845284.65", "1795845284.65 x"),
)
_OWNER_FIXES: Final = (
    Fix("tar --owner=0 --group=0 --numeric-owner; dpkg-deb --root-owner-group; COPY --chown=0:0"),
)
_SPARSE_RECORD = late(
    r"(?:GNU\.sparse\.(?:(?:major|minor|size|realsize|numblocks|offset|numbytes)=\d+"
    r"|map=[\d,]*|name=[^\n]*))?"
)
_NUMBER = r"[ 0-7]{11}[\0 ]"
_SPARSE_MAP: Final = late(
    rf"|(?:\0{{12}}|{_NUMBER}){{3}}\0{{5}}(?=.{{97}}[0-7 ])(?:{_NUMBER}{_NUMBER}){{1,4}}"
    rf"(?:\0{{24}}){{0,3}}[\0\1][ 0-7]{{11}}[\0 ]?",
    re.DOTALL,
)
"""Behind the names of an old GNU header: times of access and of the inode, the offset of a piece,
5 bytes, four pieces (offset and size), whether more follow, the real size (GNU tar manual, "Basic
Tar Format"). Nothing else has it there."""
_SPARSE_CAUSE: Final = Cause(
    id="tar-sparse-encoding",
    title="Files with holes are stored in another way",
    family="toolchain",
    kinds=("tar.stored", "tar.sparse"),
    tokens=_full(late(r"[0-9a-f+,]*")),
    judge=any_or_none,
    why="A file with holes is stored as a map of its data and the data, in the way of the tar that"
    " packed it; where the holes are is the file system's choice.",
    fixes=(Fix("pack without holes: tar without -S (--sparse)"),),
    references=("https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html",),
    example=NearMiss("tar.sparse", "", "4096+4,20000+4,32768+0"),
    near_miss=NearMiss("tar.sparse", "", "another content"),
)
_LABEL_CAUSE: Final = Cause(
    id="tar-xattrs",
    title="SELinux labels of the building machine",
    family="host",
    kinds=("tar.xattr",),
    tokens=_label(""),
    judge=any_or_none,
    symbol=_header(r"security\.selinux"),
    why="The machine labels the files that it holds, and the archive kept the labels.",
    fixes=(Fix("tar --no-selinux; or --no-xattrs where no capabilities are needed"),),
    references=_ARCHIVES,
    example=NearMiss(
        "tar.xattr",
        "system_u:object_r:container_file_t:s0:c1,c2",
        "system_u:object_r:container_file_t:s0:c3,c9",
        symbol="header security.selinux",
    ),
    near_miss=NearMiss(
        "tar.xattr", "cap_net_raw=ep", "cap_net_admin=ep", symbol="header security.capability"
    ),
)


def _owner_cause(kinds: tuple[str, ...], what: str) -> Cause:
    return Cause(
        id="tar-uid-gid",
        title="Owners by number are those of the builder",
        family="owner",
        kinds=kinds,
        tokens=_user(what),
        judge=any_or_none,
        bound=True,
        why="Files that the builder wrote belong to the account that it ran as, and the archive"
        " keeps its number.",
        fixes=_OWNER_FIXES,
        references=_ARCHIVES,
        example=NearMiss(kinds[0], "1111", "2222"),
        near_miss=NearMiss(kinds[0], "0", "2222"),
    )


CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        id="oci-whiteout-timestamp",
        title="Times of whiteouts",
        family="time",
        kinds=("tar.mtime",),
        tokens=time_field,
        judge=two_times,
        paths=late(r"(?:\A|/)\.wh\.[^/]+\Z"),
        why="A whiteout, which removes a file of a lower layer, gets the clock's time.",
        fixes=(
            *_LAYER_TIMES,
            Fix("set the times of all members; or FROM scratch with COPY --from=STAGE / /"),
        ),
        references=("https://github.com/moby/buildkit/issues/3168", _LAYER_SPEC),
        example=NearMiss("tar.mtime", "1768039200", "1773578096", path="etc/.wh.hosts"),
        near_miss=NearMiss("tar.mtime", "1768039200", "17735780960", path="etc/.wh.hosts"),
    ),
    Cause(
        id="tar-mtime-subsecond",
        title="Fractions of seconds in modification times",
        family="time",
        kinds=("tar.mtime",),
        tokens=_instant,
        judge=any_two,
        why="PAX headers keep modification times to the nanosecond, and one side has another"
        " fraction or none.",
        fixes=(
            *_LAYER_TIMES,
            Fix("tar --mtime=@$SOURCE_DATE_EPOCH --clamp-mtime; or --format=gnu, which has none"),
        ),
        references=_ARCHIVES,
        example=NearMiss("tar.mtime", "1700000000.123456789", "1700000000.5"),
        near_miss=NearMiss("tar.mtime", "1700000000.5", "-1700000000.5"),
    ),
    _FILE_TIMES,
    replace(
        _FILE_TIMES,
        kinds=("tar.pax",),
        symbol=_header(r"LIBARCHIVE\.creationtime"),
        example=NearMiss(
            "tar.pax", "1768039200", "1773578096", symbol="header LIBARCHIVE.creationtime"
        ),
        near_miss=NearMiss("tar.pax", "1768039200", "1773578096", symbol="header comment"),
    ),
    replace(
        _FILE_TIMES,
        kinds=("tar.pax",),
        tokens=_moment_of_file(_CREATION),
        example=NearMiss("tar.pax", f"{_CREATION}1768039200", f"{_CREATION}1773578096.5"),
        near_miss=NearMiss("tar.pax", "comment=1768039200", "comment=1773578096"),
    ),
    _owner_cause(("tar.uid", "cpio.uid"), "uid"),
    _owner_cause(("tar.gid", "cpio.gid"), "gid"),
    Cause(
        id="tar-uname-gname",
        title="Owners by name are those of the builder",
        family="owner",
        kinds=("tar.uname", "tar.gname"),
        tokens=_full(_ACCOUNT),
        judge=any_or_none,
        why="Tar keeps the names that the building machine has for owners; who unpacks a layer goes"
        " by the numbers.",
        fixes=(Fix("tar --numeric-owner, which stores no names"),),
        references=_ARCHIVES,
        example=NearMiss("tar.uname", "root", "builder"),
        near_miss=NearMiss("tar.uname", "root", "not a name"),
    ),
    Cause(
        id="different-due-to-umask",
        title="Permissions of another umask",
        family="umask",
        kinds=("tar.mode",),
        tokens=_created_mode,
        judge=any_or_none,
        bound=True,
        why="Files and folders were made under umask 022 and under umask 002: the group may write"
        " to all of those on one side.",
        fixes=(
            Fix(
                "umask 022 in the build and where the sources are checked out; tar"
                " --mode=go=rX,u+rw,a-s; COPY --chmod=u=rwX,go=rX (Dockerfile 1.14 and later)"
            ),
        ),
        references=("https://reproducible-builds.org/docs/env-variations/",),
        example=NearMiss("tar.mode", "0644", "0664"),
        near_miss=NearMiss("tar.mode", "2755", "2775"),
    ),
    Cause(
        id="archive-member-order",
        title="Members of an archive in another order",
        family="order",
        kinds=("tar.order",),
        tokens=_members,
        judge=_other_members,
        why="The archive was packed in the order in which the file system lists names.",
        fixes=(
            Fix(
                "tar --sort=name; find ... -print0 | LC_ALL=C sort -z | tar --no-recursion --null"
                " -T - (or cpio -0 -o); zip -X with a sorted list of names"
            ),
        ),
        references=("https://reproducible-builds.org/docs/stable-inputs/",),
        example=NearMiss("tar.order", "t/a\nt/b", "t/b\nt/a"),
        near_miss=NearMiss("tar.order", "t/a\nt/b", "t/b\nt/c"),
    ),
    Cause(
        id="tar-pax-header-pid",
        title="Process number in the names of PAX headers",
        family="randomness",
        kinds=("tar.header", "tar.dialect"),
        tokens=matches(late(r"PaxHeaders\.(?P<v>\d{1,7})/"), "pid"),
        judge=any_or_none,
        why="GNU tar before 1.33 names PAX headers by its process number.",
        fixes=(Fix("tar --pax-option=exthdr.name=%d/PaxHeaders/%f; or GNU tar 1.33 and later"),),
        references=_ARCHIVES,
        example=NearMiss(
            "tar.dialect",
            "pax, ustar; records mtime; extended header 1: name t/PaxHeaders.5426/a",
            "pax, ustar; records mtime; extended header 1: name t/PaxHeaders.5439/a",
        ),
        near_miss=NearMiss(
            "tar.dialect",
            "pax, ustar; records mtime; extended header 1: name t/PaxHeaders.5426/a",
            "pax, ustar; records mtime, x; extended header 1: name t/PaxHeaders.5439/a",
        ),
    ),
    _DIALECT_CAUSE,
    _spelled(
        ("tar.header",),
        _headers,
        NearMiss("tar.header", "GNU", "pax, ustar", symbol="header extended headers"),
        NearMiss("tar.header", "GNU", "pax, other", symbol="header extended headers"),
        _header("extended headers"),
        _two_headers,
    ),
    _spelled(
        ("tar.header",),
        _magic,
        NearMiss("tar.header", "ustar  ", "ustar\0" + "00", symbol="header magic"),
        NearMiss("tar.header", "ustar  ", "ustar!", symbol="header magic"),
        symbol=_header("magic"),
    ),
    _spelled(
        ("tar.header",),
        _number,
        NearMiss("tar.header", "00000000001", "\\x80" + "\0" * 10 + "\1", symbol="header mtime"),
        NearMiss("tar.header", "00000000001", "\\x80" + "\0" * 10 + "\2", symbol="header mtime"),
        symbol=_header("uid", "gid", "size", "mtime", "chksum", "devmajor", "devminor"),
    ),
    _spelled(
        ("tar.header",),
        _mode_with_type,
        NearMiss("tar.header", "0000644", "0100644", symbol="header mode"),
        NearMiss("tar.header", "0000644", "0104644", symbol="header mode"),
        symbol=_header("mode"),
    ),
    _spelled(
        ("tar.header.mode",),
        joined(_mode_with_type, _style),
        NearMiss("tar.header.mode", "ooooooo ", ""),
        NearMiss("tar.header.mode", "ooooooo ", "8"),
    ),
    _spelled(
        tuple(
            f"tar.header.{name}" for name in ("uid", "gid", "size", "mtime", "devmajor", "devminor")
        ),
        _style,
        NearMiss("tar.header.uid", "base 256", ""),
        NearMiss("tar.header.uid", "base 256", "7"),
    ),
    _spelled(
        ("tar.header",),
        _full(_REAL_NAME),
        NearMiss("tar.header", "usr/share/some", "usr/share/so", symbol="header name"),
        NearMiss("tar.header", "usr/share/some", "usr/share/so\0hidden", symbol="header name"),
        symbol=_header("name"),
    ),
    _spelled(
        ("tar.pax",),
        _full(late(r"(?s).*")),
        NearMiss("tar.pax", "", "usr/share/some", symbol="header path"),
        NearMiss("tar.pax", "", "made by git", symbol="header comment"),
        symbol=_header("path", "linkpath", "size", "mtime", "uid", "gid", "uname", "gname"),
    ),
    _spelled(
        ("tar.pax_order",),
        _sorted,
        NearMiss("tar.pax_order", "path, mtime", "mtime, path"),
        NearMiss("tar.pax_order", "path, mtime", "mtime, size"),
    ),
    _spelled(
        ("tar.name",),
        _plain_path,
        NearMiss("tar.name", "./etc/", "etc"),
        NearMiss("tar.name", "./etc/", "etc/x"),
    ),
    _spelled(
        ("tar.header",),
        _full(late("[07]?")),
        NearMiss("tar.header", "0", "", symbol="header typeflag"),
        NearMiss("tar.header", "0", "2", symbol="header typeflag"),
        _header("typeflag"),
    ),
    _SPARSE_CAUSE,
    replace(
        _SPARSE_CAUSE,
        kinds=("tar.pax",),
        tokens=_full(late(r"(?s).*")),
        symbol=_header(r"GNU\.sparse\.\w+"),
        example=NearMiss("tar.pax", "32768", "", symbol="header GNU.sparse.realsize"),
        near_miss=NearMiss("tar.pax", "32768", "", symbol="header comment"),
    ),
    replace(
        _SPARSE_CAUSE,
        kinds=("tar.header",),
        tokens=_full(late("[0S]")),
        symbol=_header("typeflag"),
        example=NearMiss("tar.header", "0", "S", symbol="header typeflag"),
        near_miss=NearMiss("tar.header", "0", "X", symbol="header typeflag"),
    ),
    replace(
        _SPARSE_CAUSE,
        kinds=("tar.pax",),
        tokens=_full(_SPARSE_RECORD),
        example=NearMiss("tar.pax", "", "GNU.sparse.map=0,4096,8192,0"),
        near_miss=NearMiss("tar.pax", "", "GNU.sparse.other=0"),
    ),
    replace(
        _SPARSE_CAUSE,
        kinds=("tar.header.name",),
        tokens=_full(late(r"(?:(?:[^\n]*/)?GNUSparseFile\.\d+/[^\n]*)?")),
        example=NearMiss("tar.header.name", "", "./GNUSparseFile.24131/f"),
        near_miss=NearMiss("tar.header.name", "", "./GNUFile.24131/f"),
    ),
    replace(
        _SPARSE_CAUSE,
        kinds=("tar.typeflag",),
        tokens=_full(late("regular file|S")),
        judge=any_two,
        example=NearMiss("tar.typeflag", "regular file", "S"),
        near_miss=NearMiss("tar.typeflag", "regular file", "7"),
    ),
    replace(
        _SPARSE_CAUSE,
        kinds=("tar.header",),
        tokens=_full(late(r"[0-7]{1,12} ?")),
        symbol=_header("size"),
        example=NearMiss("tar.header", "00000620004", "00000000004", symbol="header size"),
        near_miss=NearMiss("tar.header", "00000620004", "hidden", symbol="header size"),
    ),
    replace(
        _SPARSE_CAUSE,
        kinds=("tar.header",),
        tokens=_full(_SPARSE_MAP),
        symbol=_header("prefix"),
        example=NearMiss(
            "tar.header",
            "",
            "\0" * 41 + "00000010000\x0000000000004\0" + "\0" * 73 + "00000020000",
            symbol="header prefix",
        ),
        near_miss=NearMiss("tar.header", "", "\0" * 8 + "00000010000", symbol="header prefix"),
    ),
    Cause(
        id="tar-trailing-padding",
        title="As many zeros as another program ends an archive with",
        family="toolchain",
        kinds=("layer.padding", "tar.end"),
        tokens=_ZEROS,
        judge=any_or_none,
        why="An archive ends with two blocks of zeros; some programs fill it up to a record.",
        fixes=(Fix("pack with the same program; GNU tar's --blocking-factor (-b) is 20"),),
        references=("https://www.gnu.org/software/tar/manual/html_node/Blocking.html",),
        example=NearMiss("layer.padding", "1024 zero bytes", "2048 zero bytes"),
        near_miss=NearMiss(
            "layer.padding", "1024 zero bytes", "1536 bytes, not zero from offset 9216"
        ),
    ),
    _LABEL_CAUSE,
    replace(
        _LABEL_CAUSE,
        tokens=_label(_SELINUX),
        symbol=None,
        example=NearMiss("tar.xattr", "", "security.selinux=system_u:object_r:tmp_t:s0"),
        near_miss=NearMiss("tar.xattr", "", "security.capability=cap_net_raw=ep"),
    ),
    Cause(
        id="hardlink-dedup",
        title="A hard link on one side, a copy on the other",
        family="toolchain",
        kinds=("file.hard_link", "tar.hard_link"),
        tokens=_full(late(r"(?s)hard link to .*|regular file, \d+ bytes"), "file"),
        judge=any_or_none,
        why="Two names hold the same bytes: on one side, one of them is a link to the other.",
        fixes=(
            Fix("do not replace equal files by links after the build (hardlink, jdupes, rdfind)"),
        ),
        references=("https://github.com/keszybz/add-determinism",),
        example=NearMiss("file.hard_link", "hard link to one", "regular file, 45 bytes"),
        near_miss=NearMiss("file.type", "hard link to one", "regular file, 45 bytes"),
    ),
    Cause(
        id="oci-opaque-whiteout",
        title="Markers in a layer that hide nothing",
        family="toolchain",
        kinds=("file.idle_marker",),
        tokens=_full(late(r"(?s)(?:opaque marker: |whiteout of ).*|"), "marker"),
        judge=any_or_none,
        why="One builder marks a folder as opaque, or a file as removed, where no layer below has"
        " any file to hide.",
        fixes=(Fix("build with the same snapshotter or storage driver; BuildKit 0.13 and later"),),
        references=(_LAYER_SPEC,),
        example=NearMiss(
            "file.idle_marker",
            "",
            "opaque marker: nothing of the layers below shows in 'usr/share/hello'",
        ),
        near_miss=NearMiss(
            "file.only_in_b",
            "",
            "opaque marker: nothing of the layers below shows in 'usr/share/hello'",
        ),
    ),
)
