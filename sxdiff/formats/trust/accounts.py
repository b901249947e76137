"""Rows of users and groups: passwd, shadow, group, gshadow, subuid, htpasswd.

Password hashes are told by their method and a digest, never shown.
Source: passwd(5), shadow(5), group(5), gshadow(5), subuid(5); crypt(5) for the hashes.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from sxdiff.formats.texts.pieces import Names, lines_of, piece
from sxdiff.formats.trust.der import digest
from sxdiff.model import Blob, Fact, LimitError, Limits, Member, Scalar, text_of

_NAME = rb"[A-Za-z0-9_.][A-Za-z0-9_.@-]{0,63}\$?"
_PASSWORD = (
    rb"(?:[x*]|[!*]{0,2}|!?\*LK\*|!?\*NP\*"
    rb"|!{0,2}(?:\$[!-9;-~]{8,}|[./A-Za-z0-9]{13}|_[./A-Za-z0-9]{19}))"
)
_DAYS = rb"[0-9]{0,9}"
_NAMES = rb"[A-Za-z0-9_.,@$-]*"
TABLES = (
    # fields of a row, and what a row looks like; the most particular first
    (
        (
            "password",
            "last_change",
            "minimum",
            "maximum",
            "warning",
            "inactive",
            "expiry",
            "reserved",
        ),
        _NAME + b":" + _PASSWORD + (b":" + _DAYS) * 6 + b":[^:\n]*",
    ),
    (
        ("password", "uid", "gid", "comment", "home", "shell"),
        _NAME + b":" + _PASSWORD + rb":[0-9]+:[0-9]+:[^:\n]*:[^:\n]*:[^:\n]*",
    ),
    (("password", "gid", "members"), _NAME + b":" + _PASSWORD + rb":[0-9]+:" + _NAMES),
    (
        ("password", "administrators", "members"),
        _NAME + b":" + _PASSWORD + b":" + _NAMES + b":" + _NAMES,
    ),
    (("start", "count"), _NAME + rb":[0-9]+:[0-9]+"),
    (("password",), _NAME + rb":(?:\$[!-9;-~]{8,}|\{SHA\}[!-9;-~]{20,})"),
)
_ROWS = tuple((fields, re.compile(row)) for fields, row in TABLES)
_SHOWN = re.compile(rb"x|[!*]{0,2}|!?\*(?:LK|NP)\*")
_METHOD = re.compile(rb"!{0,2}\$[0-9a-z]{1,8}\$")
_DAY = re.compile(rb"0|[1-9][0-9]{0,5}")
PROBED = 64
"""Rows that a table is known by."""
LARGEST = 64 << 20


class Accounts:
    """A fact for each field, named by the user or group of its row."""

    name = "accounts"

    def recognises(self, head: bytes) -> bool:
        """Rows of one of the tables, as far as the first of them say."""
        return _fields(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The rows in order. A line that is no row may hold a hash: its digest is told."""
        if blob.size > min(LARGEST, limits.member_bytes):
            raise LimitError(f"accounts of {blob.size} bytes")
        raw = blob.read()
        fields = _fields(raw[: 36 << 10]) or ()
        names = Names()
        for at, size in lines_of(raw):
            line = raw[at : at + size].rstrip(b"\n")
            values = line.split(b":")
            if len(values) != 1 + len(fields):
                yield Fact("accounts.line", digest(line), (at, len(line)), names.unique("line"))
                yield from piece("accounts.end", raw, at + len(line), at + size, "line")
                continue
            name = names.unique(text_of(values[0]))
            place = at
            for field, value in zip(("name", *fields), values, strict=True):
                more = place + len(value) < at + len(line)  # its colon
                span = (place, len(value) + more)
                yield Fact(f"accounts.{field}", _shown(field, value), span, name)
                place += span[1]
            yield from piece("accounts.end", raw, at + len(line), at + size, name)


def _fields(head: bytes) -> tuple[str, ...] | None:
    """The fields of the table that all first rows belong to."""
    if b":" not in head[:256]:
        return None
    lines = head.split(b"\n", PROBED)
    # the last line may be cut off, and is empty behind the last line end
    rows = lines[:-1] if len(lines) > 1 else lines
    for fields, row in _ROWS:
        if all(row.fullmatch(line) for line in rows):
            return fields
    return None


def _shown(field: str, value: bytes) -> Scalar:
    if field == "password" and not _SHOWN.fullmatch(value):
        method = _METHOD.match(value)
        return f"{method[0].decode('ascii') if method else ''} {digest(value)}".lstrip()
    if field in ("last_change", "expiry") and _DAY.fullmatch(value):
        return f"{int(value)} ({date(1970, 1, 1) + timedelta(int(value))})"
    return text_of(value)
