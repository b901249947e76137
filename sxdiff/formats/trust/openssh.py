"""OpenSSH's keys: the public part of private keys, and rows of public keys and known hosts.

Source: OpenSSH PROTOCOL.key (private keys), RFC 4253, 6.6 (public keys), sshd(8)
"AUTHORIZED_KEYS FILE FORMAT" and "SSH_KNOWN_HOSTS FILE FORMAT".
"""

import base64
import binascii
import re
from collections.abc import Iterator

from sxdiff.formats.texts.pieces import Names, lines_of, piece
from sxdiff.formats.trust.der import digest
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

MAGIC = b"openssh-key-v1\0"
_TYPES = (
    rb"(?:ssh-(?:rsa|dss|ed25519|ed448)|ecdsa-sha2-nistp[0-9]+|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)"
    rb"@openssh\.com)(?:-cert-v01@openssh\.com)?"
)
_KEY = re.compile(
    rb"(?:^|(?<=[ \t]))(" + _TYPES + rb")[ \t]+([A-Za-z0-9+/]{32,}={0,2})(?=[ \t\r\n]|\Z)"
)
_ROW = re.compile(rb"(?:[^\n]*[ \t])?" + _TYPES + rb"[ \t]+AAAA[A-Za-z0-9+/]{28,}")


def public_parts(key: bytes, name: str) -> Iterator[Fact]:
    """What a decoded private key of OpenSSH says openly; nothing for another key.

    The facts have no spans: the key is base64 in its file.
    """
    if not key.startswith(MAGIC):
        return
    at = len(MAGIC)
    for kind in ("cipher", "kdf", "kdf_options"):
        value, at = _string(key, at)
        told = value.hex() if kind == "kdf_options" else text_of(value)
        yield Fact(f"openssh.{kind}", told, None, name)
    count = int.from_bytes(key[at : at + 4], "big")
    at += 4
    for _ in range(min(count, 16)):
        value, at = _string(key, at)
        yield Fact("openssh.public_key", fingerprint(value), None, name)


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    size = int.from_bytes(data[at : at + 4], "big")
    if at + 4 + size > len(data):
        raise FormatError("OpenSSH key: a string lies outside", at)
    return data[at + 4 : at + 4 + size], at + 4 + size


def fingerprint(blob: bytes) -> str:
    """A public key's type, its size in bits where the type does not say it, and its fingerprint,
    as ssh-keygen -l prints it."""
    hashed = bytes.fromhex(digest(blob).removeprefix("sha256:"))
    return f"{_sort(blob)} SHA256:{base64.b64encode(hashed).decode().rstrip('=')}"


def _sort(blob: bytes) -> str:
    """The type of a public key, and the size of one of RSA or DSA."""
    kind, at = _string(blob, 0)
    told = text_of(kind)
    if kind in (b"ssh-rsa", b"ssh-dss"):
        number, at = _string(blob, at)  # the exponent, or the prime
        if kind == b"ssh-rsa":
            number, _ = _string(blob, at)
        told += f" {int.from_bytes(number, 'big').bit_length()}"
    return told


def sort_of(key: bytes) -> str:
    """The type and size of a decoded private key of OpenSSH; empty for another key."""
    if not key.startswith(MAGIC):
        return ""
    at = len(MAGIC)
    for _ in range(3):
        _, at = _string(key, at)
    public, _ = _string(key, at + 4)
    return _sort(public)


class OpenSsh:
    """Files with a public key on each line: `id_*.pub`, authorized_keys, known_hosts."""

    name = "openssh"

    def recognises(self, head: bytes) -> bool:
        """Whether the first line that is no comment holds a public key."""
        for at, size in lines_of(head[:16384]):
            line = head[at : at + size].strip()
            if line and not line.startswith(b"#"):
                return _ROW.match(line) is not None
        return False

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - texts are bounded
        """Rows by what stands before the key (a host) or behind it (a comment), and the type."""
        raw = blob.read()
        names = Names()
        for at, size in lines_of(raw):
            line = raw[at : at + size]
            found = _KEY.search(line)
            if not found or line.startswith(b"#"):
                yield from piece("openssh.text", raw, at, at + size, "text")
                continue
            kind, key = found[1], found[2]
            before, behind = line[: found.start()].strip(), line[found.end() :].strip()
            host = b" ".join(word for word in before.split() if not word.startswith(b"|1|"))
            subject = host if host and b"=" not in host else behind
            name = names.unique(text_of(b" ".join((subject, kind)).strip()))
            start, end = at + found.start(2), at + found.end(2)
            try:
                told = fingerprint(base64.b64decode(key, validate=True))
            except (binascii.Error, ValueError, FormatError):
                told = "no key"
            yield from piece("openssh.before", raw, at, start, name)
            yield Fact("openssh.public_key", f"{told}, {text_of(key)}", (start, end - start), name)
            yield from piece("openssh.behind", raw, end, at + size, name)
