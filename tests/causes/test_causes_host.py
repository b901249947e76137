"""What a machine and its user put in is explained where a word says so, and nowhere else."""

from pathlib import Path

import pytest

from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.compare.closer import is_explained, look
from sxdiff.model import Blob, Limits, Node
from tests.look import Files, differences

PAIRS = Path(__file__).parents[2] / "fixtures/causes/pairs"


def _causes(a: str, b: str, path: str = "o.txt", kind: str = "text", **more: object) -> set[str]:
    site = Site(kind, a, b, path, **more)  # type: ignore[arg-type]  # fields of Site
    found = diagnose(site)
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


@pytest.mark.parametrize(
    ("name", "cause", "old", "new"),
    [
        ("env-dump/{}/o.txt", "environment-variable-capture", b"SHLVL=1", b"SHLVL:1"),
        ("uname-capture/{}/o.txt", "captures-kernel-version-uname", b"x86_64", b"aarch64"),
        ("hostname-capture/{}/o.h", "captures-hostname", b"#define", b"#undef"),
        ("elf-hostname-define/{}/d.o", "captures-hostname", b"root@", b"ruut@"),
        ("cmake-hostname/{}/site.h", "captures-hostname", b"SITE", b"SIDE"),
        ("username-capture/{}/o.txt", "captures-username", b"Built", b"built"),
        ("user-in-elf/{}/d.o", "captures-username", b"Built", b"built"),
        ("home-capture/{}/o.pc", "captures-home-dir", b"prefix", b"prefiy"),
        ("home-in-config/{}/gitconfig", "captures-home-dir", b"directory", b"directorz"),
        ("nproc-capture/{}/o.txt", "captures-parallelism", b"make", b"maze"),
        ("ci-metadata/{}/ci.json", "ci-metadata", b"ci.example", b"cj.example"),
        ("kernel-banner/{}/version", "kernel-banner", b"6.1.0-1", b"6.1.0-2"),
        ("hostname-resolv/{}/etc/hostname", "builder-injected-etc-files", b"\n", b"x\n"),
        ("hostname-resolv/{}/etc/hosts", "builder-injected-etc-files", b"localhost", b"localhosu"),
        ("hostname-resolv/{}/etc/resolv.conf", "builder-injected-etc-files", b".0.2", b".0.3"),
    ],
)
def test_real_pairs(tmp_path: Path, name: str, cause: str, old: bytes, new: bytes) -> None:
    a, b = ((PAIRS / name.format(side)).read_bytes() for side in "ab")
    path = name.partition("{}/")[2]
    node = _looked(tmp_path, a, b, path)
    assert {claim.cause for found in differences(node) for claim in found.claims} == {cause}
    assert node.verified
    assert old in b
    assert not _looked(tmp_path, a, b.replace(old, new, 1), path).verified


@pytest.mark.parametrize(
    ("a", "b", "cause"),
    [
        ("hostname = alpha\n", "hostname = bravo\n", "captures-hostname"),
        ("Build-Host: a.example.org\n", "Build-Host: b.example.org\n", "captures-hostname"),
        ("uname -r = 6.1.0-18-amd64\n", "uname -r = 6.8.0\n", "captures-kernel-version-uname"),
        ('set(CMAKE_HOST_SYSTEM "Linux-6.1.0")\n', 'set(CMAKE_HOST_SYSTEM "Linux-6.8.0")\n',
         "captures-kernel-version-uname"),
        ("Linux-6.1.0-x86_64-with-glibc2.36\n", "Linux-6.8.0-x86_64-with-glibc2.36\n",
         "captures-kernel-version-uname"),
        ("KBUILD_BUILD_USER=alice\n", "KBUILD_BUILD_USER=carol\n", "captures-username"),
        ("BUILD_NUMBER=12\n", "BUILD_NUMBER=13\n", "ci-metadata"),
        ("daemon[12]: started\n", "daemon[345]: started\n", "captures-pid"),
    ],
)  # fmt: skip
def test_words_that_say_so(a: str, b: str, cause: str) -> None:
    assert _causes(a, b) == {cause}


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ("ssh deploy@prod-a\n", "ssh deploy@prod-b\n", "x.sh"),
        ("root@db-a\n", "root@db-b\n", "o.txt"),
        ("admin@a.example.org\n", "admin@b.example.org\n", "o.txt"),
        ("HOSTNAME=db1\n", "HOSTNAME=db2\n", "o.txt"),
        ("build_host: a\n", "build_host: b\n", "deploy.yaml"),
        ("myhost\n", "other\n", "etc/hostname"),
        ("nameserver 10.0.0.2\n", "nameserver 10.0.0.3\n", "etc/resolv.conf"),
        ("10.0.0.2 db\n", "10.0.0.3 db\n", "etc/hosts"),
        ("Built by gcc 12.2.0\n", "Built by gcc 12.3.0\n", "o.txt"),
        ("compiled by gcc\n", "compiled by clang\n", "o.txt"),
        ("needs Linux 5.10.0\n", "needs Linux 5.15.0\n", "o.txt"),
        ("Linux version 6.1.0-1 (a@h) #1 SMP\n", "Linux version 6.1.0-2 (a@h) #1 SMP\n", "o.txt"),
        ("PATH=/usr/games:/bin\n", "PATH=/opt/evil:/bin\n", "o.txt"),
        ("#!/bin/sh\n", "#!/bin/bash\n", "o.sh"),
        ("make -j4\n", "make -j8\n", "build.sh"),
        ("#!/bin/sh\nmake -j4\n", "#!/bin/sh\nmake -j8\n", "build"),
        ("workers=4\n", "workers=8\n", "o.txt"),
        ("version: 1.0.42\n", "version: 1.0.57\n", "o.txt"),
        ("PORT=1042\n", "PORT=1057\n", "o.txt"),
        ("1234\n", "5678\n", "o.txt"),
    ],
)
def test_what_may_be_meant_stays_unexplained(a: str, b: str, path: str) -> None:
    found = diagnose(Site("text", a, b, path, head=a))
    assert found is None or any(claim.needs for claim in found.claims)


def test_a_file_of_settings_is_no_listing_of_the_environment() -> None:
    head = "MODE=one\nHOST=db\nPORT=1\nUSER=app\nDEBUG=0\n"
    assert not _causes("MODE=one\n", "MODE=two\n", head=head)
    listing = "MODE=one\nHOME=/root\nPWD=/w\nSHLVL=1\nTERM=x\n"
    assert _causes("MODE=one\n", "MODE=two\n", head=listing) == {"environment-variable-capture"}
    assert not _causes("MODE=one\n", "NODE=one\n", head=listing)
    assert not _causes("MODE=one\n", "MODE=two\n", "etc/environment", head=listing)


@pytest.mark.parametrize(
    ("value", "other", "where"),
    [
        ('"1.0.42"', '"1.0.57"', ("build_number",)),
        ('"https://example.org/1"', '"https://evil.org/2"', ("job_url",)),
        ("1042", "1057", ("port",)),
    ],
)
def test_only_a_number_is_a_number_of_a_build(
    value: str, other: str, where: tuple[str, ...]
) -> None:
    assert not _causes(value, other, "x.json", "json.value", where=where)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("0.321750554396642", "0.3217505543966422"),
        ("-1.2345678901234567e-05", "-1.2345678901234571e-05"),
        ("x=0.30000000000000004,", "x=0.30000000000000009,"),
    ],
)
def test_the_last_digits_of_a_double_are_of_rounding(a: str, b: str) -> None:
    assert _causes(f"{a}\n", f"{b}\n", "o.svg") == {"floating-point-rounding"}


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ("0.321750554396642", "0.321750554396942", "o.txt"),  # the third last
        ("0.32175055439664", "0.32175055439665", "o.txt"),  # fourteen digits
        ("0.321750554396642", "0.421750554396642", "o.txt"),
        ("0.321750554396642e1", "0.321750554396643e2", "o.txt"),
        ("+0.321750554396642", "-0.321750554396642", "o.txt"),
        ("0.321750554396642 1", "0.321750554396643 2", "o.txt"),
        ("0.1234567890123456789", "0.1234567890123456788", "o.txt"),  # no number of 64 bits
        ("1767261600.1234567", "1767261600.1234568", "o.txt"),  # a time
        ("1.2.321750554396642", "1.2.321750554396643", "o.txt"),
        ("0.321750554396642", "0.321750554396643", "o.c"),
        ("0.321750554396642", "0.321750554396643", "etc/app/settings"),
    ],
)
def test_other_digits_are_of_no_rounding(a: str, b: str, path: str) -> None:
    assert "floating-point-rounding" not in _causes(f"{a}\n", f"{b}\n", path)


def test_rounding_on_a_pair(tmp_path: Path) -> None:
    a, b = ((PAIRS / "float-rounding" / side / "o.txt").read_bytes() for side in "ab")
    assert _looked(tmp_path, a, b, "o.txt").verified
    assert not is_explained(_looked(tmp_path, a, b"1" + b, "o.txt"))
