"""Certificates, keys and signatures: one known change is one place; secrets are never shown."""

import base64
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.catalogue import sniff
from sxdiff.formats.trust import der
from sxdiff.formats.trust.private_key import MATERIAL
from sxdiff.model import FormatError, Node, Route
from tests.look import Look, differences, looking, told
from tests.tools import run, want


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two private keys `a.key` and `b.key`."""
    want("openssl")
    folder = tmp_path_factory.mktemp("keys")
    for side in "ab":
        run("openssl", "genpkey", "-algorithm", "RSA", "-out", folder / f"{side}.key")
    return folder


def places(node: Node | None) -> list[tuple[str, Route]]:
    return [(kind, where) for kind, where, _, _ in told(node)]


ROOTS = {
    "x509": [("x509.serial", ("certificate", "tbs serial"))],
    "pem": [("x509.serial", ("certificate", "certificate", "tbs serial"))],
    "pem-bundle": [("pem.order", ())],
    "pem-private": [(MATERIAL, ("ec private key",))],
    "private_key": [(MATERIAL, ())],
    "x509_request": [("x509_request.value", ("request", "info subject commonName"))],
    "x509_revocations": [
        ("x509_revocations.value", ("revocations", "list revoked serial 10", "time"))
    ],
    "pkcs7": [
        (
            "pkcs7.value",
            (
                "signed_data",
                "content data signers signer",
                "signed_attributes signingTime",
                "1 time",
            ),
        )
    ],
    "der": [("der.value", ("document", "2"))],
    "jks": [("jks.date", ("store", "second"))],
    "pgp": [("pgp.creation_time", ("signature", "creation_time"))],
    "pem-pgp": [("pgp.creation_time", ("pgp signature", "signature", "creation_time"))],
    "minisign": [("minisign.trusted_comment", ("signature",))],
    "openssh": [("openssh.public_key", ("root@host ssh-ed25519",))],
}


@pytest.mark.parametrize("name", ROOTS)
def test_one_change_is_one_root(look: Look, name: str) -> None:
    assert places(look(*sides(ARTEFACTS / name))) == ROOTS[name]


def test_one_more_in_a_bundle(look: Look) -> None:
    a = sides(ARTEFACTS / "pem-bundle")[0].read_bytes()
    more = sides(ARTEFACTS / "pem")[0].read_bytes()
    first = a.index(b"-----BEGIN", 1)
    assert told(look(a, a[:first] + more + a[first:])) == [
        ("pem.only_in_b", ("certificate Example",), None, "certificate Example")
    ]


def test_a_signed_text(look: Look) -> None:
    """InRelease: the text is told by its own format, the signature by its packets."""
    armour = sides(ARTEFACTS / "pem-pgp")[0].read_bytes()
    text = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: Debian\nDate: 1\n" + armour
    assert told(look(text, text.replace(b"Date: 1", b"Date: 2"))) == [
        ("stanza.value", ("text before pgp signature", "Origin", "Date"), "1", "2")
    ]


def certificate(keys: Path, *words: str) -> bytes:
    text = run(
        "openssl", "req", "-x509", "-key", keys / "a.key", "-set_serial", "9", "-days", "9", *words
    )
    return base64.b64decode("".join(text.splitlines()[1:-1]))


def test_a_name_and_an_extension(look: Look, keys: Path) -> None:
    one = certificate(keys, "-subj", "/CN=one", "-addext", "subjectAltName=DNS:a.org")
    two = certificate(keys, "-subj", "/CN=two", "-addext", "subjectAltName=DNS:a.org,DNS:b.org")
    # another second may have come between
    found = [row for row in told(look(one, two)) if "validity" not in row[1][-1]]
    assert found == [
        *(
            (
                "x509.value",
                ("certificate", f"tbs {who} commonName"),
                "UTF8String one",
                "UTF8String two",
            )
            for who in ("issuer", "subject")
        ),
        (
            "x509.only_in_b",
            ("certificate", "tbs extensions list subjectAltName", "value b.org"),
            None,
            "value b.org",
        ),
    ]


def shown(node: Node | None) -> Iterator[str]:
    """Every text of a report."""
    for one in differences(node):
        for value in (one.a, one.b):
            if value:
                yield from (str(part) for part in asdict(value).values())
        yield one.diff or ""


FORMS = (
    ("pkey", "-traditional"),
    ("pkey",),
    ("pkey", "-outform", "DER"),
    ("pkey", "-text"),
    ("pkcs8", "-topk8", "-nocrypt", "-outform", "DER"),
    ("pkcs8", "-topk8", "-passout", "pass:secret", "-outform", "DER"),
    ("pkcs8", "-topk8", "-passout", "pass:secret"),
    ("rsa", "-traditional", "-outform", "DER"),
    ("rsa", "-aes256", "-passout", "pass:secret", "-traditional"),
)


@pytest.mark.parametrize("words", FORMS, ids=" ".join)
def test_private_keys_are_never_shown(look: Look, keys: Path, words: tuple[str, ...]) -> None:
    for side in "ab":
        run("openssl", *words, "-in", keys / f"{side}.key", "-out", keys / side)
    a, b = (keys / side for side in "ab")
    node = look(a, b)
    assert {kind for kind, _ in places(node)} == {MATERIAL}
    assert all(len(text) < 120 for text in shown(node))
    raw = a.read_bytes()
    for at in range(40, len(raw) - 60, 24):
        words_of_key = (raw[at : at + 24].hex(), raw[at : at + 24].decode("latin-1"))
        assert not any(word in text for text in shown(node) for word in words_of_key)


def test_private_keys_among_texts(look: Look, keys: Path) -> None:
    """A script that holds a key: its lines are told, the key is not; cut off, it is not either."""
    key = (keys / "a.key").read_bytes()
    script = b"#!/bin/sh\ncat <<END\n" + key + b"END\necho 1\n"
    assert told(look(script, script.replace(b"echo 1", b"echo 2"))) == [
        ("text", ("text before end",), "echo 1\n", "echo 2\n")
    ]
    node = look(script, script[:600])
    assert {kind for kind, _ in places(node)} >= {MATERIAL}
    assert not any(line in text for text in shown(node) for line in key.decode().split("\n")[1:-2])


def test_private_keys_in_a_store_are_never_shown(look: Look, keys: Path) -> None:
    """PKCS #12 without any encryption."""
    one = certificate(keys, "-subj", "/CN=one")
    (keys / "one.der").write_bytes(one)
    run("openssl", "x509", "-inform", "DER", "-in", keys / "one.der", "-out", keys / "one.pem")
    stores = []
    for number in "12":
        run(
            *("openssl", "pkcs12", "-export", "-keypbe", "NONE", "-certpbe", "NONE", "-nomaciter"),
            *("-passout", "pass:", "-name", f"name {number}", "-in", keys / "one.pem"),
            *("-inkey", keys / "a.key", "-out", keys / f"{number}.p12"),
        )
        stores.append(keys / f"{number}.p12")
    run("openssl", "pkey", "-in", keys / "a.key", "-outform", "DER", "-out", keys / "plain")
    node = look(*stores)
    assert node and node.format == "pkcs12"
    assert any("friendlyName" in " ".join(where) for _, where in places(node))
    secret = (keys / "plain").read_bytes().hex()
    parts = [secret[at : at + 32] for at in range(600, 1600, 16)]
    assert not any(part in text for text in shown(node) for part in parts)


def test_openssh_keys(look: Look, tmp_path: Path) -> None:
    want("ssh-keygen")
    for side in "ab":
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "c", "-f", tmp_path / f"key{side}")
    node = look(tmp_path / "keya", tmp_path / "keyb")
    assert [kind for kind, _ in places(node)] == ["openssh.public_key", MATERIAL]
    print_of = run("ssh-keygen", "-lf", tmp_path / "keya.pub").split()[1]
    assert any(text == f"ssh-ed25519 {print_of}" for text in shown(node))


def test_known_hosts(look: Look) -> None:
    start = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
    key, new = (base64.b64encode(start + bytes(range(n, n + 32))) for n in (0, 1))
    rows = [b"host%d ssh-ed25519 %s\n" % (n, key) for n in range(4)]
    other = b"".join((*rows[:1], *rows[2:])).replace(key, new, 1)
    assert places(look(b"# hosts\n" + b"".join(rows), b"# hosts\n" + other)) == [
        ("openssh.public_key", ("host0 ssh-ed25519",)),
        ("openssh.only_in_a", ("host1 ssh-ed25519",)),
    ]


SHADOW = (
    b"root:$y$j9T$abcdefgh$0123456789abcdefghijklmnopqrstuvwxyzABCD:20000:0:99999:7:::\n"
    b"daemon:*:20000:0:99999:7:::\n"
)


def test_password_hashes_are_never_shown(look: Look) -> None:
    other = SHADOW.replace(b"abcdefghijk", b"xbcdefghijk").replace(b"20000", b"20001", 1)
    node = look(SHADOW, other)
    assert told(node)[1] == (
        "accounts.last_change",
        ("root",),
        "20000 (2024-10-04)",
        "20001 (2024-10-05)",
    )
    kind, where, a, b = told(node)[0]
    assert (kind, where) == ("accounts.password", ("root",))
    assert re.fullmatch(r"\$y\$ sha256:[0-9a-f]{64}", str(a)) and a != b
    for damaged in (SHADOW + b"new:$6$salt$secret0123456789\n", SHADOW.replace(b":20000", b"", 1)):
        found = look(SHADOW, damaged)
        assert found and not any("secret" in text or "j9T" in text for text in shown(found))


def test_accounts(look: Look) -> None:
    passwd = b"root:x:0:0:root:/root:/bin/bash\nuser:x:1:1::/home:/bin/sh\n"
    assert told(look(passwd, passwd.replace(b"user:x:1", b"user:x:2"))) == [
        ("accounts.uid", ("user",), "1", "2")
    ]
    group = b"root:x:0:\naudio:x:29:user\n"
    assert places(look(group, group + b"x:x:5:\n")) == [("accounts.only_in_b", ("x",))]
    assert places(look(group, b"audio:x:29:user\nroot:x:0:\n")) == [("accounts.order", ())]
    assert sniff(b"key: value\n", 11) is None
    assert sniff(b"a:b:c\n", 6) is None


def test_debian_keyring(look: Look) -> None:
    """Packets of keys that a distribution ships."""
    found = sorted(Path("/usr/share/keyrings").glob("debian-archive-*stable*.gpg"))
    if not found:
        pytest.skip("debian-archive-keyring is not installed")
    data = found[0].read_bytes()
    node = look(data, data[:-1] + bytes([data[-1] ^ 1]))
    assert node and node.format == "pgp" and not node.problems
    assert [kind for kind, _ in places(node)] == ["pgp.signature"]


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x30\x80\0\0",  # indefinite length: BER
        b"\x30\x81\x05\2\1\1\5\0",  # a length that is not the shortest
        b"\x30\x05\2\1\1",  # cut off
        b"\x30\x03\2\1\1\0",  # bytes behind
        b"\x1f\x81\0",  # a long tag
        b"",
    ],
)
def test_der_is_strict(damaged: bytes) -> None:
    with pytest.raises(FormatError):
        der.root(damaged)


def test_der_nested_without_end(look: Look) -> None:
    """Many levels, and very many values, end in bounded time."""
    deep = b"\5\0"
    for _ in range(5000):
        size = len(deep)
        deep = (
            b"\x30\x82" + size.to_bytes(2, "big") + deep
            if size > 255
            else (
                b"\x30\x81" + bytes([size]) + deep if size > 127 else b"\x30" + bytes([size]) + deep
            )
        )
    assert look(deep, deep[:-1] + b"\1")
    wide = b"\x30\x82\x75\x30" + b"\2\1\1" * 10_000
    node = look(wide, wide[:-1] + b"\2")
    assert node and told(node) == [("der.value", ("document", "9999"), 1, 2)]
