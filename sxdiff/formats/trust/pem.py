"""Blocks of base64 between BEGIN and END lines: certificates, signatures, keys, OpenPGP armour.

What a block holds is looked into as a stream of its own. A private key is told by its digest.
Source: RFC 7468 (textual encodings), RFC 1421, 4.4 (headers in a block), RFC 4880, 6.2 (armour).
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Generator, Iterator
from functools import partial

from sxdiff.formats.texts.pieces import Names, piece
from sxdiff.formats.trust import openssh, private_key
from sxdiff.formats.trust.der import INTEGER, SEQUENCE, digest, element
from sxdiff.formats.trust.private_key import MATERIAL
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, text_of

LARGEST = 64 << 20
_VERSION = 0xA0
_BEGIN = re.compile(rb"^[ \t]*-----BEGIN ([A-Z0-9][A-Z0-9 #.]{0,60})-----[ \t]*\r?$", re.MULTILINE)
_HEADER = re.compile(rb"(?:[A-Za-z0-9-]+: [^\n]*\n(?:[ \t][^\n]*\n)*)*(?:[ \t\r]*\n)?")
_CHECKSUM = re.compile(rb"\r?\n=([A-Za-z0-9+/]{4})\s*\Z")
_SPACE = b" \t\r\n"
_PRIVATE = re.compile(rb"(?i)priv(?:ate)?[ _-]?(?:key|exponent)?:")
_CLEARTEXT = b"PGP SIGNED MESSAGE"
_INTRODUCED = re.compile(
    rb"(?:#[^\n]*\n|Bag Attributes|subject=|issuer=|Certificate:|\s|Private-Key)"
)


class Pem:
    """For each block its lines, its content as a member, and the text around the blocks."""

    name = "pem"

    def recognises(self, head: bytes) -> bool:
        """A text that starts with a block or what tools write before one, or that has a private
        key somewhere in its lines."""
        found = _BEGIN.search(head) if b"-----BEGIN " in head else None
        if not found or b"\0" in head[: found.end()]:
            return False
        if b"PRIVATE KEY" in found[1] or not head[: found.start()].strip(_SPACE):
            return True
        if any(b"PRIVATE KEY" in one[1] for one in _BEGIN.finditer(head)):
            return b"\0" not in head
        return _INTRODUCED.match(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The blocks in order. Raises `FormatError` for broken base64, but where a private key is
        among them nothing is raised: its lines would be shown."""
        secret = _secret(blob)
        if blob.size > min(LARGEST, limits.member_bytes):
            if not secret:
                raise LimitError(f"PEM of {blob.size} bytes")
            yield Fact(MATERIAL, digest(blob.read()), (0, blob.size))
            return
        raw = blob.read()
        names = Names()
        at = 0
        blocks = list(_BEGIN.finditer(raw))
        called = [_name(raw, begin, len(blocks) > 1) for begin in blocks]
        met = Counter(called)
        for begin, said in zip(blocks, called, strict=True):
            if begin.start() < at:
                continue  # inside of a block
            # a certificate that took another one's place has its subject; the serial number tells
            # which of them it is, wherever it stands
            name = names.unique(said + (_serial(raw, begin) if met[said] > 1 else ""))
            yield from _around(blob, raw, at, begin.start(), name, secret)
            if begin[1] == _CLEARTEXT:
                at = yield from _signed_text(raw, begin, name)
            else:
                at = yield from _block(raw, begin, name)
        yield from _around(blob, raw, at, len(raw), "end", secret)


def _secret(blob: Blob) -> bool:
    data = blob.read(0, LARGEST)
    return any(b"PRIVATE KEY" in one[1] for one in _BEGIN.finditer(data))


def _around(
    blob: Blob, raw: bytes, start: int, end: int, name: str, secret: bool
) -> Iterator[Fact | Member]:
    """The text before the block `name`."""
    if start == end:
        return
    text = raw[start:end]
    if secret and _PRIVATE.search(text):
        yield Fact(MATERIAL, digest(text), (start, end - start), f"text before {name}")
    elif text.strip(_SPACE):
        yield Member(f"text before {name}", blob.part(start, end - start), (start, end - start))
    else:
        yield from piece("pem.text", raw, start, end, f"text before {name}")


def _name(raw: bytes, begin: re.Match[bytes], many: bool) -> str:
    """What the block is called: its label, and of several certificates the subject."""
    label = begin[1].decode("ascii").lower()
    if not many or b"CERTIFICATE" not in begin[1]:
        return label
    try:
        return f"{label} {_subject(_content(raw, begin))}".rstrip()
    except (FormatError, binascii.Error, ValueError):
        return label


def _content(raw: bytes, begin: re.Match[bytes]) -> bytes:
    """What a block of no headers holds."""
    return base64.b64decode(raw[begin.end() : raw.find(b"-----", begin.end())])


def _serial(raw: bytes, begin: re.Match[bytes]) -> str:
    """The serial number of a certificate (RFC 5280, 4.1.2.2); "" of anything else."""
    if b"CERTIFICATE" not in begin[1]:
        return ""
    try:
        der = _content(raw, begin)
        one = element(
            der, element(der, element(der, 0, len(der)).content, len(der)).content, len(der)
        )
        if one.tag == _VERSION:
            one = element(der, one.end, len(der))
    except (FormatError, binascii.Error, ValueError):
        return ""
    return f" 0x{der[one.content : one.end].hex()[:40]}" if one.tag == INTEGER else ""


def _subject(der: bytes) -> str:
    """The last attribute of a certificate's subject, which is its common name."""
    at = element(der, element(der, 0, len(der)).content, len(der)).content
    sequences = 0
    while True:
        one = element(der, at, len(der))
        sequences += one.tag == SEQUENCE
        if sequences == 4:  # algorithm, issuer, validity, subject
            break
        at = one.end
    last = one
    for _ in range(3):  # the name, its last set, the pair in it
        at = last.content
        while at < one.end:
            last = element(der, at, one.end)
            at = last.end
    return text_of(der[last.content : last.end])[:100]


def _block(raw: bytes, begin: re.Match[bytes], name: str) -> Generator[Fact | Member, None, int]:
    """One block; gives where it ends. A block without an end goes to the end of the text."""
    label = begin[1]
    private = b"PRIVATE KEY" in label
    start = begin.end() + (raw[begin.end() : begin.end() + 1] == b"\n")
    closing = re.compile(
        rb"^[ \t]*-----END " + re.escape(label) + rb"-----[ \t]*\r?$", re.MULTILINE
    )
    end = closing.search(raw, start)
    if end is None and not private:
        raise FormatError("PEM: a block without an end", begin.start())
    stop = end.start() if end else len(raw)
    close = end.end() if end else len(raw)
    close += raw[close : close + 1] == b"\n"
    yield from piece("pem.begin", raw, begin.start(), start, name)
    if private:
        yield from _private(raw, start, stop, name)
    else:
        yield from _public(raw, start, stop, name)
    yield from piece("pem.end", raw, stop, close, name)
    return close


def _signed_text(
    raw: bytes, begin: re.Match[bytes], name: str
) -> Generator[Fact | Member, None, int]:
    """The start of a text that is signed (RFC 4880, 7); gives where the text starts."""
    start = begin.end() + (raw[begin.end() : begin.end() + 1] == b"\n")
    headers = _HEADER.match(raw, start)
    text = headers.end() if headers else start
    yield from piece("pem.begin", raw, begin.start(), start, name)
    yield from piece("pem.headers", raw, start, text, name)
    return text


def _private(raw: bytes, start: int, stop: int, name: str) -> Iterator[Fact]:
    """The public part of an OpenSSH key; of every key that it differs, and its sort."""
    sort = ""
    try:
        found = base64.b64decode(raw[start:stop])
        yield from openssh.public_parts(found, name)
        sort = openssh.sort_of(found) or private_key.sort_of(found)
    except (FormatError, binascii.Error, ValueError):
        pass  # its digest tells all there is
    told = f"{sort} {digest(raw[start:stop])}".lstrip()
    yield Fact(MATERIAL, told, (start, stop - start), name)


def _public(raw: bytes, start: int, stop: int, name: str) -> Iterator[Fact | Member]:
    headers = _HEADER.match(raw, start, stop)
    body = headers.end() if headers else start
    yield from piece("pem.headers", raw, start, body, name)
    data = raw[body:stop]
    checksum = _CHECKSUM.search(data)
    coded = data[: checksum.start()] if checksum else data
    try:
        content = base64.b64decode(coded.translate(None, _SPACE), validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("PEM: a block is no base64", body) from None
    yield Member(name, partial(iter, (content,)))
    end = body + len(coded)
    yield Fact("pem.body", digest(coded), (body, len(coded)), name, derived=True)
    yield from piece("pem.checksum", raw, end, stop, name, derived=True)
