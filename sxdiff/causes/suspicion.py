"""What a place looks like that no cause explains: named as a suspicion, never as a cause."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from re import Pattern

from sxdiff.causes.cause import Site
from sxdiff.causes.pattern import late


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`looks` says whether a place may be the doing of cause `id`; `proof` what would show it."""

    id: str
    title: str
    kinds: tuple[str, ...]
    looks: Callable[[Site], bool]
    proof: str


def _always(_: Site) -> bool:
    return True


_DOXYGEN = late(r"\bdir_[0-9a-f]{32}\b")
_BANNER = late(
    r"(?i)(?:generated|created|produced|written) (?:by|with|using) [^\n]{1,60}\d\.\d|^# version \d"
)
_DIGITS = late(r"\d+")
_GIVEN = late(r"[0-9]{1,9}")


def _without_digits(text: str) -> str:
    return _DIGITS.sub("0", text)


_HASH = late(r"\A\$[^$ ]+\$ sha256:")
_VARIABLE = late(
    r"\A(?:export )?(?:PATH|HOME|USER|LOGNAME|SHELL|HOSTNAME|LANG|LC_[A-Z]+|TZ|TERM|PWD|OLDPWD)="
)
_SHELL = late(r"\A#! ?/(?:usr/)?bin/(?:env )?(?:ba|da|z|k|c|tc|mk)?sh\b|\bSHELL ?= ?[\"'/]")
_TEMPORARY = late(r"\A(?=.*[a-z])(?=.*[A-Z0-9].*\.)[A-Za-z0-9_]{6,10}\.[a-z]{1,2}\Z")
_STRICT_OR_COMMON = late(r"\A0(?:600|640|644|700|750|755)\Z")
"""Modes under umask 022, 027 and 077."""
_FORMER = late(r"(?:^|/)etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-\Z")
"""Where shadow-utils keep what they changed (passwd(5), FILES)."""
_PID = late(r"(?i)\bpid\b|\[\d+\]")
_DATE = late(
    r"(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"(?:[01]\d|2[0-3])(?:[0-5]\d){1,2}(?!\d)"
)
_SOURCE = late(r"(?:/[\w.+-]+){2,}\.[a-z]{1,3}")
_LETTERS = late(r"[A-Za-z]{4}")
_SIGNED = late(r"\.(?:sig|sign|signature)\Z")
_AT_HOST = late(r"(?<![\w.+-])([a-z_][\w.-]*)@[A-Za-z0-9][\w-]*(?![\w.-])")


_WIDE = late(
    r"\b[yz]mm\d|\bv(?:mov|add|sub|mul|div|p[a-z]|xor|fm|broadcast|perm|extract|insert)[a-z0-9]*\s"
    r"|\b(?:andn|bextr|bls[ir]|blsmsk|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|lzcnt|tzcnt)\s"
    r"|\b(?:popcnt|movbe|pmulld|ptest|roundsd|crc32)\s"
    r"|\b(?:ldadd|swp|cas)[a-z]*\s|\bz\d+\.[bhsd]\b"
)
"""Instructions that the first x86-64 and the first ARMv8 processors do not have."""
_MANGLED = late(r"17h[0-9a-f]{16}E|_R[NIMXYC]")


def _is_tuned(site: Site) -> bool:
    """Whether one side alone has instructions of later processors."""
    return bool(_WIDE.search(site.a)) != bool(_WIDE.search(site.b))


def _is_rust(site: Site) -> bool:
    return any("rustc version" in head for head in site.heads) or bool(_MANGLED.search(site.symbol))


SUSPICIONS: tuple[Suspicion, ...] = (
    Suspicion(
        "cpu-tuning-march-native",
        "Code for another processor",
        ("elf.code",),
        _is_tuned,
        "build both with -march=x86-64 (rustc -C target-cpu=x86-64, GOAMD64=v1), and compare again",
    ),
    Suspicion(
        "parallelism-codegen-units",
        "Code of rustc in other pieces",
        ("elf.code", "elf.code.*", "elf.symbol.order"),
        _is_rust,
        "build both with -C codegen-units=1, and compare again",
    ),
    Suspicion(
        "toolchain-version",
        "Another compiler or linker",
        (
            "elf.producer",
            "elf.go_build.version",
            "pyc.magic",
            "rmeta.compiler",
            "elf.rust_metadata.rustc",
            "llvm_bitcode.producer",
        ),
        _always,
        "build both with one compiler and one linker, and compare again",
    ),
    Suspicion(
        "compiler-flags",
        "Other options of the compiler",
        ("elf.command_line", "elf.strings", "elf.dwarf.strings"),
        lambda site: all(re.match(r"GNU [A-Z][\w+]* \d", text) for text in (site.a, site.b)),
        "build both with one CFLAGS, and compare again",
    ),
    Suspicion(
        "strip-variation",
        "Symbols or debug information on one side only",
        ("elf.only_in_a", "elf.only_in_b"),
        lambda site: (site.a + site.b).startswith((".symtab", ".strtab", ".debug_", ".comment")),
        "strip both sides alike, and compare again",
    ),
    Suspicion(
        "cryptographic-signature",
        "Signatures that may be of the same content",
        ("pgp.*", "pkcs7.*", "minisign.*signature", "rpm.*signature", "der.value"),
        lambda site: site.kind.endswith("signature") or _is_signature(site),
        "check each signature with its key, and compare what is signed",
    ),
    Suspicion(
        "random-hex-token",
        "Long random values",
        ("text", "file.content", "*.value", "elf.section.content", "elf.strings"),
        lambda site: _is_random(site.a) and _is_random(site.b),
        "build twice in the same place with the same clock: a random value differs again",
    ),
    Suspicion(
        "parallel-build-race",
        "Code or tables that differ in their schedule",
        ("elf.code", "elf.code.order", "elf.symbol.order", "elf.relocation.order"),
        _always,
        "build with -j1 and -C codegen-units=1, and compare again",
    ),
    Suspicion(
        "line-ordering",
        "The same things in an order that may say something",
        ("text.order", "*.list.order", "json.order", "xml.order", "ini.order", "stanza.order"),
        _always,
        "see whether what reads the file cares about the order; sort where it is written",
    ),
    Suspicion(
        "sqlite-row-order",
        "Rows that have each other's numbers",
        ("sqlite.rows",),
        lambda site: _without_digits(site.a) == _without_digits(site.b),
        "sort rows before they are inserted, and compare again",
    ),
    Suspicion(
        "doc-generator-path",
        "Names of pages that doxygen made from a path",
        ("xml", "text"),
        lambda site: bool(_DOXYGEN.search(site.a) and _DOXYGEN.search(site.b)),
        "set STRIP_FROM_PATH to the source's directory, and compare again",
    ),
    Suspicion(
        "generator-version-banner",
        "Another version of the generator",
        ("text", "xml"),
        lambda site: bool(_BANNER.search(site.a) and _BANNER.search(site.b)),
        "use the same version of the generator, and compare again",
    ),
    Suspicion(
        "password-salt",
        "Hashes of one method, of one password or of two",
        ("accounts.password",),
        lambda site: _both(_HASH, site) and site.a.split(" ")[0] == site.b.split(" ")[0],
        "hash the password with the salt of each side: it must give the hash of that side",
    ),
    Suspicion(
        "uid-allocation-order",
        "Numbers of users and groups that may have been given in another order",
        ("accounts.uid", "accounts.gid"),
        lambda site: _is_given(site.a) and _is_given(site.b),
        "useradd -u with fixed numbers, and compare again",
    ),
    Suspicion(
        "environment-variable-capture",
        "A variable of the environment, or a setting of that name",
        ("text", "ini.value"),
        lambda site: _both(_VARIABLE, site),
        "env -i PATH=... for the build, and compare again",
    ),
    Suspicion(
        "account-backup-files",
        "What was in a file of accounts before its last change",
        ("text", "accounts.*"),
        lambda site: bool(_FORMER.search(site.path)),
        "see whether the file without the - is the same on both sides; remove what ends in -",
    ),
    Suspicion(
        "installed-size-du",
        "The size of a package, as du counts it or as it is",
        ("stanza.value",),
        lambda site: site.where[-1:] == ("Installed-Size",),
        "see whether the package's files have the same sizes on both sides",
    ),
    Suspicion(
        "captures-shell-variable",
        "Another shell",
        ("text",),
        lambda site: _both(_SHELL, site),
        "CONFIG_SHELL=/bin/sh for the build, and compare again",
    ),
    Suspicion(
        "random-temporary-path",
        "Names that may be of temporary files",
        ("elf.strings",),
        lambda site: site.where[-1:] == (".strtab",) and _both(_TEMPORARY, site),
        "-save-temps=obj, or a fixed name for the source, and compare again",
    ),
    Suspicion(
        "captures-pid",
        "Numbers that may be of processes",
        ("text",),
        lambda site: _without_digits(site.a) == _without_digits(site.b) and _both(_PID, site),
        "build twice: the numbers differ each time",
    ),
    Suspicion(
        "captures-hostname",
        "Names of machines, or addresses to write to",
        ("text", "elf.strings", "*.value"),
        lambda site: _both(_AT_HOST, site) and _same_user(site),
        "unshare --uts with a fixed hostname for the build, and compare again",
    ),
    Suspicion(
        "gcc-captures-build-path",
        "Paths of sources among names",
        ("llvm_bitcode.*",),
        lambda site: _both(_SOURCE, site),
        "-ffile-prefix-map=$PWD=. for both, and compare again",
    ),
    Suspicion(
        "timestamp-in-text",
        "Digits that may be a date",
        ("text", "*.value"),
        lambda site: _both(_DATE, site) and _without_digits(site.a) == _without_digits(site.b),
        "build both with the same SOURCE_DATE_EPOCH, or under faketime, and compare again",
    ),
    Suspicion(
        "uninitialized-memory",
        "A few bytes without a pattern, as between the fields of a structure",
        ("file.content", "elf.section.content", "*.data"),
        lambda site: _is_padding(site.a, site.b),
        "build twice in the same place: they differ again; valgrind or -fsanitize=memory finds it",
    ),
    Suspicion(
        "random-bytes-high-entropy",
        "Bytes without any pattern",
        ("file.content",),
        lambda site: _is_noise(site.a) and _is_noise(site.b),
        "build twice in the same place with the same clock: random bytes differ again",
    ),
    Suspicion(
        "tar-uid-gid",
        "Owners that may be those of the builder",
        ("tar.uid", "tar.gid"),
        _always,
        "see whom the files must belong to where they are run; --owner=0 --group=0 for both",
    ),
    Suspicion(
        "different-due-to-umask",
        "Permissions that a stricter umask gives",
        ("tar.mode",),
        lambda site: _both(_STRICT_OR_COMMON, site) and site.a[1] == site.b[1],
        "build both under umask 022, and compare again",
    ),
    Suspicion(
        "oci-layer-boundary",
        "The same files in other layers, or layers in another order",
        ("layer.count", "layer.order"),
        _always,
        "equal at rootfs: what runs is the same; a lower layer may still hold what is hidden",
    ),
)


def _both(pattern: Pattern[str], site: Site) -> bool:
    return bool(pattern.search(site.a) and pattern.search(site.b))


def _is_signature(site: Site) -> bool:
    """Whether a field is one of a signature's: of what signs, or one of its two numbers (RFC 3279,
    2.2.3)."""
    if site.kind == "der.value":
        return site.where[-2:-1] == ("document",) and bool(_SIGNED.search(site.path))
    return any(step == "signature" or "signers signer" in step for step in site.where)


def _is_padding(a: str, b: str) -> bool:
    """Whether bytes are as many as an alignment of eight may leave, and no text."""
    return 3 <= len(a) == len(b) <= 7 and not any(
        text.isprintable() or _LETTERS.search(text) for text in (a, b)
    )


def _same_user(site: Site) -> bool:
    return _AT_HOST.findall(site.a) == _AT_HOST.findall(site.b)


def _is_given(text: str) -> bool:
    """Whether a number is one that useradd gives by itself (login.defs(5))."""
    return _GIVEN.fullmatch(text) is not None and 100 <= int(text) < 60_000


def _is_noise(text: str) -> bool:
    data = text.encode("utf-8", "surrogateescape")
    return 16 <= len(data) <= 4096 and len(set(data)) >= min(len(data) * 3 // 4, 150)


def _is_random(text: str) -> bool:
    """Hexadecimal or base64 of 64 bits or more, and nothing else."""
    word = text.strip()
    return (
        len(word) >= 16 and len(set(word)) >= 8 and word.isalnum() and any(map(str.isdigit, word))
    )
