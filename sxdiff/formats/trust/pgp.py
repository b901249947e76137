"""OpenPGP packets: keys, user identities, signatures; secret keys by their digest.

Source: RFC 4880 (4 "Packet Syntax", 5.2 "Signature Packet", 5.5 "Key Material Packet"), RFC 9580
for versions 5 and 6 and the algorithms since.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from sxdiff.formats.record import utc
from sxdiff.formats.texts.pieces import Names
from sxdiff.formats.trust.der import digest
from sxdiff.formats.trust.private_key import MATERIAL
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Member,
    Scalar,
    text_of,
)

SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, USER_ID, PUBLIC_SUBKEY = 2, 5, 6, 7, 13, 14
PACKETS = {
    1: "encrypted session key",
    2: "signature",
    3: "encrypted session key",
    4: "one-pass signature",
    5: "secret key",
    6: "public key",
    7: "secret subkey",
    8: "compressed data",
    9: "encrypted data",
    10: "marker",
    11: "literal data",
    12: "trust",
    13: "user id",
    14: "public subkey",
    17: "user attribute",
    18: "encrypted data",
    19: "modification detection code",
    20: "encrypted data",
    21: "padding",
}
SUBPACKETS = {
    2: "creation_time",
    3: "expiration_time",
    4: "exportable",
    5: "trust",
    6: "regular_expression",
    7: "revocable",
    9: "key_expiration_time",
    11: "preferred_ciphers",
    12: "revocation_key",
    16: "issuer",
    20: "notation",
    21: "preferred_hashes",
    22: "preferred_compression",
    23: "key_server_preferences",
    24: "preferred_key_server",
    25: "primary_user_id",
    26: "policy_uri",
    27: "key_flags",
    28: "signer_user_id",
    29: "revocation_reason",
    30: "features",
    31: "signature_target",
    32: "embedded_signature",
    33: "issuer_fingerprint",
    34: "preferred_aead",
    35: "intended_recipient",
}
ALGORITHMS = {
    1: "RSA",
    16: "ElGamal",
    17: "DSA",
    18: "ECDH",
    19: "ECDSA",
    22: "EdDSA",
    25: "X25519",
    27: "Ed25519",
}
HASHES = {1: "MD5", 2: "SHA1", 3: "RIPEMD160", 8: "SHA256", 9: "SHA384", 10: "SHA512", 11: "SHA224"}
TEXTS = frozenset({6, 24, 26, 28})
TIMES = frozenset({2})
SPANS = frozenset({3, 9})
LARGEST = 64 << 20
MOST = 200_000
SIGNATURE_TYPES = frozenset(
    {0, 1, 2, *range(0x10, 0x14), 0x18, 0x19, 0x1F, 0x20, 0x28, 0x30, 0x40, 0x50}
)


_FIRST = 0x28000000
"""When there were no keys yet: seconds of 1991."""


class Packet(NamedTuple):
    """One packet: its type, where it starts, where its body lies (in chunks where it is partial,
    then `body` spans them all with their lengths)."""

    tag: int
    at: int
    body: int
    end: int
    partial: bool = False


class Pgp:
    """A member for each packet, named by what it is and whose."""

    name = "pgp"

    def recognises(self, head: bytes) -> bool:
        """A key or a signature of a known version, and a packet or the end behind it."""
        try:
            first = packet(head, 0)
        except FormatError:
            return False
        body = head[first.body : first.body + 8]
        if len(body) < 8 or first.partial:
            return False
        if not head[0] & 0x40 and head[0] & 3 == 3 and int.from_bytes(body[1:5], "big") < _FIRST:
            # without a length (4.2.1), which no program writes for a key: many bytes look so
            return False
        if first.tag == SIGNATURE:
            known = (body[0] == 3 and body[1] == 5) or (
                body[0] in (4, 5, 6) and body[1] in SIGNATURE_TYPES and body[3] in (*HASHES, 12, 14)
            )
        elif first.tag in (PUBLIC_KEY, SECRET_KEY):
            known = (body[0] in (4, 5, 6) and body[5] in ALGORITHMS) or (
                body[0] in (2, 3) and body[7] in ALGORITHMS
            )
        else:
            known = False
        if not known:
            return False
        if first.end >= len(head):
            return first.end == len(head) or len(head) >= 4096
        return head[first.end] & 0x80 != 0

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The packets in order. A stream with secret keys that is damaged is told by its digest."""
        if blob.size > min(LARGEST, limits.member_bytes):
            raise LimitError(f"OpenPGP data of {blob.size} bytes")
        raw = blob.read()
        secret = raw[:1] and packet(raw, 0).tag == SECRET_KEY
        try:
            found = list(_packets(blob, raw))
        except FormatError:
            if not secret:
                raise
            yield Fact(MATERIAL, digest(raw), (0, blob.size))
            return
        yield from found


def packet(raw: bytes, at: int) -> Packet:
    """The packet at `at`, whose body may end behind `raw`. Raises `FormatError`."""
    if at + 2 > len(raw) or not raw[at] & 0x80:
        raise FormatError("OpenPGP: no packet", at)
    first = raw[at]
    if first & 0x40:
        size, start = _new_length(raw, at + 1)
        if size is None:
            return _partial(raw, at)
        return Packet(first & 0x3F, at, start, start + size)
    count = (1, 2, 4, 0)[first & 3]
    start = at + 1 + count
    size = int.from_bytes(raw[at + 1 : start], "big")
    if not count:
        return Packet(first >> 2 & 15, at, start, len(raw))
    return Packet(first >> 2 & 15, at, start, start + size)


def _new_length(raw: bytes, at: int) -> tuple[int | None, int]:
    """RFC 4880, 4.2.2; None where the length is partial."""
    if at >= len(raw):
        raise FormatError("OpenPGP: a length is cut off", at)
    first = raw[at]
    if first < 192:
        return first, at + 1
    if first < 224:
        if at + 2 > len(raw):
            raise FormatError("OpenPGP: a length is cut off", at)
        return ((first - 192) << 8) + raw[at + 1] + 192, at + 2
    if first == 255:
        return int.from_bytes(raw[at + 1 : at + 5], "big"), at + 5
    return None, at + 1


def _partial(raw: bytes, at: int) -> Packet:
    place = at + 1
    while True:
        size, start = _new_length(raw, place)
        if size is not None:
            return Packet(raw[at] & 0x3F, at, at + 1, start + size, partial=True)
        place = start + (1 << (raw[place] & 0x1F))


def _packets(blob: Blob, raw: bytes) -> Iterator[Fact | Member]:
    names = Names()
    at = 0
    subject = ""
    while at < len(raw):
        one = packet(raw, at)
        if one.end > len(raw) or one.end <= at:
            raise FormatError("OpenPGP: a packet is cut off", at)
        body = raw[one.body : one.end]
        name = _name(one.tag, body)
        if one.tag != SIGNATURE:
            subject = name
        elif subject:
            name = f"{name} of {subject}"
        name = names.unique(name)
        size = one.end - at
        if one.tag in (SECRET_KEY, SECRET_SUBKEY):
            yield Fact(MATERIAL, digest(raw[at : one.end]), (at, size), name)
        else:
            list(_parts(one, raw))  # what is damaged is known before anything is told
            inside = Inside(
                "pgp", lambda content: _parts(packet(content.read(), 0), content.read())
            )
            yield Member(name, blob.part(at, size), (at, size), "pgp.packet", inside=inside)
        at = one.end


def _name(tag: int, body: bytes) -> str:
    words = PACKETS.get(tag, f"packet of type {tag}")
    if tag == USER_ID:
        return f"{words} {text_of(body)}"[:200]
    return words


def _key_id(body: bytes) -> str:
    if body[:1] != b"\4":
        return ""
    data = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(data, usedforsecurity=False).hexdigest().upper()


def _parts(one: Packet, raw: bytes) -> Iterator[Fact | Member]:
    """The fields of one packet."""
    head = one.body - one.at
    yield Fact("pgp.header", raw[one.at : one.body].hex(), (one.at, head), derived=True)
    body = raw[one.body : one.end]
    if one.partial:
        yield Fact("pgp.data", digest(body), (one.body, len(body)))
    elif one.tag == SIGNATURE and body[:1] == b"\4":
        yield from _signature(body, one.body)
    elif one.tag in (PUBLIC_KEY, PUBLIC_SUBKEY) and body[:1] == b"\4" and len(body) > 6:
        yield from _public_key(body, one.body)
    elif one.tag == USER_ID:
        yield Fact("pgp.user_id", text_of(body), (one.body, len(body)))
    elif body:
        told = body.hex() if len(body) <= 64 else digest(body)
        yield Fact("pgp.data", told, (one.body, len(body)))


def _public_key(body: bytes, at: int) -> Iterator[Fact]:
    """RFC 4880, 5.5.2; the fingerprint (12.2) follows from all of it."""
    yield Fact("pgp.version", body[0], (at, 1))
    yield Fact("pgp.creation_time", utc(int.from_bytes(body[1:5], "big")), (at + 1, 4))
    yield Fact("pgp.algorithm", ALGORITHMS.get(body[5], body[5]), (at + 5, 1))
    yield Fact("pgp.key_material", digest(body[6:]), (at + 6, len(body) - 6))
    yield Fact("pgp.fingerprint", _key_id(body), None, derived=True)


def _signature(body: bytes, at: int) -> Iterator[Fact]:
    """RFC 4880, 5.2.3: version 4."""
    if len(body) < 10:
        raise FormatError("OpenPGP: a signature is cut off", at)
    yield Fact("pgp.version", body[0], (at, 1))
    yield Fact("pgp.type", f"{body[1]:#04x}", (at + 1, 1))
    yield Fact("pgp.algorithm", ALGORITHMS.get(body[2], body[2]), (at + 2, 1))
    yield Fact("pgp.hash", HASHES.get(body[3], body[3]), (at + 3, 1))
    place = 4
    for area in ("", "unhashed "):
        size = int.from_bytes(body[place : place + 2], "big")
        yield Fact("pgp.subpackets_size", size, (at + place, 2), area.strip(), derived=True)
        place += 2
        if place + size > len(body):
            raise FormatError("OpenPGP: subpackets reach outside", at + place)
        yield from _subpackets(body[place : place + size], at + place, area)
        place += size
    if place + 2 > len(body):
        raise FormatError("OpenPGP: a signature is cut off", at + place)
    yield Fact("pgp.hash_start", body[place : place + 2].hex(), (at + place, 2), derived=True)
    rest = body[place + 2 :]
    yield Fact("pgp.signature", digest(rest), (at + place + 2, len(rest)), derived=True)


def _subpackets(data: bytes, at: int, area: str) -> Iterator[Fact]:
    names = Names()
    place = 0
    while place < len(data):
        size, start = _new_length(data, place)
        if size is None:  # of a subpacket, a length of two octets goes on to 254
            if start >= len(data):
                raise FormatError("OpenPGP: a length is cut off", at + place)
            size, start = ((data[place] - 192) << 8) + data[place + 1] + 192, place + 2
        if not size or start + size > len(data):
            raise FormatError("OpenPGP: a subpacket reaches outside", at + place)
        kind = data[start] & 0x7F
        value = data[start + 1 : start + size]
        label = SUBPACKETS.get(kind, f"subpacket_{kind}")
        name = names.unique(f"{area}{label}")
        head = data[place : start + 1].hex()
        yield Fact("pgp.subpacket", head, (at + place, start + 1 - place), name, derived=True)
        if value:
            yield Fact(f"pgp.{label}", _shown(kind, value), (at + start + 1, len(value)), name)
        place = start + size


def _shown(kind: int, value: bytes) -> Scalar:
    if kind in TIMES and len(value) == 4:
        return utc(int.from_bytes(value, "big"))
    if kind in SPANS and len(value) == 4:
        return f"{int.from_bytes(value, 'big')} seconds later"
    if kind in TEXTS:
        return text_of(value)
    return value.hex() if len(value) <= 64 else digest(value)
