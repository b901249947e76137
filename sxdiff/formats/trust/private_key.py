"""Private keys in DER: that they differ is told, what they hold is not.

Source: RFC 5208 (PKCS #8), RFC 8017 appendix A.1.2 (RSA), RFC 5915 (elliptic curves).
"""

from collections.abc import Iterator

from sxdiff.formats.digest import digest_of
from sxdiff.formats.trust.der import SEQUENCE, is_encrypted_private_key, is_private_key, root
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

MATERIAL = "private_key.material"
"""The kind of a digest that stands for a private key's bytes."""


class PrivateKey:
    """One fact: the digest of all bytes."""

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
        """The digest; nothing of the key is shown."""
        yield Fact(MATERIAL, digest_of(blob), (0, blob.size))
