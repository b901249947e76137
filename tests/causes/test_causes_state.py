"""What package managers and services leave is explained where its form says what it is, and by
nothing where one thing more has changed."""

import gzip
import zlib
from pathlib import Path

import pytest

from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.compare.closer import look
from sxdiff.model import Blob, Limits, Node
from tests.look import Files, differences

ROOT = Path(__file__).parents[2]
PAIRS = ROOT / "fixtures/causes/pairs"
ARTEFACTS = ROOT / "fixtures/artefacts"


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


def _sides(name: str) -> list[bytes]:
    """Both sides of a stored pair."""
    out = []
    for side in "ab":
        place = PAIRS / name.format(side)
        packed = place.with_name(f"{place.name}.packed")
        if packed.exists():
            out.append(gzip.decompress(packed.read_bytes()))
        elif place.exists():
            out.append(place.read_bytes())
        else:
            pytest.skip("the pair is not there")
    return out


REAL = [
    ("dpkg-log/{}/var/log/dpkg.log", "var/log/dpkg.log", "package-manager-logs",
     b"x:amd64 <none> 1", b"x:amd64 <none> 2"),
    ("dpkg-real-log/{}/r/var/log/dpkg.log", "var/log/dpkg.log", "package-manager-logs",
     b"xx:all <none> 1", b"xy:all <none> 1"),
    ("dpkg-log/{}/var/log/apt/history.log", "var/log/apt/history.log", "package-manager-logs",
     b"install -y x", b"install -y y"),
    ("alternatives-log/{}/log/alternatives.log", "var/log/alternatives.log",
     "package-manager-logs", b"link group x", b"link group y"),
    ("pip-selfcheck/{}/fe1f6ffeb2d6", "root/.cache/pip/selfcheck/fe1f6ffeb2d6",
     "package-manager-cache", b"23.0.1", b"23.0.2"),
    ("apt-release-date/{}/deb.example.org_dists_x_Release",
     "var/lib/apt/lists/deb.example.org_dists_x_Release", "apt-lists-and-caches",
     b"Date:", b"Datf:"),
    ("dnf-history/{}/history.sqlite", "var/lib/dnf/history.sqlite", "dnf-history",
     b"install -y x", b"install -y y"),
    ("ldconfig-aux-cache/{}/r/var/cache/ldconfig/aux-cache", "var/cache/ldconfig/aux-cache",
     "ldconfig-aux-cache", b"libz.so.1\0", b"liby.so.1\0"),
    ("tar-in-tar-apk-scripts/{}/lib/apk/db/scripts.tar", "lib/apk/db/scripts.tar", "apk-db",
     b"#!/bin/sh\n", b"#!/bin/ss\n"),
    ("shadow-lastchg/{}/r/etc/shadow", "etc/shadow", "shadow-last-change-date",
     b"app:!", b"app:*"),
    ("fontconfig-cache/{}/c/6a53b661212f4a6ed379e965337f1ef5-le64.cache-8",
     "var/cache/fontconfig/6a53b661212f4a6ed379e965337f1ef5-le64.cache-8", "fontconfig-cache",
     b"DejaVu Sans\0", b"DejaVu Sant\0"),
    ("git-index-stat/{}/r/dot-git/index", "src/.git/index", "git-metadata", None, None),
    ("git-reflog/{}/r/dot-git/logs/HEAD", "src/.git/logs/HEAD", "git-metadata",
     b"a@b", b"a@c"),
    ("git-reflog/{}/r/dot-git/refs/heads/main", "src/.git/refs/heads/main", "git-metadata",
     b"\n", b"\n\n"),
    ("wtmp/{}/wtmp", "var/log/wtmp", "login-records", b"reboot", b"rebooz"),
    ("mandb-index/{}/o.db", "var/cache/man/index.db", "man-db-index-mtime", b"\ty\0", b"\tz\0"),
    ("pnpm-modules/{}/.modules.yaml", "srv/node_modules/.modules.yaml", "pnpm-modules-yaml",
     b"layoutVersion: 5", b"layoutVersion: 6"),
    ("pip-record-path/{}/direct_url.json", "p-1.dist-info/direct_url.json", "pip-direct-url",
     b"dir_info", b"dir_infp"),
    ("npm-install-local/{}/o.json", "srv/node_modules/.package-lock.json", "npm-hidden-lockfile",
     b"/dep\"", b"/dfp\""),
    ("tex-fmt-time/{}/tex.fmt", "var/lib/texmf/web2c/tex.fmt", "tex-format-time",
     b"showhyphens", b"showhyphent"),
    ("etc-auto-generated/{}/app.conf", "etc/app.conf", "install-scripts-config-stamp",
     b"port=80", b"port=81"),
    ("machine-id/{}/machine-id", "etc/machine-id", "machine-id", b"\n", b"0\n"),
    ("systemd-random-seed/{}/random-seed", "var/lib/systemd/random-seed",
     "random-bytes-high-entropy", None, None),
    ("group-members-order/{}/group", "etc/group", "word-ordering-in-line", b"bob", b"bub"),
    ("useradd-order/{}/r/etc/shadow", "etc/shadow", "uid-allocation-order", b"svca:", b"svcx:"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "cause", "old", "new"), REAL)
def test_real_pairs(
    tmp_path: Path, name: str, path: str, cause: str, old: bytes | None, new: bytes | None
) -> None:
    a, b = _sides(name)
    node = _looked(tmp_path, a, b, path)
    assert _explained(node) == {cause}
    assert node.verified
    more = b + b"x"
    if old is not None and new is not None:
        assert old in b
        more = b.replace(old, new, 1)
    assert not _looked(tmp_path, a, more, path).verified


@pytest.mark.parametrize("number", [0, 1])
def test_an_entry_of_npms_cache_has_the_digest_of_its_line(tmp_path: Path, number: int) -> None:
    below = PAIRS / "npm-cacache"
    found = sorted((below / "a").rglob("index-v5/*/*/*"))
    if not found:
        pytest.skip("the pair is not there")
    place = found[number]
    path = f"root/.npm/{place.relative_to(below / 'a')}"
    a, b = place.read_bytes(), (below / "b" / place.relative_to(below / "a")).read_bytes()
    node = _looked(tmp_path, a, b, path)
    assert _explained(node) == {"package-manager-cache"}
    assert node.verified
    other = b.replace(b'"integrity"', b'"integritz"')
    assert not _looked(tmp_path, a, other, path).verified
    digest = b[1:2] if b[:1] == b"\n" else b[:1]
    wrong = b.replace(digest, b"0" if digest != b"0" else b"1", 1)  # no digest of the line
    assert not _looked(tmp_path, a, wrong, path).verified


@pytest.mark.parametrize(
    ("artefact", "path", "cause"),
    [
        ("utmp", "var/log/wtmp", "login-records"),
        ("lastlog", "var/log/lastlog", "login-records"),
        ("git_index", "src/.git/index", "git-metadata"),
        ("fontconfig_cache", "var/cache/fontconfig/x", "fontconfig-cache"),
        ("ldconfig_aux_cache", "var/cache/ldconfig/aux-cache", "ldconfig-aux-cache"),
    ],
)
def test_artefacts(tmp_path: Path, artefact: str, path: str, cause: str) -> None:
    a, b = (next((ARTEFACTS / artefact).glob(f"{side}.*")).read_bytes() for side in "ab")
    node = _looked(tmp_path, a, b, path)
    assert _explained(node) == {cause}
    assert node.verified


def test_uids_in_another_order_are_no_order(tmp_path: Path) -> None:
    """Who has which number is more than the order of rows."""
    a, b = _sides("useradd-order/{}/r/etc/passwd")
    node = _looked(tmp_path, a, b, "etc/passwd")
    assert not node.verified
    suspects = {found.suspect for found in differences(node) if not found.claims}
    assert suspects == {"uid-allocation-order"}


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("var/log/apt/term.log", "package-manager-logs"),
        ("var/log/dnf.rpm.log", "package-manager-logs"),
        ("root/.cache/pip/http/a/b/c", "package-manager-cache"),
        ("root/.npm/_cacache/content-v2/sha512/aa/bb/cc", "package-manager-cache"),
        ("root/.npm/_logs/2026-01-10T10_00_00_140Z-debug-0.log", "package-manager-cache"),
        ("var/lib/apt/lists/x_dists_y_main_binary-amd64_Packages", "apt-lists-and-caches"),
        ("var/cache/apt/pkgcache.bin", "apt-lists-and-caches"),
        ("etc/gshadow-", "account-backup-files"),
        ("var/lib/dpkg/status-old", "account-backup-files"),
        ("tmp/build.93G1e3HL", "temp-residue"),
        ("var/tmp/tmpab12cd34", "temp-residue"),
        ("tmp/x.sh", None),
        ("tmp/build-Backdoor", None),
        ("var/log/backdoor.log", None),
        ("etc/passwd", None),
        ("usr/bin/x", None),
        ("etc/cron.d/x", None),
        ("var/lib/dpkg/status", None),
    ],
)
def test_a_file_on_one_side(path: str, cause: str | None) -> None:
    expected = {cause} if cause else set()
    assert _causes("file.only_in_a", "regular file, 9 bytes", "", path) == expected
    assert _causes("file.only_in_b", "", "regular file, 9 bytes", path) == expected
    assert not _causes("file.only_in_b", "", "symbolic link to 'etc/shadow'", path)


def test_a_log_may_have_another_name_in_its_place_only() -> None:
    names = [f"root/.npm/_logs/2026-0{month}-10T10_00_00_140Z-debug-0.log" for month in (1, 3)]
    assert _causes("file.renamed", names[0], names[1], names[0]) == {"package-manager-cache"}
    assert not _causes("file.renamed", names[0], f"home/x/{names[1][5:]}", names[0])
    assert not _causes("file.renamed", names[0], "usr/bin/x", names[0])


def test_git_names_objects_by_what_they_hold() -> None:
    one, two = (f"r/.git/objects/{name}" for name in (f"69/{'25' * 19}", f"32/{'5c' * 19}"))
    assert _causes("file.renamed", one, two, one) == {"git-metadata"}
    assert _causes("file.only_in_a", "directory", "", "r/.git/objects/69") == {"git-metadata"}
    assert not _causes("file.only_in_a", "regular file, 9 bytes", "", "r/.git/objects/69")
    pack = "r/.git/objects/pack/pack-{}.{}"
    assert _causes("file.renamed", pack.format("1" * 40, "idx"), pack.format("2" * 40, "idx"), one)
    assert not _causes("file.renamed", pack.format("1" * 40, "idx"), pack.format("2" * 40, "x"))


def test_a_commit_says_when_it_was_made(tmp_path: Path) -> None:
    """What git hashes (git-commit-tree): only the time may be another one."""
    made = b"tree %s\nauthor n <a@b> %d +0000\ncommitter n <a@b> %d +0000\n\n%s\n"
    path = f"r/.git/objects/69/{'25' * 19}"
    tree = b"ab12" * 10
    first, later = 1768039200, 1773578096

    def against(other: bytes) -> Node:
        a, b = (zlib.compress(each, 1) for each in (made % (tree, first, first, b"i"), other))
        return _looked(tmp_path, a, b, path)

    assert _explained(against(made % (tree, later, later, b"i"))) == {"git-metadata"}
    assert _explained(against(made % (tree, 9, 9, b"i"))) == set()
    # another tree stands only where the images hold what has these digests
    found = differences(against(made % (tree[::-1], later, later, b"i")))
    assert any(claim.needs == "digest" for one in found for claim in one.claims)


@pytest.mark.parametrize(
    ("kind", "a", "b", "path"),
    [
        ("text", "2026-01-10 10:00:00 upgrade x 1-1 1-2\n",
         "2026-03-15 12:34:56 upgrade x 1-1 1-3\n", "var/log/dpkg.log"),
        ("text", "354ea5d9a57088be8efc8eea6b0a6d54\n", "", "etc/machine-id"),
        ("accounts.last_change", "20463 (2026-01-10)", "0 (1970-01-01)", "etc/shadow"),
        ("accounts.uid", "999", "0", "etc/passwd"),
        ("accounts.gid", "999", "998", "etc/passwd"),
        ("accounts.password", f"$6$ sha256:{'a' * 64}", f"$6$ sha256:{'b' * 64}", "etc/shadow"),
        ("accounts.members", "alice,bob", "alice,bob,mallory", "etc/group"),
        ("accounts.order", "app\napp #2", "app #2\napp", "etc/passwd"),
        ("utmp.user", "root", "eve", "var/log/wtmp"),
        ("git_index.oid", "a" * 40, "b" * 40, "src/.git/index"),
        ("text", "ref: refs/heads/main\n", "ref: refs/heads/evil\n", "src/.git/HEAD"),
        ("text", f"{'0' * 40}\n", f"{'12' * 20}\n", "src/.git/refs/heads/main"),
        ("bytes", f"tree {'1' * 40}", f"tree {'2' * 40}", f"src/.git/objects/11/{'1' * 38}"),
        ("text", ".deps=20260110.100000\n", ".evil=20260315.123456\n", "etc/apk/world"),
        ("json.value", '"../../d1/dep"', '"../../../d1/dep"', "x/.package-lock.json"),
        ("bytes", "X\0e\0\0\0\0\0\n\0e\0\0\0\0\0\x01", "Y", "x.fmt"),
    ],
)  # fmt: skip
def test_what_is_more_stays_unexplained(kind: str, a: str, b: str, path: str) -> None:
    found = diagnose(Site(kind, a, b, path, head='{"lockfileVersion": 3'))
    assert found is None or any(claim.needs for claim in found.claims)
