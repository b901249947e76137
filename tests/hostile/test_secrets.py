"""A secret in an image is named, not shown: in no form of the report, wherever it was planted."""

import base64
import gzip
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.tar import Member, file, tar, xattr
from sxdiff.report.forms import FORMS, Manner
from sxdiff.run import Options, compare
from tests.local import LocalPool

RANDOM = random.Random(20)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _word(size: int, letters: str = LETTERS) -> str:
    return "".join(RANDOM.choices(letters, k=size))


def _body(lines: int) -> str:
    return "\n".join(base64.b64encode(RANDOM.randbytes(48)).decode() for _ in range(lines))


def _key(label: str) -> tuple[str, str]:
    body = _body(8)
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n", body


def _kubeconfig() -> tuple[str, str]:
    pem, _ = _key("RSA PRIVATE KEY")
    packed = base64.b64encode(pem.encode()).decode()
    return f"users:\n- name: admin\n  user:\n    client-key-data: {packed}\n", packed[40:]


def _with(text: str, *words: str) -> tuple[str, str]:
    """A text in which `{}` is the secret."""
    (secret,) = words
    return text.replace("{}", secret), secret


def _json_web_token() -> tuple[str, str]:
    parts = [base64.urlsafe_b64encode(one).decode().rstrip("=") for one in (b'{"alg":"HS256"}',)]
    claims = base64.urlsafe_b64encode(b'{"sub":"' + _word(20).encode() + b'"}').decode().rstrip("=")
    return f"token: {parts[0]}.{claims}.{(signature := _word(43))}\n", signature


KINDS: dict[str, Callable[[], tuple[str, str]]] = {
    "PEM": lambda: _key("PRIVATE KEY"),
    "RSA": lambda: _key("RSA PRIVATE KEY"),
    "OpenSSH": lambda: _key("OPENSSH PRIVATE KEY"),
    "PGP": lambda: _key("PGP PRIVATE KEY BLOCK"),
    "kubeconfig": _kubeconfig,
    "shadow": lambda: _with("root:$6$saltsalt${}:20000:0:99999:7:::\n", _word(86)),
    "htpasswd": lambda: _with("user:$2y$10${}\n", _word(53)),
    "netrc": lambda: _with("machine example.org\n  login me\n  password {}\n", _word(20)),
    "netrc in a line": lambda: _with("default login me password {}\n", _word(20)),
    "git-credentials": lambda: _with("https://me:{}@example.org/x\n", _word(20)),
    "GitHub": lambda: _with("token = ghp_{}\n", _word(36)),
    "GitLab": lambda: _with("token = glpat-{}\n", _word(20)),
    "npm": lambda: _with("//registry.example.org/:_authToken={}\n", _word(36)),
    "PyPI": lambda: _with("password = pypi-AgEIcHlwaS5vcmc{}\n", _word(70)),
    "Slack": lambda: _with("hook: xoxb-{}\n", _word(40)),
    "Docker": lambda: _with('{"auths": {"example.org": {"auth": "{}"}}}', _word(40)),
    "AWS": lambda: _with("[default]\naws_secret_access_key = {}\n", _word(40)),
    "AWS in JSON": lambda: _with('{"SecretAccessKey": "{}"}\n', _word(40)),
    "Azure": lambda: _with("AccountName=x;AccountKey={}==;EndpointSuffix=y\n", _word(86)),
    "Google": lambda: _with('{"access_token": "ya29.{}"}\n', _word(60)),
    "JSON web token": _json_web_token,
    "bearer": lambda: _with("curl -H 'Authorization: Bearer {}' x\n", _word(40)),
    "variable": lambda: _with("export DATABASE_PASSWORD={}\n", _word(20)),
}


def _shown(text: str, secret: str) -> Iterator[str]:
    """Pieces of a secret that a text shows: as it is, in hexadecimal, in base64."""
    whole = re.sub(r"\s+", "", secret)
    bare = re.sub(r"\s+|\\n|[│|]", "", text)
    for at in range(0, len(whole) - 9, 3):
        piece = whole[at : at + 10]
        packed = base64.b64encode(piece.encode()[: len(piece) // 3 * 3]).decode()
        for shape in (piece, piece.encode().hex(), packed, piece[::-1]):
            if shape in bare:
                yield shape


def _sides(kind: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return KINDS[kind](), KINDS[kind]()


def _files(text: str, twist: str) -> list[Member]:
    """A secret's text in every way that a file may hold it."""
    data = text.encode()
    return [
        file("etc/plain", data),
        file("etc/among", b"before\n" * 5 + data + b"behind\n" * 5),
        file("etc/near", f"same\n{twist}\n".encode() + b"x\n" + data),
        file("etc/bytes", b"\0\1\2\xff" + data + b"\0\xfe" + twist.encode()),
        file("etc/gzip", gzip.compress(data + twist.encode(), mtime=0)),
        file("etc/tar", tar([file("inside", data)])),
        file("etc/value.json", json.dumps({"a": text, "b": twist}, indent=1)),
        file("etc/utf-16", text.encode("utf-16")),
        file("etc/attribute", "x").but(pax=(xattr("user.secret", data),)),
        file("etc/comment", "x").but(pax=((b"comment", data), (b"SXDIFF.other", data))),
        file("etc/cut", data[: len(data) * 3 // 4] + twist.encode()),
    ]


def _image(text: str, twist: str) -> bytes:
    config = {
        "author": text,
        "config": {
            "Env": [f"SECRET={text}", f"OTHER={twist}"],
            "Labels": {"secret": text, "long": "x" * 190 + text, twist: text},
            "Cmd": ["run", text],
        },
        "history": [{"created_by": f"RUN echo '{text}' # {twist}"}],
    }
    annotations = {"org.example.secret": text}
    one = image([layer(tar(_files(text, twist)))], config=config)
    manifest = json.loads(one.data) | {"annotations": annotations}
    return oci_archive(replace(one, data=json.dumps(manifest).encode()))


@pytest.mark.parametrize("kind", KINDS)
def test_no_form_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    one, other = _sides(kind)
    # another secret on each side; then the same one, beside what differs
    for number, pair in enumerate(((one, other), (one, one))):
        for side, (text, _), twist in zip("ab", pair, ("2019-01-01", "2020-12-31"), strict=True):
            (tmp_path / f"{side}.tar").write_bytes(_image(text, twist))
        paths = [str(tmp_path / f"{side}.tar") for side in "ab"]
        with compare(paths[0], paths[1], Options(), None) as report:
            for form in FORMS:
                written = "".join(form.write(report, Manner(verbose=True, width=80)))
                for _, secret in pair:
                    found = sorted(set(_shown(written, secret)))
                    assert not found, (number, form.name, found[:3], _near(written, found[0]))
                if form.name == "json" and number == 0:
                    told = [one for one in json.loads(written)["differences"] if one["path"]]
                    assert "file.secret" in {one["kind"] for one in told}


def _near(text: str, piece: str) -> str:
    at = re.sub(r"\s+|\\n|[│|]", "", text).find(piece)
    return re.sub(r"\s+|\\n|[│|]", "", text)[max(0, at - 600) : at + 60]
