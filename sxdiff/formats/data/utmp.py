"""Login records (utmp, wtmp, btmp) and the last login of each user (lastlog), as glibc writes them.

Source: utmp(5) and <bits/utmp.h> of glibc: struct utmp (384 bytes) and struct lastlog (292 bytes)
of 64-bit architectures. Neither has a magic number: every record of the head must make sense.
"""

from collections.abc import Iterator

from sxdiff.formats.parts import Names
from sxdiff.formats.record import Field, Raw, Record, hexadecimal, named, utc
from sxdiff.model import Blob, Fact, Limits, Member, Scalar, text_of

CHUNK = 1 << 20
TYPES = {
    0: "EMPTY",
    1: "RUN_LVL",
    2: "BOOT_TIME",
    3: "NEW_TIME",
    4: "OLD_TIME",
    5: "INIT_PROCESS",
    6: "LOGIN_PROCESS",
    7: "USER_PROCESS",
    8: "DEAD_PROCESS",
    9: "ACCOUNTING",
}


def text(value: Raw) -> Scalar:
    """A string padded with NULs; what lies behind its first NUL is told where it is no padding."""
    assert isinstance(value, bytes)  # noqa: S101 - the tables say so
    return text_of(value.rstrip(b"\0"))


RECORD = Record(
    "utmp",
    "<",
    (
        Field("type", "h", named(TYPES)),
        Field("padding", "2s", hexadecimal),
        Field("pid", "i"),
        Field("line", "32s", text),
        Field("id", "4s", text),
        Field("user", "32s", text),
        Field("host", "256s", text),
        Field("exit_termination", "h"),
        Field("exit_status", "h"),
        Field("session", "i"),
        Field("time", "i", utc),
        Field("microseconds", "i"),
        Field("address", "16s", hexadecimal),
        Field("unused", "20s", hexadecimal),
    ),
)
LAST = Record(
    "lastlog",
    "<",
    (Field("time", "i", utc), Field("line", "32s", text), Field("host", "256s", text)),
)


class Utmp:
    """Facts for each field of each record, named by its number."""

    name = "utmp"

    def recognises(self, head: bytes) -> bool:
        """Whole records only, each with a type, texts and zeros where they must be; one at least
        that is not empty."""
        if not head or (len(head) % RECORD.size and len(head) < 36 << 10):
            return False
        rows = [
            RECORD.values(head[at : at + RECORD.size])
            for at in range(0, len(head) - RECORD.size + 1, RECORD.size)
        ]
        return all(map(_is_login, rows)) and any(row["type"] and row["time"] for row in rows)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Records in order, each named by what it is about."""
        names = Names()
        for at in range(0, blob.size - RECORD.size + 1, RECORD.size):
            row = RECORD.read(blob, at)
            kind = TYPES.get(int(row["type"]), str(row["type"]))
            yield from RECORD.facts(blob, at, names(f"{kind} {text(row['line'])}".strip()))


class Lastlog:
    """Facts for the record of each user who ever logged in."""

    name = "lastlog"

    def recognises(self, head: bytes) -> bool:
        """Whole records, each all zeros or a time and a terminal; one at least that is not."""
        if not head or (len(head) % LAST.size and len(head) < 36 << 10):
            return False
        some = False
        for at in range(0, len(head) - LAST.size + 1, LAST.size):
            raw = head[at : at + LAST.size]
            if raw.count(0) == len(raw):
                continue
            row = LAST.values(raw)
            if int(row["time"]) <= 0 or not text(row["line"]):
                return False
            if not (_padded(row["line"]) and _padded(row["host"])):
                return False
            some = True
        return some

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Records by user number; the file is mostly holes, told by nobody."""
        step = CHUNK // LAST.size * LAST.size
        for start in range(0, blob.size, step):
            data = blob.read(start, step)
            if data.count(0) == len(data):
                continue
            for at in range(0, len(data) - LAST.size + 1, LAST.size):
                if any(data[at : at + LAST.size]):
                    user = (start + at) // LAST.size
                    yield from LAST.facts(blob, start + at, f"uid {user}")


def _is_login(row: dict[str, Raw]) -> bool:
    if row["type"] not in TYPES or row["padding"] != b"\0\0" or row["unused"] != bytes(20):
        return False
    return all(_padded(row[name]) for name in ("line", "user", "host"))


def _padded(value: Raw) -> bool:
    """Whether it is printable text and a NUL behind it: no name fills its field."""
    assert isinstance(value, bytes)  # noqa: S101 - the tables say so
    plain = value.rstrip(b"\0")
    return len(plain) < len(value) and all(byte >= 32 and byte != 127 for byte in plain)
