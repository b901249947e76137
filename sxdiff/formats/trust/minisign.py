"""Signatures and keys of minisign and signify.

Source: minisign documentation "Signature format", "Public key format", "Secret key format";
signify(1) of OpenBSD. A secret key is told by its digest.
"""

import base64
import binascii
import re
from collections.abc import Iterator

from sxdiff.formats.texts.pieces import lines_of
from sxdiff.formats.trust.der import digest
from sxdiff.formats.trust.private_key import MATERIAL
from sxdiff.model import Blob, Fact, FormatError, Inside, Limits, Member, text_of

UNTRUSTED, TRUSTED = b"untrusted comment: ", b"trusted comment: "
_START = re.compile(rb"untrusted comment: [^\n\0]{0,1024}\n([A-Za-z0-9+/]{54,}={0,2})\r?\n")
KINDS = {74: "signature", 42: "public_key"}
"""What a line of base64 with so many bytes is; all others are secret keys."""


class Minisign:
    """Comments, key identifier, signature."""

    name = "minisign"

    def recognises(self, head: bytes) -> bool:
        """The untrusted comment, then base64 that starts with the algorithm `Ed` or `ED`."""
        found = _START.match(head)
        return found is not None and found[1][:2] in (b"RW", b"RU")

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - small
        """One member: the signatures follow from what they sign."""
        kind = _kind(blob)
        if kind not in KINDS.values():
            yield Fact(MATERIAL, digest(blob.read()), (0, blob.size))
            return
        inside = Inside(self.name, _lines)
        yield Member(kind, blob, (0, blob.size), f"minisign.{kind}", inside=inside)


def _kind(blob: Blob) -> str:
    found = _START.match(blob.read(0, 4096))
    try:
        return KINDS.get(len(base64.b64decode(found[1], validate=True)), "") if found else ""
    except binascii.Error:
        return ""


def _lines(blob: Blob) -> Iterator[Fact]:
    raw = blob.read()
    for number, (at, size) in enumerate(lines_of(raw)):
        line = raw[at : at + size]
        if number == 1:
            yield from _packet(line, at)
        elif number == 3:
            yield Fact("minisign.global_signature", text_of(line), (at, size), derived=True)
        elif line.startswith(UNTRUSTED):
            yield Fact("minisign.untrusted_comment", text_of(line[len(UNTRUSTED) :]), (at, size))
        elif line.startswith(TRUSTED):
            yield Fact("minisign.trusted_comment", text_of(line[len(TRUSTED) :]), (at, size))
        else:
            yield Fact("minisign.text", text_of(line), (at, size), f"line {number + 1}")


def _packet(line: bytes, at: int) -> Iterator[Fact]:
    """Algorithm, key identifier, then the signature or the public key. The facts share the
    line's bytes, which base64 does not cut between fields."""
    try:
        data = base64.b64decode(line.strip(), validate=True)
    except binascii.Error:
        raise FormatError("minisign: no base64", at) from None
    kind = KINDS.get(len(data), "data")
    yield Fact("minisign.algorithm", text_of(data[:2]))
    yield Fact("minisign.key_id", data[2:10][::-1].hex().upper())
    yield Fact(f"minisign.{kind}", text_of(line), (at, len(line)), derived=kind == "signature")
