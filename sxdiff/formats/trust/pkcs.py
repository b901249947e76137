"""Signed data (PKCS #7, CMS) and key stores (PKCS #12), as far as they are public.

Source: RFC 5652, 5 (SignedData); RFC 7292, 4 (PFX). Of a key store that is encrypted, only the
algorithms, salts and counts are told; what is encrypted is told by its digest.
"""

from collections.abc import Iterator

from sxdiff.formats.trust.der import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    Part,
    Shape,
    document,
    starts,
)
from sxdiff.model import Blob, Fact, Limits, Member

SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
DATA = bytes.fromhex("2a864886f70d010701")
SIGNER = Part(
    SEQUENCE,
    "signer",
    Shape(
        (
            Part(INTEGER, "version"),
            Part(0xA0, "subject_key"),
            Part(0x80, "subject_key"),
            Part(
                SEQUENCE,
                "issuer_and_serial",
                Shape((Part(SEQUENCE, "issuer"), Part(INTEGER, "serial"))),
            ),
            Part(SEQUENCE, "digest_algorithm"),
            Part(0xA0, "signed_attributes"),
            Part(SEQUENCE, "signature_algorithm"),
            Part(OCTET_STRING, "signature", derived=True, whole=True),
            Part(0xA1, "unsigned_attributes"),
        )
    ),
    group=True,
)
SIGNED = Part(
    SEQUENCE,
    "signed_data",
    Shape(
        (
            Part(OID, "type"),
            Part(
                0xA0,
                "content",
                Shape(
                    (
                        Part(
                            SEQUENCE,
                            "data",
                            Shape(
                                (
                                    Part(INTEGER, "version"),
                                    Part(SET, "digest_algorithms"),
                                    Part(SEQUENCE, "encapsulated", group=True),
                                    Part(
                                        0xA0,
                                        "certificates",
                                        Shape(each=Part(SEQUENCE, "certificate", stream=True)),
                                    ),
                                    Part(
                                        0xA1,
                                        "revocations",
                                        Shape(each=Part(SEQUENCE, "list", stream=True)),
                                    ),
                                    Part(SET, "signers", Shape(each=SIGNER)),
                                )
                            ),
                        ),
                    )
                ),
            ),
        )
    ),
)
MAC = Shape(
    (
        Part(
            SEQUENCE,
            "digest",
            Shape(
                (Part(SEQUENCE, "algorithm"), Part(OCTET_STRING, "mac", derived=True, whole=True))
            ),
        ),
        Part(OCTET_STRING, "salt", whole=True),
        Part(INTEGER, "iterations"),
    )
)
STORE = Part(
    SEQUENCE,
    "store",
    Shape((Part(INTEGER, "version"), Part(SEQUENCE, "contents"), Part(SEQUENCE, "mac", MAC))),
)


class Pkcs7:
    """Signed data: content, signers with digests and times, certificates."""

    name = "pkcs7"

    def recognises(self, head: bytes) -> bool:
        """The identifier of signed data."""
        return starts(head, (SEQUENCE, None), (OID, SIGNED_DATA), (0xA0, None), (SEQUENCE, None))

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The parts; each certificate is a document of its own."""
        return document(self.name, blob, SIGNED, limits)


class Pkcs12:
    """Key stores: what is public of them."""

    name = "pkcs12"

    def recognises(self, head: bytes) -> bool:
        """Version 3, then data or signed data."""
        start = (SEQUENCE, None), (INTEGER, b"\3"), (SEQUENCE, None)
        return any(starts(head, *start, (OID, one)) for one in (DATA, SIGNED_DATA))

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The parts; the MAC follows from them."""
        return document(self.name, blob, STORE, limits)
