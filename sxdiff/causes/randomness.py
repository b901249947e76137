"""Random values and identities."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, Judge, NearMiss, Token, Tokens
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    any_two,
    matches,
    same_length,
    time_field,
    two_random_uuids,
    two_times,
    uuids,
)

_RANDOM: Final = "https://reproducible-builds.org/docs/randomness/"

_TRUST: Final = (
    r"(?i:(?:^|[/_.-])(?:ca|cas|cacerts?|ca-certificates?|roots?|trust(?:ed)?(?:-source|store)?"
    r"|anchors?|bundle|chain|mozilla|pki/ca-trust|keyrings?|authorized|intermediate)(?:[/_.-]|$))"
)
_NO_TRUST: Final = late(rf"\A(?!.*{_TRUST})")
"""Paths but those at which a certificate says whom to trust."""
_ALONE: Final = late(r"\A(?!certificate [^/]|.*certificates)")
"""Routes but those of one certificate among several."""
_NAME = (
    r"0[\s\S]1[\s\S]0[\s\S]\x06\x03U\x04\x03[\x0c\x13][\s\S]"
    r"(?!(?i:[ -~]{0,60}(?<![a-z])(?:ca|root|authority)(?![a-z])))[ -~]{1,64}"
)
_SELF_SIGNED: Final = late(
    r"\A0[\s\S]{1,3}0[\s\S]{1,3}\udca0\x03\x02\x01\x02\x02[\s\S]{2,24}?"
    r"0[\s\S]\x06[\s\S]{4,12}?"
    rf"(?P<name>{_NAME})"
    r"0[\s\S](?:\x17\r\d{12}Z|\x18\x0f\d{14}Z){2}(?P=name)0"
)
"""A certificate (RFC 5280, 4.1) whose issuer is its subject: one common name, that of no
authority. What makes such a one makes its key, too."""
_SERIAL = late(r"\A0x(?:00)?[0-9a-f]{14,40}\Z")
_KEY_ID = late(r"\A[0-9a-f]{40}\Z")
_KEY_SORT = late(r"(?P<sort>[A-Za-z][\w .,@-]{1,60}) (?:sha256:[0-9a-f]{64}|SHA256:[\w+/]{43})")


def _keys(text: str) -> Iterator[Token]:
    """A key whose type and size are told before its digest: the key itself is random."""
    found = _KEY_SORT.match(text)
    if found and (found.end() == len(text) or text.startswith(", AAAA", found.end())):
        yield Token(0, len(text), text[len(found["sort"]) + 1 :][:64], f"key {found['sort']}")


def _numbers(text: str) -> Iterator[Token]:
    """A number whose size is told: the prime of DH parameters."""
    found = re.fullmatch(
        r"(?P<size>\d{2,4} bytes) (?P<v>sha256:[0-9a-f]{64})|0x(?:00)?([0-9a-f]+)", text
    )
    if found:
        size = found["size"] or str(len(found[3]))
        yield Token(0, len(text), found["v"] or text[:40], f"number {size}")


_FIX_KEYS = Fix(
    "make keys at the first start (ssh-keygen -A, make-ssl-cert generate-default-snakeoil), and"
    " rm -f /etc/ssh/ssh_host_* /etc/ssl/private/ssl-cert-snakeoil.key in the RUN that installs"
    " the package"
)
_WHY_KEYS = "A package made a key when it was installed."
_CERTIFICATE = (
    "0\udc82\x01\x0a0\udc81\udcb1\udca0\x03\x02\x01\x02\x02\x08ABCDEFGH0\x0a\x06\x08*\udc86H"
    "\udcce=\x04\x03\x020\x141\x120\x10\x06\x03U\x04\x03\x0c\x09localhost0\x1e\x17\r260110100000Z"
    "\x17\r270110100000Z0\x141\x120\x10\x06\x03U\x04\x03\x0c\x09localhost0Y"
)
_AUTHORITY = _CERTIFICATE.replace("localhost", "My own CA")
_SHA_A, _SHA_B = f"sha256:{'a1' * 32}", f"sha256:{'b2' * 32}"


def _certificate(
    kind: str,
    tokens: Tokens,
    judge: Judge,
    example: tuple[str, str],
    route: str,
) -> Cause:
    """A field of a certificate that was made with its key."""
    return Cause(
        id="generated-keys-certs",
        title="Keys and certificates that were made anew",
        family="randomness",
        kinds=(kind,),
        tokens=tokens,
        judge=judge,
        paths=_NO_TRUST,
        where=late(rf"{_ALONE.pattern}(?=.*{route})"),
        context=_SELF_SIGNED,
        why="A package made a certificate for itself, with a new key, when it was installed.",
        fixes=(_FIX_KEYS,),
        references=(_RANDOM,),
        example=NearMiss(
            kind, *example, path="etc/ssl/certs/x.pem", head=_CERTIFICATE, where=(route,)
        ),
        near_miss=NearMiss(
            kind, *example, path="etc/ssl/certs/x.pem", head=_AUTHORITY, where=(route,)
        ),
        composes=False,
    )


_NAMES = (
    r"(?:nonce|salt|secret(?:[_-]?key(?:[_-]?base)?)?|(?:[a-z]{2,12}[_-])?(?:csrf|xsrf)(?:[_-]?\w{1,12})?"
    r"|session[_-]?(?:id|key|secret|token)|cookie[_-]?(?:secret|key|salt|password)"
    r"|(?:auth|access|api|bearer|security|client|admin|install|setup|reset)?[_-]?token"
    r"|random(?:[_-]?\w{1,12})?|(?:encryption|app|signing|master|hmac|hash|crypt|blowfish)"
    r"[_-]?(?:key|secret|salt)|(?:auth|logged_in|secure_auth|password|hash|crypt)[_-]?(?:salt|key)"
    r"|(?:request|trace|instance|correlation|run)[_-]?(?:id|uid)|boundary|jti)"
)
_NAME_OF_RANDOM = late(rf"(?i)(?:^|[/_.\s-]){_NAMES}$")
_VALUE = r"(?:[0-9a-f]{16,128}|[0-9A-F]{16,128}|[A-Za-z0-9+/_-]{20,128}={0,2})"
_LONG = late(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,128}={0,2}(?![A-Za-z0-9+/_=-])")
_BEHIND = late(r"[\"'][ \t]*[;,)}\]>]*|[ \t]*[;,]?[ \t]*(?:\r?\n|\Z)")
_BEFORE = late(
    rf"(?i:(?:\A|[^a-z0-9]){_NAMES})[\"']?[ \t]{{0,8}}(?:=>|:=|[=:])[ \t]{{0,8}}[\"']?\Z"
)
SHORTEST: Final = 20
"""Characters of base64; of hexadecimal digits 16 are enough."""
_AROUND = 64
"""Characters in front of a value in which its name stands."""
_ONLY = late(rf"\A[\"']?(?P<v>{_VALUE})[\"']?\Z")
_HEX = late(r"[0-9a-f]+|[0-9A-F]+")
_WORD = late(r"[a-z]{8}|[A-Z]{8}|(?:[A-Z]?[a-z]{3,}[-_]){2}")


def _is_random(value: str) -> bool:
    """Whether digits and letters are so mixed as chance mixes them."""
    bare = value.rstrip("=")
    counts = Counter(bare)
    entropy = -sum(n / len(bare) * math.log2(n / len(bare)) for n in counts.values())
    if _HEX.fullmatch(bare):
        digits = sum(map(str.isdigit, bare))
        return entropy >= 2.6 and 0 < digits < len(bare)
    kinds = (any(map(test, bare)) for test in (str.isdigit, str.isupper, str.islower))
    return entropy >= 3.7 and all(kinds) and not _WORD.search(bare)


def _token(start: int, value: str) -> Iterator[Token]:
    alphabet = "hex" if _HEX.fullmatch(value) else "base64"
    if (alphabet == "base64" and len(value) < SHORTEST) or not _is_random(value):
        return
    # what may be a secret is never told
    told = hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    yield Token(start, start + len(value), f"sha256:{told}", f"random {alphabet} {len(value)}")


def _pinned(text: str) -> Iterator[Token]:
    """Random values behind a name that says that they are."""
    for found in _LONG.finditer(text):
        start = found.start()
        before = text[max(0, start - _AROUND) : start].rpartition("\n")[2]
        if _BEFORE.search(before) and _BEHIND.match(text, found.end()):
            yield from _token(start, found[0])


def _value(text: str) -> Iterator[Token]:
    if found := _ONLY.match(text):
        yield from _token(found.start("v"), found["v"])


_ADDRESS = late(
    r"(?<![0-9A-Za-z])(?:[a-z]+_)?0x(?P<v>7ff[0-9a-f]{8}(?P<stack>[0-9a-f])"
    r"|(?P<region>7[ef]|5[56]|ffff|aaaa)[0-9a-f]{5,7}(?P<page>[0-9a-f]{3}))(?![0-9A-Za-z])"
)


_REGIONS = {"55": "program", "56": "program", "7e": "library", "7f": "library"}


def _addresses(text: str) -> Iterator[Token]:
    """Addresses where Linux puts programs, libraries and stacks by chance: by pages, and stacks
    by 16 bytes. The rest of an address is the same on both sides."""
    if "0x" not in text:
        return
    for found in _ADDRESS.finditer(text):
        if len(found["v"]) != 12 or "fffff" in found["v"] or "00000" in found["v"]:
            continue  # a mask, a constant
        region = _REGIONS.get(found["region"] or "", found["region"])
        form = f"stack {found['stack']}" if found["stack"] else f"{region} {found['page']}"
        yield Token(*found.span("v"), f"0x{found['v']}", f"address {form}")


_RANDOM_NAME = late(
    r"(?<=[-._/])(?:(?P<v>(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{6,64})(?=[-._]|\Z)"
    r"|(?P<m>(?=[^./]*[a-z][^./]*[A-Z0-9]|[^./]*[A-Z0-9][^./]*[a-z][^./]*[A-Z0-9])[A-Za-z0-9]{6,10})\Z)"
    r"(?=[^/]*\Z)"
)


_OF_A_PATH = late(r"(?:^|/)dir_[0-9a-f]{32}(?:_dep)?\.\w{2,4}\Z")
"""Names that doxygen makes of MD5 of a directory's path."""


def _random_names(text: str) -> Iterator[Token]:
    """What is random of a file's name; the directory and the rest are the same."""
    if _OF_A_PATH.search(text):
        return
    for found in _RANDOM_NAME.finditer(text):
        name = found.lastgroup or "v"
        yield Token(*found.span(name), found[name], f"name {name} {len(found[name])}")


def _two_names(one: Token, two: Token) -> Evidence | None:
    """Two names in which digits and letters are mixed as no word has them, and which are alike in
    no more places than chance makes."""
    same = sum(a == b for a, b in zip(one.value, two.value, strict=False))
    if 2 * same > len(one.value):
        return None
    for token in (one, two):
        digits = sum(map(str.isdigit, token.value))
        upper = sum(map(str.isupper, token.value))
        if not digits and upper < 2:
            return None
    return Evidence(one.value, two.value)


_FIX_TOKENS = (
    Fix("make it at the first start, or from a digest of the contents; leave it out of the image"),
)
_HEX_A, _HEX_B = "cf3af97b7d3c0bc28b692314e6f7931a", "9505693908025879e5c4509ddf982c02"

PINNED: Final[tuple[Cause, ...]] = (
    Cause(
        id="generated-keys-certs",
        title="Keys and certificates that were made anew",
        family="randomness",
        kinds=("private_key.material",),
        tokens=_keys,
        judge=any_two,
        why=f"{_WHY_KEYS} Its type and size are the same.",
        fixes=(_FIX_KEYS,),
        references=(_RANDOM,),
        example=NearMiss(
            "private_key.material", f"rsa 2048 {_SHA_A}", f"rsa 2048 {_SHA_B}", path="k.pem"
        ),
        near_miss=NearMiss(
            "private_key.material", f"rsa 2048 {_SHA_A}", f"rsa 1024 {_SHA_B}", path="k.pem"
        ),
        composes=False,
    ),
    Cause(
        id="generated-keys-certs",
        title="Keys and certificates that were made anew",
        family="randomness",
        kinds=("openssh.public_key",),
        tokens=_keys,
        judge=any_two,
        where=late(r"(?:^|/)openssh private key(?:/|$)"),
        why=f"{_WHY_KEYS} Its type and size are the same.",
        fixes=(_FIX_KEYS,),
        references=(_RANDOM,),
        example=NearMiss(
            "openssh.public_key",
            f"ssh-ed25519 SHA256:{'a' * 43}",
            f"ssh-ed25519 SHA256:{'b' * 43}",
            where=("openssh private key",),
        ),
        near_miss=NearMiss(
            "openssh.public_key",
            f"ssh-rsa 3072 SHA256:{'a' * 43}",
            f"ssh-rsa 1024 SHA256:{'b' * 43}",
            where=("openssh private key",),
        ),
        composes=False,
    ),
    Cause(
        id="generated-keys-certs",
        title="Keys and certificates that were made anew",
        family="randomness",
        kinds=("openssh.public_key",),
        tokens=_keys,
        judge=any_two,
        paths=late(r"(?:^|/)(?:ssh_host_\w+_key|dropbear_\w+_host_key|id_\w+)\.pub$"),
        why=f"{_WHY_KEYS} Its type, size and comment are the same.",
        fixes=(_FIX_KEYS,),
        references=(_RANDOM,),
        example=NearMiss(
            "openssh.public_key",
            f"ssh-ed25519 SHA256:{'a' * 43}, AAAAC3Nz",
            f"ssh-ed25519 SHA256:{'b' * 43}, AAAAC3Nz",
            path="etc/ssh/ssh_host_ed25519_key.pub",
        ),
        near_miss=NearMiss(
            "openssh.public_key",
            f"ssh-ed25519 SHA256:{'a' * 43}, AAAAC3Nz",
            f"ssh-ed25519 SHA256:{'b' * 43}, AAAAC3Nz",
            path="root/.ssh/authorized_keys",
        ),
        composes=False,
    ),
    _certificate(
        "x509.serial",
        matches(_SERIAL, "serial"),
        any_two,
        (f"0x{'0fa1' * 10}", f"0x{'12b2' * 10}"),
        "serial",
    ),
    _certificate(
        "x509.public_key",
        _keys,
        any_two,
        (f"rsaEncryption, 294 bytes, {_SHA_A}", f"rsaEncryption, 294 bytes, {_SHA_B}"),
        "public_key",
    ),
    _certificate(
        "x509.not_before",
        time_field,
        two_times,
        ("2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        "not_before",
    ),
    _certificate(
        "x509.not_after",
        time_field,
        two_times,
        ("2027-01-10T10:00:00Z", "2027-03-15T12:34:56Z"),
        "not_after",
    ),
    _certificate(
        "x509.value",
        matches(_KEY_ID, "key identifier"),
        any_two,
        ("af4901580c23595a44c7d48a7f0b8b668f7b1ad4", "4a783d1473809c6a2f137270fe44a8f326ab3092"),
        "KeyIdentifier",
    ),
    Cause(
        id="generated-keys-certs",
        title="Keys and certificates that were made anew",
        family="randomness",
        kinds=("der.value",),
        tokens=_numbers,
        judge=any_two,
        where=late(r"\Adh parameters/(?:.*/)?0$"),
        why="openssl dhparam looks for a random prime. Its size and the generator are the same.",
        fixes=(Fix("use a group of RFC 7919 (ffdhe2048), or make them at the first start"),),
        references=("https://www.rfc-editor.org/rfc/rfc7919",),
        example=NearMiss(
            "der.value",
            f"257 bytes {_SHA_A}",
            f"257 bytes {_SHA_B}",
            where=("dh parameters", "document", "0"),
        ),
        near_miss=NearMiss(
            "der.value",
            f"257 bytes {_SHA_A}",
            f"129 bytes {_SHA_B}",
            where=("dh parameters", "document", "0"),
        ),
        composes=False,
    ),
    Cause(
        id="random-hex-token",
        title="Random tokens",
        family="randomness",
        kinds=("text", "xml", "elf.strings"),
        tokens=_pinned,
        judge=any_two,
        why="The build made a random value, and the name in front of it says what for.",
        fixes=_FIX_TOKENS,
        references=(_RANDOM,),
        example=NearMiss("text", f"nonce={_HEX_A}\n", f"nonce={_HEX_B}\n"),
        near_miss=NearMiss("text", f"commit={_HEX_A}0\nport=80\n", f"commit={_HEX_B}0\nport=81\n"),
    ),
    Cause(
        id="random-hex-token",
        title="Random tokens",
        family="randomness",
        kinds=("json.value", "ini.value", "stanza.value"),
        tokens=_value,
        judge=any_two,
        where=_NAME_OF_RANDOM,
        why="The build made a random value, and the name of the field says what for.",
        fixes=_FIX_TOKENS,
        references=(_RANDOM,),
        example=NearMiss("json.value", f'"{_HEX_A}"', f'"{_HEX_B}"', where=("app", "secret")),
        near_miss=NearMiss(
            "json.value", '"correct-horse-battery"', '"another-horse-battery"', where=("secret",)
        ),
        composes=False,
    ),
)
"""Values that their place says are random: before any that they may look like."""

CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        id="random-uuid",
        title="Random UUIDs",
        family="randomness",
        kinds=("*",),
        tokens=uuids,
        judge=two_random_uuids,
        why="The build made a UUID by chance or from the time.",
        fixes=(Fix("make it from a name (uuid5), set it by hand, or make it at the first start"),),
        references=(_RANDOM,),
        example=NearMiss(
            "text",
            "id=0f8fad5b-d9cb-469f-a165-70867728950e\n",
            "id=7c9e6679-7425-40de-944b-e07fc1f90ae7\n",
        ),
        near_miss=NearMiss(
            "text",
            "id=0f8fad5b-d9cb-569f-a165-70867728950e\n",
            "id=7c9e6679-7425-50de-944b-e07fc1f90ae7\n",
        ),
    ),
    Cause(
        id="random-file-name",
        title="Random names of files",
        family="randomness",
        kinds=("file.renamed",),
        tokens=_random_names,
        judge=_two_names,
        why="The build gave a file a random name. What the file holds is told on its own.",
        fixes=(Fix("make the name from the contents, or remove the file in the same RUN"),),
        references=(_RANDOM,),
        example=NearMiss("file.renamed", "js/chunk-457481c2.js", "js/chunk-cbc62439.js"),
        near_miss=NearMiss("file.renamed", "js/chunk-457481c2.js", "css/chunk-cbc62439.js"),
        composes=False,
    ),
    Cause(
        id="memory-address-in-output",
        title="Addresses in memory",
        family="randomness",
        kinds=("text", "xml", "*.value", "elf.strings"),
        tokens=_addresses,
        judge=same_length(),
        why="A program printed an address, which the kernel chose by chance.",
        fixes=(
            Fix(
                "do not print addresses (a __repr__ of its own); setarch -R shows whether it is so"
            ),
        ),
        references=("https://reproducible-builds.org/docs/value-initialization/",),
        example=NearMiss(
            "text", "<object object at 0x7f2876d741b0>\n", "<object object at 0x7f7d00f741b0>\n"
        ),
        near_miss=NearMiss(
            "text", "<object object at 0x7f2876d741b0>\n", "<object object at 0x7f7d00f741c0>\n"
        ),
    ),
)
