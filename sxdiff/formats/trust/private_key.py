"""Private keys in DER: that they differ is told, what they hold is not.

Source: RFC 5208 (PKCS #8), RFC 8017 appendix A.1.2 (RSA), RFC 5915 (elliptic curves).
"""

from collections.abc import Iterator

from sxdiff.formats.trust.der import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Element,
    children,
    digest,
    identifier,
    is_encrypted_private_key,
    is_private_key,
    root,
)
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

MATERIAL = "private_key.material"
"""The kind of a digest that stands for a private key's bytes."""


class PrivateKey:
    """One fact: what sort of key it is, and the digest of all bytes."""

    name = "private_key"

    def recognises(self, head: bytes) -> bool:
        """A sequence that has the shape of a private key and is all of the stream."""
        if len(head) < 16 or head[0] != SEQUENCE:
            return False
        try:
            found = root(head)
            return is_private_key(head, found) or is_encrypted_private_key(head, found)
        except FormatError:
            return False

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - one digest
        """Type, size and digest; nothing of the key is shown."""
        raw = blob.read()
        yield Fact(MATERIAL, f"{sort_of(raw)} {digest(raw)}".lstrip(), (0, blob.size))


def sort_of(raw: bytes) -> str:
    """The type and size of a private key in DER ("rsa 2048"); empty where it can't be told."""
    try:
        one = root(raw)
        if is_encrypted_private_key(raw, one):
            return f"encrypted, {len(raw)} bytes"
        return _sort(raw, one) if is_private_key(raw, one) else ""
    except FormatError:
        return ""


def _sort(raw: bytes, one: Element) -> str:
    parts = children(raw, one)
    tags = [part.tag for part in parts[:3]]
    if tags == [INTEGER, SEQUENCE, OCTET_STRING]:  # PKCS #8
        names = [
            identifier(raw[part.content : part.end])
            for part in children(raw, parts[1])
            if part.tag == OID
        ]
        if names[:1] != ["rsaEncryption"]:
            return " ".join(names)
        inner = raw[parts[2].content : parts[2].end]
        return _sort(inner, root(inner))
    if tags[:2] == [INTEGER, OCTET_STRING]:  # SEC 1
        return f"ec {8 * (parts[1].end - parts[1].content)}"
    modulus = int.from_bytes(raw[parts[1].content : parts[1].end], "big")
    return f"{'rsa' if len(parts) > 6 else 'dsa'} {modulus.bit_length()}"
