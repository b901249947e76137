"""X.509 certificates, requests for them and lists of revoked ones, in DER.

Source: RFC 5280, 4.1 (Certificate) and 5.1 (CertificateList); RFC 2986, 4 (request).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sxdiff.formats.trust.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    UTC_TIME,
    Part,
    Shape,
    document,
    starts,
)
from sxdiff.model import Blob, Fact, Inside, Limits, Member, Scalar

PUBLIC_KEY = Part(SEQUENCE, "public_key", whole=True)
VALIDITY = Shape((Part(0, "not_before"), Part(0, "not_after")))
EXTENSION = Part(
    SEQUENCE,
    "",
    Shape((Part(OID, "type"), Part(BOOLEAN, "critical"), Part(OCTET_STRING, "value"))),
)
EXTENSIONS = Shape((Part(SEQUENCE, "", Shape(each=EXTENSION)),))
_EXTENSIONS = Part(0xA3, "extensions", Shape((Part(SEQUENCE, "list", Shape(each=EXTENSION)),)))
ALGORITHM = Part(SEQUENCE, "signature_algorithm")
TBS_CERTIFICATE = Shape(
    (
        Part(0xA0, "version"),
        Part(INTEGER, "serial"),
        ALGORITHM,
        Part(SEQUENCE, "issuer"),
        Part(SEQUENCE, "validity", VALIDITY),
        Part(SEQUENCE, "subject"),
        PUBLIC_KEY,
        Part(0x81, "issuer_unique_id"),
        Part(0x82, "subject_unique_id"),
        _EXTENSIONS,
    )
)
CERTIFICATE = Part(
    SEQUENCE,
    "certificate",
    Shape(
        (
            Part(SEQUENCE, "tbs", TBS_CERTIFICATE),
            Part(SEQUENCE, "algorithm", derived=True),
            Part(BIT_STRING, "signature", derived=True),
        )
    ),
)
REQUEST = Part(
    SEQUENCE,
    "request",
    Shape(
        (
            Part(
                SEQUENCE,
                "info",
                Shape(
                    (
                        Part(INTEGER, "version"),
                        Part(SEQUENCE, "subject"),
                        PUBLIC_KEY,
                        Part(0xA0, "attributes"),
                    )
                ),
            ),
            ALGORITHM,
            Part(BIT_STRING, "signature", derived=True),
        )
    ),
)
REVOCATIONS = Part(
    SEQUENCE,
    "revocations",
    Shape(
        (
            Part(
                SEQUENCE,
                "list",
                Shape(
                    (
                        Part(INTEGER, "version"),
                        ALGORITHM,
                        Part(SEQUENCE, "issuer"),
                        Part(UTC_TIME, "this_update"),
                        Part(GENERALIZED_TIME, "this_update"),
                        Part(UTC_TIME, "next_update"),
                        Part(GENERALIZED_TIME, "next_update"),
                        Part(SEQUENCE, "revoked", Shape(each=Part(SEQUENCE, "", group=True))),
                        Part(0xA0, "extensions", EXTENSIONS),
                    )
                ),
            ),
            Part(SEQUENCE, "algorithm", derived=True),
            Part(BIT_STRING, "signature", derived=True),
        )
    ),
)


class X509:
    """Serial number, names, dates, digest of the public key, extensions, signature."""

    name = "x509"

    def recognises(self, head: bytes) -> bool:
        """A certificate of version 2 or 3; one of version 1 has no mark to be known by."""
        version = b"\2\1\1", b"\2\1\2"
        return any(
            starts(head, (SEQUENCE, None), (SEQUENCE, None), (0xA0, one), (INTEGER, one[2:]))
            for one in version
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The certificate's parts; the signature follows from them."""
        for part in document(self.name, blob, CERTIFICATE, limits):
            if isinstance(part, Member) and isinstance(part.inside, Inside):
                inside = Inside(self.name, partial(_with_length, part.inside.parts))
                yield replace(part, inside=inside)
            else:
                yield part


def _with_length(
    parts: Callable[[Blob], Iterable[Fact | Member]], content: Blob
) -> Iterator[Fact | Member]:
    """The same parts, and how long the certificate is valid."""
    begins: datetime | None = None
    for part in parts(content):
        yield part
        if isinstance(part, Fact) and part.kind == "x509.not_before":
            begins = _moment(part.value)
        elif isinstance(part, Fact) and part.kind == "x509.not_after":
            ends = _moment(part.value)
            if begins and ends:
                name = part.name.removesuffix(" not_after")
                yield Fact("x509.validity", _length(ends - begins), None, name)


def _moment(value: Scalar) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value).removeprefix("GeneralizedTime "))
    except ValueError:
        return None


def _length(much: timedelta) -> str:
    return f"{much.days} days" + (f" {much.seconds} s" if much.seconds else "")


class Request:
    """Requests for certificates (PKCS #10)."""

    name = "x509_request"

    def recognises(self, head: bytes) -> bool:
        """Version 0, then a name and a public key."""
        return starts(head, (SEQUENCE, None), (SEQUENCE, None), (INTEGER, b"\0"), (SEQUENCE, None))

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The request's parts; the signature follows from them."""
        return document(self.name, blob, REQUEST, limits)


class Revocations:
    """Lists of revoked certificates."""

    name = "x509_revocations"

    def recognises(self, head: bytes) -> bool:
        """Version 2, then the algorithm of the signature."""
        return starts(
            head,
            (SEQUENCE, None),
            (SEQUENCE, None),
            (INTEGER, b"\1"),
            (SEQUENCE, None),
            (OID, None),
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The list's parts; the signature follows from them."""
        return document(self.name, blob, REVOCATIONS, limits)
