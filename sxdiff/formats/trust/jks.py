"""Key stores of Java (JKS, JCEKS): aliases, dates and certificates; keys by their digest.

Source: OpenJDK 17, sun.security.provider.JavaKeyStore.engineLoad ("KEYSTORE FORMAT") and
com.sun.crypto.provider.JceKeyStore. All numbers are big-endian.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace

from sxdiff.formats.record import Field, Record, utc
from sxdiff.formats.texts.pieces import Names
from sxdiff.formats.trust.der import digest
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Limits, Member, text_of

MAGICS = {b"\xfe\xed\xfe\xed": "JKS", b"\xce\xce\xce\xce": "JCEKS"}
HEADER = Record(
    "jks", ">", (Field("magic", "4s"), Field("version", "I"), Field("count", "I", derived=True))
)
DIGEST = 20
PASSWORDS = ("changeit", "changeme", "password", "secret", "storepass", "android", "123456", "")
"""Passwords of key stores as tutorials and distributions have them."""
TYPES = {1: "private key", 2: "trusted certificate", 3: "secret key"}
LARGEST = 64 << 20


class Jks:
    """Facts for each entry, a member for each certificate."""

    name = "jks"

    def recognises(self, head: bytes) -> bool:
        """Magic number and version."""
        return head[:4] in MAGICS and head[4:8] in (b"\0\0\0\1", b"\0\0\0\2")

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One member with all entries: the digest at the end follows from them."""
        if blob.size > min(LARGEST, limits.member_bytes):
            raise LimitError(f"key store of {blob.size} bytes")
        try:
            list(_store(blob))
        except FormatError:  # no key of a broken store is shown
            yield Fact("jks.store", digest(blob.read()), (0, blob.size))
            return
        inside = Inside("jks", _checked)
        yield Member("store", blob, (0, blob.size), "jks.store", inside=inside)


def _checked(blob: Blob) -> Iterator[Fact | Member]:
    """The digest at the end follows from the rest and a password: one of those that are no secret
    must bear it out, or else it is told for itself."""
    for each in _store(blob):
        if isinstance(each, Fact) and each.kind == "jks.digest":
            yield replace(each, derived=_is_known(blob))
        else:
            yield each


def _is_known(blob: Blob) -> bool:
    import hashlib  # noqa: PLC0415 - key stores are rare

    end = blob.size - DIGEST
    data, found = blob.read(0, end), blob.read(end)
    for password in PASSWORDS:
        salted = password.encode("utf-16-be") + b"Mighty Aphrodite" + data
        if hashlib.sha1(salted, usedforsecurity=False).digest() == found:
            return True
    return False


def _store(blob: Blob) -> Iterator[Fact | Member]:
    yield from HEADER.facts(blob, 0)
    header = HEADER.read(blob, 0)
    names = Names()
    at = HEADER.size
    for _ in range(int(header["count"])):
        at = yield from _entry(blob, at, int(header["version"]), names)
    if at > blob.size - DIGEST:
        raise FormatError("an entry of a key store reaches into its digest", at)
    end = blob.size - DIGEST
    if at < end:
        yield Fact("jks.trailing", digest(blob.read(at, end - at)), (at, end - at))
    yield Fact("jks.digest", blob.part(end, DIGEST).read().hex(), (end, DIGEST), derived=True)


def _entry(blob: Blob, at: int, version: int, names: Names) -> Generator[Fact | Member, None, int]:
    """One entry; gives where it ends."""
    tag = int.from_bytes(blob.part(at, 4).read(), "big")
    size = int.from_bytes(blob.part(at + 4, 2).read(), "big")
    alias = blob.part(at + 6, size).read()
    name = names.unique(text_of(alias))
    yield Fact("jks.type", f"{TYPES.get(tag, tag)} {tag}", (at, 4), name)
    yield Fact("jks.alias", text_of(alias), (at + 4, 2 + size), name)
    at += 6 + size
    time = int.from_bytes(blob.part(at, 8).read(), "big")
    shown = f"{utc(time // 1000)} + {time % 1000} ms"
    yield Fact("jks.date", shown, (at, 8), name)
    at += 8
    if tag == 2:
        return (yield from _certificate(blob, at, version, name))
    if tag == 1:
        size = int.from_bytes(blob.part(at, 4).read(), "big")
        yield Fact(
            "private_key.material", digest(blob.part(at, 4 + size).read()), (at, 4 + size), name
        )
        at += 4 + size
        count = int.from_bytes(blob.part(at, 4).read(), "big")
        yield Fact("jks.chain", count, (at, 4), name)
        at += 4
        for number in range(count):
            place = f"{name} chain {number}" if number else name
            at = yield from _certificate(blob, at, version, place)
        return at
    # a serialized Java object without a length: it and all behind it are told together
    size = blob.size - DIGEST - at
    yield Fact("private_key.material", digest(blob.part(at, size).read()), (at, size), name)
    return blob.size - DIGEST


def _certificate(
    blob: Blob, at: int, version: int, name: str
) -> Generator[Fact | Member, None, int]:
    if version == 2:
        size = int.from_bytes(blob.part(at, 2).read(), "big")
        kind = text_of(blob.part(at + 2, size).read())
        yield Fact("jks.certificate_type", kind, (at, 2 + size), name)
        at += 2 + size
    size = int.from_bytes(blob.part(at, 4).read(), "big")
    yield Fact("jks.certificate_size", size, (at, 4), name, derived=True)
    yield Member(name, blob.part(at + 4, size), (at + 4, size))
    return at + 4 + size
