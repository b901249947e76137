"""Where bytes hold what no report may show: private keys, password hashes, tokens of services.

Looked for wherever bytes would be shown as they are, in any format or none, whole or damaged.

Source: RFC 7468 and RFC 4880, 6.2 (labels of blocks); RFC 5208, RFC 8017 A.1.2 and RFC 5915
(private keys in DER); OpenSSH PROTOCOL.key; crypt(5), shadow(5) (hashes); the token formats that
GitHub, GitLab, AWS, Slack, Stripe, npm, PyPI, Docker, Google and age document.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from re import Pattern

LONGEST_KEY = 64 << 10
"""Bytes that a private key takes at most, with all that is around it."""
PRIVATE_KEY = "private key"
PASSWORD = "password hash"  # noqa: S105 - the name of what is hidden, no password


@dataclass(frozen=True, slots=True)
class Secret:
    """A span of bytes from `start` to `end`, and what it holds."""

    start: int
    end: int
    what: str


_MARK = re.compile(rb"(BEGIN|END) (?:[A-Z0-9 ]{0,40}(?:PRIVATE|SECRET) KEY|AGE ENCRYPTED FILE)")
_BODY = re.compile(rb"[A-Za-z0-9+/]{32}")
_BEHIND = 512
"""Bytes between a BEGIN line and base64: headers."""

_DER = re.compile(
    # PKCS #8: version, then a sequence that starts with an identifier
    rb"\x02\x01[\x00\x01]\x30([\x03-\x40])\x06"
    # SEC 1: version 1, then the key
    rb"|\x02\x01\x01\x04([\x10-\x48])"
    # RSA and DSA: version 0, then a long positive number
    rb"|\x02\x01\x00\x02(?:\x81[\x40-\xff]|\x82[\x00-\x08].)(?:\x00[\x80-\xff]|[\x40-\x7f])",
    re.DOTALL,
)

_WORDS: tuple[tuple[tuple[bytes, ...], bytes, str], ...] = (
    # what must be there at all, the pattern, what it is
    (
        (b"b3BlbnNzaC1rZXktdjE",),
        rb"b3BlbnNzaC1rZXktdjE(?:[A-Za-z0-9+/=\s]|\\n){40,}",
        PRIVATE_KEY,
    ),
    (
        (b"openssh-key-v1\0",),
        rb"openssh-key-v1\x00\x00\x00\x00[\x04-\x40][\x00-\xff]{0,65536}",
        PRIVATE_KEY,
    ),
    (
        (b"PuTTY-User-Key-File-",),
        rb"PuTTY-User-Key-File-[0-9]: [\x00-\xff]{0,16384}",
        PRIVATE_KEY,
    ),
    ((b"RWRTY0Iy", b"RWRCSw", b"RWQAAEIy"), rb"RW[RQ][A-Za-z0-9+/]{120,}=*", PRIVATE_KEY),
    ((b"untrusted comment",), rb"untrusted comment:[^\n]*\n[A-Za-z0-9+/]{120,}=*", PRIVATE_KEY),
    (
        (b"PrivateKey", b"PRIVATEKEY", b"privatekey"),
        rb"(?i)PrivateKey\s*=\s*[A-Za-z0-9+/]{43}=",
        PRIVATE_KEY,
    ),
    (
        (b"priv:", b"privateExponent:"),
        rb"priv(?:ateExponent)?:\s*(?:[0-9a-f]{2}:){8}[0-9a-f:\s]*",
        PRIVATE_KEY,
    ),
    ((b"AGE-SECRET-KEY-",), rb"AGE-SECRET-KEY-[A-Z0-9-]{10,}", PRIVATE_KEY),
    (
        (b"$",),
        (
            rb"\$(?:[15-7]|g?y|md5|sha1|apr1|2[abxy]?|argon2[id]{1,2}|scrypt)\$"
            rb"(?:[./A-Za-z0-9,=+-]{1,64}\$){1,3}[./A-Za-z0-9+=-]{16}[!-9;-~]*"
        ),
        PASSWORD,
    ),
    (
        (b":$", b":!$", b":!!$"),
        rb"(?m)^[ +-]?[A-Za-z0-9_.][A-Za-z0-9_.@-]{0,63}:!{0,2}\$[0-9a-z]{1,10}\$[!-9;-~]{4,}",
        PASSWORD,
    ),
    (
        (b"pbkdf2",),
        rb"pbkdf2[_a-z0-9-]{0,16}\$[^\s$]{1,20}\$[^\s$]{1,64}\$[A-Za-z0-9+/=.]{16,}",
        PASSWORD,
    ),
    (
        (b"SHA", b"MD5", b"CRYPT"),
        rb"\{(?:S?SHA(?:256|384|512)?|S?MD5|CRYPT)\}[!-9;-~]{13,}",
        PASSWORD,
    ),
    (
        # hashes of DES and BSDi can't be known but by the row that they stand in
        (b":",),
        (
            rb"(?m)^[ +-]?[A-Za-z0-9_.][A-Za-z0-9_.@-]{0,63}:!{0,2}"
            rb"(?:[./A-Za-z0-9]{13}|_[./A-Za-z0-9]{19}):[0-9]*:"
        ),
        PASSWORD,
    ),
    (
        (b"gh", b"github_pat_"),
        rb"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
        "GitHub token",
    ),
    ((b"glpat-",), rb"glpat-[A-Za-z0-9_-]{16,}", "GitLab token"),
    ((b"AKIA", b"ASIA"), rb"(?:AKIA|ASIA)[A-Z0-9]{16}", "AWS access key"),
    (
        (b"ecret", b"ECRET"),
        rb"(?i)aws_?secret_?(?:access_?)?key\\*[\"']?\s*[=:]\s*\\*[\"']?[A-Za-z0-9+/]{16,}",
        "AWS secret key",
    ),
    ((b"xox",), rb"xox[abeoprs]-[A-Za-z0-9-]{10,}", "Slack token"),
    ((b"k_live_",), rb"[rs]k_live_[A-Za-z0-9]{16,}", "Stripe key"),
    ((b"npm_",), rb"npm_[A-Za-z0-9]{36}", "npm token"),
    ((b"pypi-AgE",), rb"pypi-AgE[A-Za-z0-9_-]{50,}", "PyPI token"),
    ((b"dckr_pat_",), rb"dckr_pat_[A-Za-z0-9_-]{20,}", "Docker token"),
    ((b'"auth',), rb'"auth\\*"\s*:\s*\\*"[A-Za-z0-9+/]{8,}={0,2}', "registry password"),
    ((b"AIza",), rb"AIza[A-Za-z0-9_-]{35}", "Google API key"),
    ((b"ya29.",), rb"ya29\.[A-Za-z0-9_-]{20,}", "Google token"),
    ((b"GOCSPX-",), rb"GOCSPX-[A-Za-z0-9_-]{20,}", "Google client secret"),
    (
        (b"ecretAccessKey", b"essionToken", b"ession_token", b"ESSION_TOKEN"),
        (
            rb"(?i)(?:secret_?access_?key|session_?token)\\*[\"']?\s*[=:]\s*\\*[\"']?"
            rb"[A-Za-z0-9+/]{16,}={0,2}"
        ),
        "AWS secret key",
    ),
    (
        (b"ccountKey", b"ccessKey"),
        rb"(?i)(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{20,}={0,2}",
        "Azure key",
    ),
    ((b"dop_v1_",), rb"dop_v1_[a-f0-9]{40,}", "DigitalOcean token"),
    ((b"hvs.",), rb"(?<![A-Za-z0-9])hvs\.[A-Za-z0-9_-]{24,}", "Vault token"),
    (
        (b":_auth", b":_password"),
        rb":_(?:authToken|auth|password)[ \t]*=[ \t]*[^\s$]{6,}",
        "npm token",
    ),
    (
        (b"eyJ",),
        rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        "JSON web token",
    ),
    ((b"earer ", b"EARER "), rb"(?i)\bbearer [A-Za-z0-9._~+/-]{20,}=*", "bearer token"),
    (
        # PEM in base64, as kubeconfig and secrets of Kubernetes have it
        (b"LS0tLS1CRUdJTi",),
        (
            rb"LS0tLS1CRUdJTiB(?:QUklWQVRF|SU0EgUFJJVkFU|FQyBQUklWQVRF|PUEVOU1NIIFBSSVZB"
            rb"|FTkNSWVBURUQgUFJJVkFU|EU0EgUFJJVkFU)[A-Za-z0-9+/=]*"
        ),
        PRIVATE_KEY,
    ),
    (
        # netrc(5): names and values in any order, between white space
        (b"password", b"passwd"),
        (
            rb"(?:machine[ \t\r\n]+[!-~]{1,256}|default)"
            rb"(?:[ \t\r\n]+(?:login|account|port)[ \t\r\n]+[!-~]{1,256}){0,3}"
            rb"[ \t\r\n]+passw(?:or)?d[ \t\r\n]+[!-~]{1,256}"
        ),
        "netrc password",
    ),
    (
        (b"://",),
        (
            rb"://[A-Za-z0-9._%+~-]{0,64}:[!#%&(-.0-9;=?A-Z^-z|~]{3,256}"
            rb"@[A-Za-z0-9\[]"
        ),
        "password in an address",
    ),
    (
        # variables of environments: what runs takes its secrets from them
        (b"PASSWORD=", b"PASSWD=", b"SECRET=", b"TOKEN=", b"_KEY="),
        (
            rb"(?:PASSWORD|PASSWD|SECRET|TOKEN|(?:API|ACCESS|PRIVATE|SECRET)_KEY)=[\"']?[^\s\"'$]{6,}"
        ),
        "secret variable",
    ),
)


_SHORT = 512
_MARKS = (b" KEY", b"BEGIN AGE", b"\x02\x01")
"""What blocks and keys in DER have at least."""


@cache
def _any() -> Pattern[bytes]:
    """Something of what a secret must have."""
    needles = {needle for needles, _, _ in _WORDS for needle in needles} | {*_MARKS}
    return re.compile(b"|".join(map(re.escape, sorted(needles))))


def secrets_in(data: bytes) -> list[Secret]:
    """All secrets in `data`, in order of their kinds; their spans may overlap."""
    if len(data) <= _SHORT and not _any().search(data):
        return []
    found = [*_blocks(data), *_in_der(data)]
    for needles, pattern, what in _WORDS:
        if any(needle in data for needle in needles):
            # compiled by re, which keeps it, where it is asked for: few runs need any
            found += (Secret(*one.span(), what) for one in re.finditer(pattern, data))
    return found


def secret_as_a_whole(head: bytes) -> str | None:
    """What a stream that starts with `head` is, where all of it is secret."""
    # here, since most that ask for secrets have no stream
    from sxdiff.formats.trust.jks import Jks  # noqa: PLC0415 - start-up time
    from sxdiff.formats.trust.pgp import SECRET_KEY, Pgp, packet  # noqa: PLC0415 - start-up time
    from sxdiff.formats.trust.pkcs import Pkcs12  # noqa: PLC0415 - start-up time
    from sxdiff.formats.trust.private_key import PrivateKey  # noqa: PLC0415 - start-up time

    if PrivateKey().recognises(head):
        return PRIVATE_KEY
    if Jks().recognises(head) or Pkcs12().recognises(head):
        return "key store"
    if Pgp().recognises(head) and packet(head, 0).tag == SECRET_KEY:
        return PRIVATE_KEY
    return None


def _blocks(data: bytes) -> Iterator[Secret]:
    """Blocks between BEGIN and END lines. Where one of the lines is missing, a block goes as far
    as a key may."""
    if b" KEY" not in data and b"BEGIN AGE" not in data:
        return
    start: int | None = None
    last = 0  # the end of the mark before
    for mark in _MARK.finditer(data):
        if mark[1] == b"BEGIN":
            if start is not None and _BODY.search(data, last, min(mark.start(), last + _BEHIND)):
                yield Secret(start, mark.start(), PRIVATE_KEY)
            start = mark.start()
        elif start is None:
            since = max(last, mark.start() - LONGEST_KEY // 4)
            if _BODY.search(data, max(since, mark.start() - _BEHIND), mark.start()):
                yield Secret(since, mark.end(), PRIVATE_KEY)
        else:
            if _BODY.search(data, last, min(mark.start(), last + _BEHIND)):
                yield Secret(start, mark.end(), PRIVATE_KEY)
            start = None
        last = mark.end()
    if start is not None and _BODY.search(data, last, last + _BEHIND):
        yield Secret(start, min(len(data), start + LONGEST_KEY), PRIVATE_KEY)


def _in_der(data: bytes) -> Iterator[Secret]:
    """Private keys by what stands at their start, whatever their header says."""
    for one in _DER.finditer(data):
        start = max(0, one.start() - 4)
        if one[1]:
            at = one.start() + 5 + one[1][0]
            size = _length(data, at + 1) if data[at : at + 1] == b"\x04" else None
            if size and size[1] >= 16:
                yield Secret(start, size[0] + size[1], PRIVATE_KEY)
        elif one[2]:
            at = one.end() + one[2][0]
            if data[at : at + 1] in (b"", b"\xa0", b"\xa1"):
                yield Secret(start, at + 128, PRIVATE_KEY)
        else:
            modulus = _length(data, one.start() + 4)
            if modulus:  # a key has no more than nine numbers of its modulus's length
                yield Secret(start, modulus[0] + modulus[1] * 9 // 2 + 64, PRIVATE_KEY)


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Where a content starts whose length stands at `at`, and its length (X.690, 8.1.3)."""
    first = data[at : at + 1]
    if not first:
        return None
    if first[0] < 0x80:
        return at + 1, first[0]
    count = first[0] - 0x80
    if not 1 <= count <= 3:
        return None
    return at + 1 + count, int.from_bytes(data[at + 1 : at + 1 + count], "big")
