"""The digest that stands for bytes that a fact has no better words for."""

import hashlib

from sxdiff.model import Blob

CHUNK = 1 << 20


def digest_of(blob: Blob) -> str:
    """`sha256:` and the hex digest of all bytes of `blob`."""
    digest = hashlib.sha256()
    for at in range(0, blob.size, CHUNK):
        digest.update(blob.read(at, CHUNK))
    return f"sha256:{digest.hexdigest()}"
