"""Secrets are never shown, however damaged, hidden or unrecognised their files are."""

import base64
import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.trust.secret import secrets_in
from sxdiff.model import Difference, Node
from tests.look import LIMITS, Look, differences, looking, told
from tests.tools import run, want


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def strings(value: object) -> Iterator[str]:
    """All that a node shows."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each)


def secret_of(node: Node | None) -> Difference:
    """The one difference that stands for all that is hidden."""
    found = [one for one in differences(node) if one.kind == "file.secret"]
    assert len(found) == 1
    return found[0]


def hidden(node: Node | None, secret: bytes, shortest: int = 12) -> bool:
    """Whether nothing of `secret` is shown, neither as text nor in hex."""
    assert node
    shown = "\n".join(strings(asdict(node)))
    # digests are no part of it
    parts = [secret[at : at + shortest] for at in range(0, len(secret) - shortest + 1, 3)]
    texts = [part.decode("ascii", errors="replace") for part in parts]
    return not any(part in shown for part in [*texts, *(part.hex() for part in parts)])


RANDOM = random.Random(7)
BODY = base64.b64encode(RANDOM.randbytes(600))
LINES = b"".join(BODY[at : at + 64] + b"\n" for at in range(0, len(BODY), 64))
OTHER = LINES.swapcase()


def pem(label: bytes = b"RSA PRIVATE KEY", body: bytes = LINES) -> bytes:
    return b"-----BEGIN " + label + b"-----\n" + body + b"-----END " + label + b"-----\n"


HASH = b"$6$saltsalt$" + BODY[:86].replace(b"+", b".")
SHADOW = b"root:" + HASH + b":20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n"

TOKENS = {
    b"ghp_" + BODY[:36].replace(b"+", b"x").replace(b"/", b"y"): "GitHub token",
    b"github_pat_" + b"11ABCDEFG0123456789_abcdefghij": "GitHub token",
    b"glpat-" + b"abcdefghij0123456789": "GitLab token",
    b"AKIA" + b"QWERTYUIOPASDF12": "AWS access key",
    b"xoxb-" + b"1234567890-abcdefghijklmnop": "Slack token",
    b"AGE-SECRET-KEY-1" + b"QWERTYUIOPASDFGHJKLZXCVBNM": "private key",
    HASH: "password hash",
    b"$2y$10$" + b"abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234": "password hash",
    b"{SSHA}" + b"abcdefghijklmnopqrstuvwxyz0123456789": "password hash",
}


@pytest.mark.parametrize("token", TOKENS, ids=lambda one: one[:12].decode())
@pytest.mark.parametrize(
    "form",
    [
        b"some words\ntoken %s here\nmore\n",
        b'{"a": 1,\n "token": "%s",\n "b": 2}\n',
        b"[section]\nkey = 1\ntoken = %s\n",
        b"\0\1\2binary\0%s\0and more\xff\xfe",
    ],
    ids=["text", "json", "ini", "bytes"],
)
def test_tokens_are_named_not_shown(look: Look, token: bytes, form: bytes) -> None:
    a = form % token
    for changed in (token[:-4] + b"QQQQ", token[:4], b""):
        node = look(a, form % changed)
        found = secret_of(node)
        assert found.a and found.a.value == TOKENS[token]
        assert found.bytes and found.diff is None and not found.a.excerpt
        assert found.a.at and found.a.size == found.a.at[1]
        start, size = found.a.at
        assert found.a.digest == f"sha256:{hashlib.sha256(a[start : start + size]).hexdigest()}"
        assert hidden(node, token[4:])


def test_what_is_no_secret_is_told_beside_it(look: Look) -> None:
    token = next(iter(TOKENS))
    a = b"first\n" + b"word\n" * 9 + b"token " + token + b"\n" + b"word\n" * 9 + b"last\n"
    node = look(a, a.replace(token, token.swapcase()).replace(b"last", b"end"))
    assert [(kind, one) for kind, _, one, _ in told(node)] == [
        ("text", "last\n"),
        ("file.secret", "GitHub token"),
    ]
    # nor is it shown as context
    near = b"one\n" + token + b"\ntwo\n"
    assert hidden(look(near, near.replace(b"two", b"three")), token)


def damages(key: bytes) -> Iterator[bytes]:
    yield b""
    yield b"something else\n"
    yield key[1:]
    yield key[len(key) // 2 :]
    yield key[: len(key) // 2]
    yield key.replace(b"BEGIN", b"BEGAN")
    yield key.replace(b"-----BEGIN", b"----BEGIN")
    yield key.replace(b"-----END", b"-----AND")
    yield key.replace(b"\n", b"\0", 3)
    yield key.replace(b"\n", b"\r\n")
    yield key.replace(b"A", b"\xff", 1)
    yield b"\n".join(key.split(b"\n")[1:-2])


@pytest.mark.parametrize(
    "label", [b"RSA PRIVATE KEY", b"PRIVATE KEY", b"OPENSSH PRIVATE KEY", b"PGP PRIVATE KEY BLOCK"]
)
def test_damaged_keys_are_not_shown(look: Look, label: bytes) -> None:
    key = pem(label)
    for damaged in damages(key):
        for a, b in ((key, damaged), (damaged, key), (key, pem(label, OTHER))):
            assert hidden(look(a, b), BODY), damaged[:60]
            assert hidden(look(a, b), OTHER), damaged[:60]


def test_keys_in_other_texts_are_not_shown(look: Look) -> None:
    account = {"type": "service_account", "private_key": pem().decode(), "id": 1}
    a = json.dumps(account, indent=1).encode()
    b = json.dumps({**account, "private_key": pem(body=OTHER).decode()}, indent=1).encode()
    assert secret_of(look(a, b)).kind == "file.secret"
    assert hidden(look(a, b), LINES.split(b"\n")[3])
    text = b"some text\n" + pem() + b"more text\n"
    for change in (text.replace(LINES[300:340], b"x"), text.replace(b"more", b"less")):
        assert hidden(look(b"x" + text, b"x" + change), BODY)
    assert hidden(look("x".encode("utf-16") + text.decode().encode("utf-16-le"), b"x"), BODY)
    wide = [one.decode().encode("utf-16") for one in (text, text.replace(LINES, OTHER))]
    assert hidden(look(*wide), BODY) and hidden(look(*wide), OTHER)


def test_words_about_keys_are_no_secret(look: Look) -> None:
    a = b"Put it between -----BEGIN PRIVATE KEY----- and\n-----END PRIVATE KEY-----.\nold\n"
    assert [kind for kind, *_ in told(look(a, a.replace(b"old", b"new")))] == ["text"]
    assert not secrets_in(
        b"if $1$2 then $y$x\nname: value\nusr:/usr/lib:x\nroot:x:0:0:root:/:/bin/sh\n"
    )


def test_damaged_shadow_is_not_shown(look: Look) -> None:
    for damaged in (
        b"",
        SHADOW[:40] + b"\n" + SHADOW[40:],
        SHADOW[:40] + b":" + SHADOW[40:],
        SHADOW[:40] + b"\0" + SHADOW[41:],
        SHADOW[4:],
        b"# comment\n\n\n" + SHADOW,
        SHADOW.replace(b":", b";"),
    ):
        for a, b in ((SHADOW, damaged), (damaged, SHADOW)):
            assert hidden(look(a, b), HASH[12:], 8), damaged[:50]
    old = b"root:abcdefghijk./:20000:0:99999:7:::\n\nx\n"
    assert hidden(look(old, old.replace(b"abcd", b"ABCD")), b"efghijk./", 8)


def test_secrets_nested_too_deep(look: Look) -> None:
    one, two = pem(), pem(body=OTHER)
    for _ in range(3):
        one, two = gzip.compress(one, mtime=0), gzip.compress(two, mtime=0)
    for depth in range(4):
        node = look(one, two, replace(LIMITS, member_depth=depth))
        assert hidden(node, BODY) and hidden(node, OTHER)
    for a, b in ((SHADOW, SHADOW.replace(b"root", b"boot")), (pem(), pem(body=OTHER))):
        node = look(a, b, replace(LIMITS, member_depth=0))
        assert node and node.problems and hidden(node, BODY)


def test_damaged_keys_in_der(look: Look, tmp_path: Path) -> None:
    want("openssl")
    for kind in ("-algorithm RSA", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"):
        for form in ([], ["-traditional"]):
            keys = []
            for side in "ab":
                path = tmp_path / f"{side}.pem"
                run("openssl", "genpkey", *kind.split(), "-out", path)
                der = tmp_path / f"{side}.der"
                run("openssl", "pkey", "-in", path, "-outform", "DER", "-out", der, *form)
                keys.append(der.read_bytes())
            one, two = keys
            for damaged in (b"", b"x" + two, b"\x31" + two[1:], two[:-9], b"\0" * 99 + two):
                for a, b in ((one, damaged), (damaged, one)):
                    assert hidden(look(a, b), one[40:]) and hidden(look(a, b), two[40:])
            both = look(b"\0\xff" + one, b"\0\xff" + two)
            assert hidden(both, one[40:]) and hidden(both, two[40:])
            assert secret_of(both).a


@pytest.mark.parametrize("name", ["jks", "private_key", "pem-private"])
def test_damaged_key_stores(look: Look, name: str) -> None:
    a = sides(ARTEFACTS / name)[0].read_bytes()
    for damaged in (b"", b"x" + a, a[:-20], b"X" + a[1:]):
        assert hidden(look(a, damaged), a[60:-40])


def test_many_rows_with_hashes(look: Look) -> None:
    rows = [b"u%d:%s\n" % (number, HASH[:-4] + b"%04d" % number) for number in range(9000)]
    a, b = b"- x\n" + b"".join(rows), b"- x\n" + b"".join(row[::-1] for row in rows)
    other = b"- x\n" + b"- y\n".join(row.replace(b"salts", b"Salts") for row in rows)
    for changed in (b, other):
        assert hidden(look(a, changed), HASH[12:-4], 10)
