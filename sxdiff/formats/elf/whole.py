"""The one fact for what only layout decides in a table whose rows are told by what they mean."""

from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact


def whole(kind: str, blob: Blob) -> Fact:
    """A derived digest of a whole table.

    For tables where every byte is told by facts except offsets, indexes and addresses that
    follow from what is told: those differ with every byte that moves, by the thousand.
    """
    return Fact(kind, digest_of(blob), (0, blob.size), derived=True)
