"""Haskell interfaces (.hi) of GHC 9: version and way; the rest is opaque.

Source: GHC's compiler/GHC/Iface/Binary.hs (`readBinIface`, `binaryInterfaceMagic`): a magic
number for 32 or 64 bits, then two strings, each a length and its characters in LEB128.
"""

from collections.abc import Iterator

from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

MAGICS = {b"\x00\x01\xfa\xce": 32, b"\x01\xfa\xce\x64": 64}
LONGEST = 127
"""Longest version or way: its length is one byte."""


class HaskellInterface:
    """Facts for magic number, version and way; a part for all else."""

    name = "haskell_interface"

    def recognises(self, head: bytes) -> bool:
        """Magic number and a version in digits."""
        size = head[4] if len(head) > 4 else 0
        return head[:4] in MAGICS and 1 <= size <= 8 and head[5 : 5 + size].isdigit()

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Header, then the interface as it lies."""
        magic = blob.part(0, 4).read()
        if magic not in MAGICS:
            raise FormatError("no magic number of an interface", 0)
        yield Fact("haskell_interface.bits", MAGICS[magic], (0, 4))
        at = 4
        for name in ("version", "way"):
            size = blob.part(at, 1).read()[0]
            if size > LONGEST:
                raise FormatError(f"{name} of more than {LONGEST} characters", at)
            text = text_of(blob.part(at + 1, size).read())
            yield Fact(f"haskell_interface.{name}", text, (at, size + 1))
            at += size + 1
        size = blob.size - at
        yield Member(
            "interface", blob.part(at, size), (at, size), "haskell_interface.content", opaque=True
        )
