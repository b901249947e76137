"""Random values are explained where their place says that they are random, and nowhere else."""

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose, suspect
from sxdiff.compare.closer import look
from sxdiff.model import Blob, Limits, Node
from tests.look import Files, differences

ROOT = Path(__file__).parents[2]
PAIRS = ROOT / "fixtures/causes/pairs"
ARTEFACTS = ROOT / "fixtures/artefacts"
SHA_A, SHA_B = f"sha256:{'a1' * 32}", f"sha256:{'b2' * 32}"


def _causes(kind: str, a: str, b: str, path: str = "", **more: object) -> set[str]:
    found = diagnose(Site(kind, a, b, path, **more))  # type: ignore[arg-type]  # fields of Site
    return {claim.cause for claim in found.claims} if found else set()


def _looked(tmp_path: Path, a: bytes, b: bytes, path: str) -> Node:
    sides = []
    for side, data in (("a", a), ("b", b)):
        place = tmp_path / side
        place.write_bytes(data)
        sides.append(Blob(str(place), 0, len(data)))
    node = look(sides[0], sides[1], path, Files(tmp_path), Limits())
    assert node is not None
    return node


def _explained(node: Node) -> set[str]:
    return {claim.cause for found in differences(node) for claim in found.claims}


@pytest.mark.parametrize(
    ("name", "path", "cause"),
    [
        ("ssh-hostkey/{}/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key",
         "generated-keys-certs"),
        ("ssh-hostkey/{}/ssh_host_ed25519_key.pub", "etc/ssh/ssh_host_ed25519_key.pub",
         "generated-keys-certs"),
        ("ssh-rsa-hostkey/{}/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key",
         "generated-keys-certs"),
        ("ssh-rsa-hostkey/{}/ssh_host_rsa_key.pub", "etc/ssh/ssh_host_rsa_key.pub",
         "generated-keys-certs"),
        ("x509-snakeoil/{}/c.pem", "etc/ssl/certs/ssl-cert-snakeoil.pem",
         "generated-keys-certs"),
        ("x509-snakeoil/{}/k.pem", "etc/ssl/private/ssl-cert-snakeoil.key",
         "generated-keys-certs"),
        ("x509-der/{}/c.der", "etc/ssl/c.der", "generated-keys-certs"),
        ("dhparam/{}/dh.pem", "etc/ssl/dh.pem", "generated-keys-certs"),
        ("uuid-random/{}/o.txt", "o.txt", "random-uuid"),
        ("uuid-time/{}/o.txt", "o.txt", "random-uuid"),
        ("hex-token-json/{}/o.json", "o.json", "random-hex-token"),
        ("base64-token-ini/{}/o.ini", "o.ini", "random-hex-token"),
        ("python-repr-address/{}/o.txt", "o.txt", "memory-address-in-output"),
        ("aslr-pointer-hash-order/{}/o.txt", "o.txt", "memory-address-in-output"),
    ],
)  # fmt: skip
def test_real_pairs(tmp_path: Path, name: str, path: str, cause: str) -> None:
    a, b = ((PAIRS / name.format(side)).read_bytes() for side in "ab")
    node = _looked(tmp_path, a, b, path)
    assert _explained(node) == {cause}
    assert node.verified


@pytest.mark.parametrize("artefact", ["pem-openssh", "pem-private", "private_key"])
def test_keys_of_one_sort(tmp_path: Path, artefact: str) -> None:
    a, b = (next((ARTEFACTS / artefact).glob(f"{side}.*")).read_bytes() for side in "ab")
    node = _looked(tmp_path, a, b, "k.pem")
    assert _explained(node) == {"generated-keys-certs"}
    assert node.verified


@pytest.mark.parametrize("artefact", ["pem", "x509", "openssh"])
def test_other_certificates_and_keys_stay_unexplained(tmp_path: Path, artefact: str) -> None:
    a, b = (next((ARTEFACTS / artefact).glob(f"{side}.*")).read_bytes() for side in "ab")
    assert not _looked(tmp_path, a, b, "etc/ssl/certs/ca-certificates.crt").verified


def _certificate(folder: Path, name: str, subject: str, days: int, key: str) -> bytes:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    place = folder / f"{name}.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{key}",
         "-nodes", "-keyout", "/dev/null", "-out", place, "-subj", subject, "-days", f"{days}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return place.read_bytes()


@pytest.mark.parametrize(
    ("subject", "days", "key", "path", "explained"),
    [
        ("/CN=localhost", 365, "prime256v1", "etc/ssl/x.pem", True),
        ("/CN=localhost", 3650, "prime256v1", "etc/ssl/x.pem", False),
        ("/CN=localhosu", 365, "prime256v1", "etc/ssl/x.pem", False),
        ("/CN=localhost", 365, "secp384r1", "etc/ssl/x.pem", False),
        ("/CN=localhost", 365, "prime256v1", "etc/ssl/certs/ca-certificates.crt", False),
    ],
)
def test_a_certificate_made_anew_differs_in_its_key_and_dates_only(
    tmp_path: Path, subject: str, days: int, key: str, path: str, explained: bool
) -> None:
    a = _certificate(tmp_path, "one", "/CN=localhost", 365, "prime256v1")
    b = _certificate(tmp_path, "two", subject, days, key)
    assert _looked(tmp_path, a, b, path).verified == explained


def test_an_authority_is_no_certificate_of_a_host(tmp_path: Path) -> None:
    a, b = (
        _certificate(tmp_path, name, "/CN=My own CA", 365, "prime256v1") for name in ("one", "two")
    )
    assert not _looked(tmp_path, a, b, "etc/ssl/x.pem").verified


@pytest.mark.parametrize("path", ["root/.ssh/authorized_keys", "etc/ssh/ssh_known_hosts"])
def test_whom_to_trust_is_no_random_value(tmp_path: Path, path: str) -> None:
    a, b = ((PAIRS / f"ssh-hostkey/{side}/ssh_host_ed25519_key.pub").read_bytes() for side in "ab")
    node = _looked(tmp_path, a, b, path)
    assert not node.verified
    assert not _explained(node)


HEX_A, HEX_B = "cf3af97b7d3c0bc28b692314e6f7931a", "9505693908025879e5c4509ddf982c02"


@pytest.mark.parametrize(
    ("a", "b", "explained"),
    [
        (f"nonce={HEX_A}\n", f"nonce={HEX_B}\n", True),
        (f'"session_secret": "{HEX_A}",\n', f'"session_secret": "{HEX_B}",\n', True),
        ("salt = w2liyQ1aJIwkw+qMVTZbtWcKTCnHxa1M\n", "salt = v4H4D2aFA9oNAKsx83otexTPR+s9PAk1\n",
         True),
        (f"nonce={HEX_A}\nport=80\n", f"nonce={HEX_B}\nport=81\n", False),
        (f"nonce={HEX_A}\n", f"nonce={HEX_B[:-2]}\n", False),  # of another length
        ("secret=correct-horse-battery-1\n", "secret=another-horse-battery-1\n", False),
        ("token=aaaaaaaaaaaaaaaaaaaaaaaa\n", "token=bbbbbbbbbbbbbbbbbbbbbbbb\n", False),
        ("token=1234567890123456\n", "token=6543210987654321\n", False),
        (f"version={HEX_A[:16]}\n", f"version={HEX_B[:16]}\n", False),
    ],
)  # fmt: skip
def test_tokens_behind_a_name(a: str, b: str, explained: bool) -> None:
    assert (_causes("text", a, b) == {"random-hex-token"}) == explained


def test_no_claim_shows_a_secret() -> None:
    found = diagnose(Site("json.value", f'"{HEX_A}"', f'"{HEX_B}"', where=("app", "secret")))
    assert found is not None
    assert not any(HEX_A in str(claim) or HEX_B in str(claim) for claim in found.claims)


@pytest.mark.parametrize(
    ("a", "b", "explained"),
    [
        ("0x7f2876d741b0", "0x7f7d00f741b0", True),
        ("0x7f2876d741b0", "0x7f7d00f741c0", False),  # another place in the page
        ("0x55d0c4a3e2a0", "0x5612a8f6e2a0", True),
        ("0x55d0c4a3e2a0", "0x7f12a8f6e2a0", False),  # a program is not where libraries are
        ("0x7ffd4bda55fc", "0x7fff4558d0ec", True),
        ("0x7fffffffffff", "0x7fffffffffef", False),
        ("0x00400000", "0x00500000", False),
    ],
)
def test_addresses(a: str, b: str, explained: bool) -> None:
    found = _causes("text", f"<object at {a}>\n", f"<object at {b}>\n")
    assert (found == {"memory-address-in-output"}) == explained


@pytest.mark.parametrize(
    ("a", "b", "explained"),
    [
        ("js/chunk-457481c2.js", "js/chunk-cbc62439.js", True),
        ("tmp/x.Iu8N80ye", "tmp/x.93G1e3HL", True),
        ("js/chunk-457481c2.js", "css/chunk-cbc62439.js", False),
        ("lib/libx-1.2.so", "lib/libx-1.3.so", False),
        ("js/main.facade.js", "js/main.decade.js", False),
        ("bin/Backup", "bin/Backdo", False),
        ("etc/checksums.md5sums", "etc/checksums.zd5sums", False),
        ("js/chunk-457481c2.js", "js/chunk-457481c3.js", False),
    ],
)
def test_names_of_files(a: str, b: str, explained: bool) -> None:
    assert (_causes("file.renamed", a, b, a) == {"random-file-name"}) == explained


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (f"rsa 2048 {SHA_A}", f"rsa 1024 {SHA_B}"),
        (f"rsa 2048 {SHA_A}", f"ec 256 {SHA_B}"),
        (SHA_A, SHA_B),  # nobody knows what sort of key
    ],
)
def test_keys_of_two_sorts(a: str, b: str) -> None:
    assert not _causes("private_key.material", a, b, "k.pem")


def test_hashes_of_passwords_are_never_explained(tmp_path: Path) -> None:
    """The same password with another salt looks as another password does."""
    a, b = ((PAIRS / f"shadow-password-salt/{side}/shadow").read_bytes() for side in "ab")
    node = _looked(tmp_path, a, b, "etc/shadow")
    assert not _explained(node)
    assert {found.suspect for found in differences(node)} == {"password-salt"}


def test_random_bytes_are_suspected_only() -> None:
    data = [
        hashlib.sha512(side).digest().decode("utf-8", "surrogateescape") for side in (b"a", b"b")
    ]
    site = Site("file.content", data[0], data[1], "o.bin")
    assert diagnose(site) is None
    assert suspect(site) == "random-bytes-high-entropy"


def test_digests_of_other_files_need_them(tmp_path: Path) -> None:
    """A list of checksums follows from files that differ; here there is none."""
    a, b = ((PAIRS / f"pip-record-path/{side}/RECORD").read_bytes() for side in "ab")
    node = _looked(tmp_path, a, b, "p-1.dist-info/RECORD")
    needs = {claim.needs for found in differences(node) for claim in found.claims}
    assert needs == {"digest"}


@pytest.mark.parametrize(
    "text",
    [
        "{hex}  usr/bin/x\n",
        "x.py,sha256={url},12\n",
        '"integrity": "sha512-{long}",\n',
        "SHA-256-Digest: {base}\n",
        "C:Q1{short}\n",
    ],
)
def test_ways_to_write_a_digest(text: str) -> None:
    sides = []
    for data in (b"a", b"b"):
        sha256 = hashlib.sha256(data).digest()
        sides.append(
            text.format(
                hex=hashlib.md5(data, usedforsecurity=False).hexdigest(),
                url=base64.urlsafe_b64encode(sha256).decode().rstrip("="),
                base=base64.b64encode(sha256).decode(),
                long=base64.b64encode(hashlib.sha512(data).digest()).decode(),
                short=base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
            )
        )
    assert _causes("text", sides[0], sides[1]) == {"derived-manifest-hash"}
    more = re.sub(r"(?m)$", "x", sides[1], count=1)
    assert not _causes("text", sides[0], more)
