"""What compilers, linkers and byte code compilers write of the build."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, NearMiss, Token, Tokens
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    another_order,
    any_two,
    common_tail,
    epoch_numbers,
    joined,
    matches,
    paths,
    permutation,
    time_field,
    times,
    times_in,
    two_build_paths,
    two_times,
    whole,
)

_PATHS = "https://reproducible-builds.org/docs/build-path/"
_EPOCH = "https://reproducible-builds.org/docs/source-date-epoch/"
_STAMPS = "https://reproducible-builds.org/docs/timestamps/"
_RANDOM = "https://reproducible-builds.org/docs/randomness/"
_ORDER = "https://reproducible-builds.org/docs/stable-inputs/"
_HELPERS = "https://docs.python.org/3/library/compileall.html"

_RUST, _GO, _CLANG = late("rustc"), late(r"\bgo1\.|\bGo\b"), late("clang")
_PROGRAM = late(
    # ELF, PE, COFF for x86-64, i386 and Arm, Mach-O, WebAssembly
    "\\A(?:\x7fELF|MZ|d\udc86|L\x01..[\x00-\x7f\udc80-\udcff]{4}|d\udcaa"
    "|[\udcce\udccf]\udcfa\udced\udcfe|\udcfe\udced\udcfa[\udcce\udccf]|\0asm)",
    re.DOTALL,
)
"""How programs and objects begin."""
_DATA: Final = (
    "elf.strings",
    "elf.section.content",
    "elf.segment.content",
    "pe.*",
    "macho.*",
    "wasm.*",
    "file.content",
)
_NO_DATA = late(
    r"^(?!.*(?:\.z?debug_|\.dynstr|\.strtab|\.stabstr|gopclntab|\.comment|\.gnu\.lto_))"
)
"""Routes that are not those of debug information, names and notes."""
_ELF_HEAD = "\x7fELF\x02\x01\x01"

# --- times ---------------------------------------------------------------------------------

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MACRO_DAY = rf"(?:{_MONTHS}) (?: [1-9]|[12]\d|3[01]) (?:19|20)\d\d"
_MACRO_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)"
_MACROS = late(
    rf"(?<![\w:.+-])(?<!\d )(?<!(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )(?P<v>{_MACRO_DAY}"
    rf"(?:(?P<s>[ ,@|/_\0-]{{1,4}}| at ){_MACRO_CLOCK})?|{_MACRO_CLOCK})(?![\w:]|\.\d)",
    re.ASCII,
)
"""__DATE__ ("Jan  5 2026") and __TIME__ (C11, 6.10.8.1), alone or one behind the other."""
_ASCTIME = late(
    rf"(?<![\w,])(?P<v>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:{_MONTHS}) (?: [1-9]|[12]\d|3[01])"
    rf" {_MACRO_CLOCK} (?:19|20)\d\d)(?![\w:])",
    re.ASCII,
)
"""__TIMESTAMP__, as asctime(3) writes it."""


def _macros(text: str) -> Iterator[Token]:
    """What both macros expand to; a day alone and a time of day alone are weak."""
    for found in _MACROS.finditer(text):
        for one in times(found["v"].replace("\0", " ")):
            size = len(found["v"])
            form = f"{one.form} {found['s']!r}"
            yield Token(found.start("v"), found.start("v") + size, one.value, form, one.weak)
            break


def _two_stamps(one: Token, two: Token) -> Evidence | None:
    """Two times, or two values of 16 bytes and more that are new for each build."""
    if one.form == "identifier":
        return _two_hashes(one, two)
    return two_times(one, two)


_IDENTIFIER = late(r"\A(?P<v>[0-9a-f]{32})\Z")
_ALI = late(r"(?m)^D [^\t\n]+\t+(?P<v>\d{14}) [0-9a-f]{8}(?= |\n|\Z)")

_TIMES: Final = (
    Cause(
        id="timestamps-from-timestamp-macro",
        title="__TIMESTAMP__ in a program",
        family="time",
        kinds=_DATA,
        tokens=times_in(_ASCTIME),
        judge=two_times,
        context=_PROGRAM,
        where=_NO_DATA,
        why="__TIMESTAMP__ expands to the modification time of the source file.",
        fixes=(
            Fix(
                "drop __TIMESTAMP__, or set the sources' mtimes before compiling:"
                " touch -d @$SOURCE_DATE_EPOCH FILE (gcc's SOURCE_DATE_EPOCH does not touch it)"
            ),
        ),
        references=(_STAMPS, "https://gcc.gnu.org/onlinedocs/cpp/Common-Predefined-Macros.html"),
        example=NearMiss(
            "elf.section.content",
            "Sat Jan 10 10:00:00 2026",
            "Sun Mar 15 12:34:56 2026",
            head=_ELF_HEAD,
            where=(".rodata",),
        ),
        near_miss=NearMiss(
            "elf.section.content",
            "v1 Sat Jan 10 10:00:00 2026",
            "v2 Sun Mar 15 12:34:56 2026",
            head=_ELF_HEAD,
            where=(".rodata",),
        ),
    ),
    Cause(
        id="timestamps-from-cpp-macros",
        title="__DATE__ and __TIME__ in a program",
        family="time",
        kinds=_DATA,
        tokens=_macros,
        judge=two_times,
        context=_PROGRAM,
        where=_NO_DATA,
        why="__DATE__ and __TIME__ expand to the time of compilation.",
        fixes=(
            Fix(
                "drop the macros (-Werror=date-time finds them); set SOURCE_DATE_EPOCH (clang 16"
                " and later); before that -Wno-builtin-macro-redefined '-D__DATE__=\"…\"'"
                " '-D__TIME__=\"…\"'",
                _CLANG,
            ),
            Fix(
                "set SOURCE_DATE_EPOCH (gcc 7 and later, clang 16 and later), or drop the macros;"
                " find them with -Werror=date-time"
            ),
        ),
        references=(_STAMPS, _EPOCH),
        example=NearMiss(
            "elf.strings",
            "Jan 10 2026 10:00:00",
            "Mar 15 2026 12:34:56",
            head=_ELF_HEAD,
            where=(".rodata.str1.1",),
        ),
        near_miss=NearMiss(
            "elf.strings",
            "1.2 (Jan 10 2026 10:00:00)",
            "1.3 (Mar 15 2026 12:34:56)",
            head=_ELF_HEAD,
            where=(".rodata.str1.1",),
        ),
    ),
    Cause(
        id="build-date-ldflags",
        title="The build's date in a Go or Rust program",
        family="time",
        kinds=(*_DATA, "elf.go_build.setting"),
        tokens=joined(times, epoch_numbers),
        judge=two_times,
        context=late(r"\n(?:[^\0]*\n)?(?:go1\.|rustc)[^\0]*\Z"),
        where=late(rf"{_NO_DATA.pattern}(?!.*vcs\.time\Z)"),
        why="The build passes the date to the linker (-ldflags=-X pkg.date=…) or to the compiler"
        " (a build script, env!).",
        fixes=(
            Fix(
                'go build -ldflags="-X pkg.date=$(date -u -d @$SOURCE_DATE_EPOCH +%FT%TZ)", or'
                " leave the date out",
                _GO,
            ),
            Fix(
                "take SOURCE_DATE_EPOCH in build.rs (vergen and shadow-rs read it), or leave the"
                " date out"
            ),
        ),
        references=(_EPOCH, "https://pkg.go.dev/cmd/link"),
        example=NearMiss(
            "elf.section.content",
            "2026-01-10T10:00:00Z",
            "2026-03-15T12:34:56Z",
            head=f"{_ELF_HEAD}\0\ngo1.22.1",
            where=(".rodata",),
        ),
        near_miss=NearMiss(
            "elf.section.content",
            "v1.2.3 2026-01-10T10:00:00Z",
            "v1.2.4 2026-03-15T12:34:56Z",
            head=f"{_ELF_HEAD}\0\ngo1.22.1",
            where=(".rodata",),
        ),
    ),
    Cause(
        id="pe-timestamp",
        title="Time and identifiers of a Windows program",
        family="time",
        kinds=("pe.*.time_date_stamp", "pe.codeview.guid", "cli.guid"),
        tokens=joined(matches(_IDENTIFIER, "identifier"), time_field),
        judge=_two_stamps,
        why="Linkers write the time into the header and the directories, and a new GUID for the"
        " debug file and for a .NET module (Mvid).",
        fixes=(
            Fix(
                "dotnet build -p:Deterministic=true -p:ContinuousIntegrationBuild=true (csc"
                " /deterministic; mcs has no such option)",
                late(r"\.NET"),
            ),
            Fix(
                "-Wl,--no-insert-timestamp (binutils 2.26 and later), or SOURCE_DATE_EPOCH with"
                " binutils 2.41 and later; link.exe and lld-link: /Brepro"
            ),
        ),
        references=(_STAMPS, "https://learn.microsoft.com/windows/win32/debug/pe-format"),
        example=NearMiss("pe.coff.time_date_stamp", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        near_miss=NearMiss(
            "cli.guid", "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeefe"
        ),
        composes=False,
    ),
    Cause(
        id="compiled-unit-source-mtime",
        title="Modification times of sources in a compiled unit",
        family="time",
        kinds=("text",),
        tokens=times_in(_ALI),
        judge=two_times,
        paths=late(r"\.ali\Z"),
        why="GNAT lists the modification times of all sources in the .ali file.",
        fixes=(Fix("set the sources' mtimes before compiling: touch -d @$SOURCE_DATE_EPOCH"),),
        references=(_STAMPS,),
        example=NearMiss(
            "text",
            "D m.adb\t\t\t20260110100000 9f3b3d53 m%b\n",
            "D m.adb\t\t\t20260315123456 9f3b3d53 m%b\n",
            path="m.ali",
        ),
        near_miss=NearMiss(
            "text",
            "D m.adb\t\t\t20260110100000 9f3b3d53 m%b\n",
            "D m.adb\t\t\t20260315123456 9f3b3d54 m%b\n",
            path="m.ali",
        ),
    ),
    Cause(
        id="compiled-unit-source-mtime",
        title="Modification times of sources in a compiled unit",
        family="time",
        kinds=("ppu.source_mtime",),
        tokens=time_field,
        judge=two_times,
        why="Free Pascal lists the modification times of all sources in the .ppu file.",
        fixes=(Fix("set the sources' mtimes before compiling: touch -d @$SOURCE_DATE_EPOCH"),),
        references=(_STAMPS,),
        example=NearMiss("ppu.source_mtime", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        near_miss=NearMiss("ppu.checksum", "0x69622320", "0x69b6a770"),
    ),
)

# --- byte code -----------------------------------------------------------------------------


def _two_sources(one: Token, two: Token) -> Evidence | None:
    """Two paths of one source file: its name is the same, and so is all that follows the
    directories that differ."""
    a, b, tail = common_tail(one.value, two.value)
    if not tail or a == b:
        return None
    return Evidence(a or ".", b or ".", f"/{tail}")


_PY = late(r"\A(?P<v>[^\0<\n]+\.pyw?)\Z")
_FLAGS = frozenset(
    (
        "by the source's time and size",
        "by the source's hash, unchecked",
        "by the source's hash, checked",
    )
)
_PYC_HEADER = late(r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d{1,10}|[0-9a-f]{16}")


def _two_headers(one: Token, two: Token) -> Evidence | None:
    """How a .pyc file is checked (PEP 552): two ways, or what is only there in one of them."""
    values = {one.value, two.value}
    if values <= _FLAGS:
        return Evidence(one.value, two.value)
    if "" in values and all(map(_PYC_HEADER.fullmatch, values)):
        return Evidence("by the source's hash" if not one.value else "", "")
    return None


def _sources(suffix: str) -> Tokens:
    """Paths of source files, and of what is between quotes and colons around them."""
    start, run = late(r"(?<![\w.-])/"), late(r"/[^\s\0:,;'\"<>()]*")
    end = late(rf"(?:{suffix})(?![\w.-])")

    def found_in(text: str) -> Iterator[Token]:
        at = limit = 0
        while begin := start.search(text, at):
            if begin.start() >= limit:
                limit = run.match(text, begin.start()).end()  # type: ignore[union-attr]  # it is "/"
            found = end.search(text, begin.end(), limit)
            if found is None:  # nor is there one behind a later slash of the run
                at = limit
                continue
            at = found.end()
            value = re.sub(r"\A//+", "/", text[begin.start() : at])
            yield Token(begin.start(), at, value, "path")

    return found_in


_BYTE_CODE: Final = (
    Cause(
        id="pyc-invalidation-mode",
        title="How a .pyc file is checked against its source",
        family="time",
        kinds=("pyc.flags", "pyc.mtime", "pyc.source_hash", "pyc.source_size"),
        tokens=whole("header"),
        judge=_two_headers,
        why="One side was compiled with SOURCE_DATE_EPOCH set, or with another"
        " --invalidation-mode: it holds the source's hash instead of its time (PEP 552).",
        fixes=(
            Fix(
                "set SOURCE_DATE_EPOCH in both builds, or name the mode: python -m compileall"
                " --invalidation-mode unchecked-hash"
            ),
        ),
        references=("https://peps.python.org/pep-0552/", _HELPERS),
        example=NearMiss(
            "pyc.flags", "by the source's time and size", "by the source's hash, checked"
        ),
        near_miss=NearMiss("pyc.source_hash", "f71da1d5f9e80d87", "f71da1d5f9e80d88"),
        composes=False,
    ),
    Cause(
        id="pyc-source-mtime",
        title="Modification time of the source in a .pyc file",
        family="time",
        kinds=("pyc.mtime",),
        tokens=time_field,
        judge=two_times,
        why="By default a .pyc file holds the modification time of its source (PEP 552).",
        fixes=(
            Fix(
                "python -m compileall --invalidation-mode unchecked-hash (or checked-hash; Python"
                " 3.7 and later); with SOURCE_DATE_EPOCH set py_compile does so; pip install"
                " --no-compile, PYTHONDONTWRITEBYTECODE=1"
            ),
        ),
        references=("https://peps.python.org/pep-0552/", _HELPERS),
        example=NearMiss("pyc.mtime", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        near_miss=NearMiss("pyc.source_size", "1768039200", "1773578096"),
        composes=False,
    ),
    Cause(
        id="pyc-co-filename-path",
        title="The source's path in a .pyc file",
        family="path",
        kinds=("pyc.filename",),
        tokens=matches(_PY, "path"),
        judge=_two_sources,
        why="Each code object holds the path under which its source was compiled (co_filename).",
        fixes=(
            Fix(
                'python -m compileall -s "$DESTDIR" -p / (Python 3.9 and later), or compile where'
                " the files are installed"
            ),
        ),
        references=(_PATHS, _HELPERS),
        example=NearMiss("pyc.filename", "/build/1st/m.py", "/build/2nd/m.py"),
        near_miss=NearMiss("pyc.filename", "/build/1st/m.py", "/build/1st/n.py"),
        composes=False,
    ),
    Cause(
        id="pyc-refcount-flags",
        title="Reference flags in a .pyc file",
        family="randomness",
        kinds=("pyc.reference_flags",),
        tokens=matches(late(r"\A(?P<v>\d{1,7})\Z"), "count"),
        judge=any_two,
        why="marshal flags an object that may be referred to later; whether it does depends on how"
        " many references the compiling process held. The code is the same.",
        fixes=(
            Fix(
                "compile each file in a process of its own, in one order (compileall -j1), or"
                " rewrite the files with marshalparser --fix or add-determinism --handler pyc"
            ),
        ),
        references=(
            "https://github.com/python/cpython/issues/78274",
            "https://github.com/fedora-python/marshalparser",
        ),
        example=NearMiss("pyc.reference_flags", "3", "5"),
        near_miss=NearMiss("pyc.argcount", "3", "5"),
        composes=False,
    ),
    Cause(
        id="interpreter-artifact-path",
        title="The source's path in byte code or a program",
        family="path",
        kinds=(
            "luac.source",
            "beam.*",
            "ocaml.*",
            "elc.*",
            "java_class.*",
            "llvm_bitcode.*",
            "haskell_interface.*",
            "wasm.*",
        ),
        tokens=joined(
            _sources(
                r"\.(?:mly?i?|mll|erl|hrl|ex|exs|lua|el|elc|java|kt|groovy|scala|hs|c|cc|cpp)"
            ),
            paths,
        ),
        judge=two_build_paths,
        bound=True,
        why="The compiler writes the path under which it found the source into the byte code.",
        fixes=(
            Fix("luac -s, or luac with a relative path", late(r"\bLua\b")),
            Fix(
                "compile with relative paths; erlc +deterministic; OCaml: set"
                " BUILD_PATH_PREFIX_MAP=.=$PWD (4.03 and later, dune does); luac -s; javac records"
                " no directory"
            ),
        ),
        references=(_PATHS, "https://reproducible-builds.org/specs/build-path-prefix-map/"),
        example=NearMiss("luac.source", "@/build/1st/m.lua", "@/build/2nd/m.lua"),
        near_miss=NearMiss("luac.source", "@/build/1st/m.lua", "@/build/2nd/n.lua"),
    ),
    Cause(
        id="interpreter-artifact-path",
        title="The source's path in byte code or a program",
        family="path",
        kinds=("file.content",),
        tokens=_sources(r"\.(?:lisp|lsp|cl|scm|lua|rkt|el|ss)"),
        judge=two_build_paths,
        bound=True,
        paths=late(r"\.(?:fasl|go|ljbc|luac|raw|zo|bc|x86f|ufasl|elc)\Z"),
        why="The compiler writes the path under which it found the source into the byte code.",
        fixes=(
            Fix("luajit -b -s", late(r"LuaJIT")),
            Fix("compile with relative paths, from the directory of the sources"),
        ),
        references=(_PATHS,),
        example=NearMiss(
            "file.content",
            '  from "/build/1st/m.lisp"',
            '  from "/build/2nd/m.lisp"',
            path="m.fasl",
        ),
        near_miss=NearMiss(
            "file.content",
            '  from "/build/1st/m.lisp"',
            '  from "/build/2nd/n.lisp"',
            path="m.fasl",
        ),
    ),
    Cause(
        id="interpreter-artifact-path",
        title="The source's path in byte code or a program",
        family="path",
        kinds=_DATA,
        tokens=_sources(r"\.[fF](?:90|95|03|08|18|or|pp)?"),
        judge=two_build_paths,
        context=_PROGRAM,
        where=_NO_DATA,
        bound=True,
        why="gfortran writes the source's path into the messages of checks at run time.",
        fixes=(Fix("compile with relative paths: gfortran has no option that maps these paths"),),
        references=(_PATHS,),
        example=NearMiss(
            "elf.section.content",
            "At line 1 of file //build/1st/m.f90",
            "At line 1 of file //build/2nd/m.f90",
            head=_ELF_HEAD,
            where=(".rodata",),
        ),
        near_miss=NearMiss(
            "elf.section.content",
            "At line 1 of file //build/1st/m.f90",
            "At line 2 of file //build/2nd/m.f90",
            head=_ELF_HEAD,
            where=(".rodata",),
        ),
    ),
    Cause(
        id="bytecode-target-version",
        title="Java classes for another version",
        family="toolchain",
        kinds=("java_class.major_version",),
        tokens=matches(late(r"\A(?P<v>4[5-9]|[5-8]\d)\Z"), "version"),
        judge=any_two,
        why="The compiler was told another target, or is another JDK: the class file says from"
        " which version of Java on it runs.",
        fixes=(
            Fix("javac --release N (JDK 9 and later); Maven: maven.compiler.release; pin the JDK"),
        ),
        references=("https://docs.oracle.com/javase/specs/jvms/se21/html/jvms-4.html",),
        example=NearMiss("java_class.major_version", "55", "61"),
        near_miss=NearMiss("java_class.minor_version", "55", "61"),
        composes=False,
    ),
)

# --- identities ----------------------------------------------------------------------------


def _two_hashes(one: Token, two: Token) -> Evidence | None:
    """Two hexadecimal values that may be hashes or random: of one length, with hardly a byte in
    common, none of them made of a few digits."""
    if len(one.value) != len(two.value) or len(one.value) < 8:
        return None
    if min(len(set(one.value)), len(set(two.value))) < min(5, len(one.value) // 2):
        return None
    size = 2 if len(one.value) >= 16 else 1
    pieces = range(0, len(one.value), size)
    same = sum(one.value[at : at + size] == two.value[at : at + size] for at in pieces)
    if same * 5 > len(pieces) * (2 if size == 1 else 1):
        return None
    return Evidence(one.value, two.value)


def _two_crcs(one: Token, two: Token) -> Evidence | None:
    """Two checksums of 32 bits of different files: three bytes of four differ."""
    pairs = [(one.value[at : at + 2], two.value[at : at + 2]) for at in range(2, 10, 2)]
    return Evidence(one.value, two.value) if sum(a != b for a, b in pairs) >= 3 else None


def _two_random_ids(one: Token, two: Token) -> Evidence | None:
    """Two build-ids that are no hash of the content: random ones (16 bytes), or set by hand."""
    if len(one.value) == 32:
        return _two_hashes(one, two)
    by_hand = all(len(set(token.value)) <= 2 for token in (one, two))
    return Evidence(one.value, two.value) if by_hand else None


def _two_go_ids(one: Token, two: Token) -> Evidence | None:
    """Two build IDs of Go: of each part, all or nothing is another."""
    ours, theirs = one.value.split("/"), two.value.split("/")
    if len(ours) != len(theirs):
        return None
    for a, b in zip(ours, theirs, strict=True):
        same = sum(x == y for x, y in zip(a, b, strict=False))
        if a != b and (len(a) != len(b) or len(a) < 6 or same * 4 > len(a)):
            return None
    return Evidence(one.value, two.value)


_DEBUG_FILE = late(r"\A(?P<v>[0-9a-f]{30,62})\.debug\Z")
_DESCRIBED = late(r"(?<=-g)(?P<v>[0-9a-f]{7,40})(?![0-9a-zA-Z])")
_REVISION = late(
    r"(?i:\b(?:vcs[._]revision|vcs[._]ref|(?:git[._-]?|build[._-]?)"
    r"(?:commit|sha1?|revision|rev|hash)(?:[._-]?(?:id|sha1?|hash|full|short|abbrev))?))"
    r"[\"']?\s{0,4}[:=]{1,2}\s{0,4}[\"']?(?P<v>[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{7,12})"
    r"(?![0-9a-zA-Z])"
)
"""Names that say that a commit of this very tree follows; not those of lock files."""
_VCS_TIME = late(r"\bvcs\.time=(?P<v>[0-9T:-]+Z)")
_NO_LOCKS = late(
    r"^(?!.*(?:\.lock|lock\.(?:json|yaml|toml)|-lock\.[a-z]+|go\.sum|direct_url\.json"
    r"|installed\.json|\.gitmodules|METADATA|PKG-INFO)\Z)"
)
_FIELD = late(
    r"(?:\.cargo_vcs_info\.json/git(?:/git)?/sha1|build vcs\.(?:revision|time)"
    r"|(?:org\.opencontainers\.image\.revision|org\.label-schema\.vcs-ref|vcs-ref)"
    r"|git\.commit\.id(?:\.full|\.abbrev)?|git\.commit\.time)\Z"
)
_REVISION_FILE = late(
    r"(?i)(?:^|/)\.?(?:(?:git|vcs|source|build)[._-]?)?"
    r"(?:rev(?:ision)?|commit(?:[._-]?(?:id|sha1?|hash))?|(?<=[._-])(?:sha1?|hash|head|ref))"
    r"(?:\.txt)?\Z"
)
"""Files that hold nothing but the name of a commit."""
_HEX_LINE = late(r"\A(?P<v>[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{7,12})\n?\Z")
_HEX = late(r"\A\"?(?P<v>[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{7,12})\"?\Z")


def _hex_tokens(pattern: re.Pattern[str]) -> Tokens:
    """Digits of a pattern's group `v`, with their number as their form."""

    def found_in(text: str) -> Iterator[Token]:
        for found in pattern.finditer(text):
            yield Token(*found.span("v"), found["v"], f"{len(found['v'])} digits")

    return found_in


def _two_commits(one: Token, two: Token) -> Evidence | None:
    if not one.form.endswith(" digits"):
        return two_times(one, two)
    same = sum(a == b for a, b in zip(one.value, two.value, strict=True))
    many = min(len(set(one.value)), len(set(two.value))) >= 4
    return Evidence(one.value, two.value) if many and same * 5 <= 2 * len(one.value) else None


_A, _B = "9aa83de2b739c6ff0e1e2b36587a144ebdcf46ba", "4959c3cd9d9d8508df4f859887d59833fc042c9f"

_VCS: Final = Cause(
    id="vcs-revision-stamp",
    title="The commit that it was built from",
    family="source",
    kinds=("elf.go_build.setting", "*.value"),
    tokens=joined(_hex_tokens(_HEX), time_field),
    judge=_two_commits,
    where=_FIELD,
    why="The build records the commit of its sources. Both sides were built from different"
    " commits, or from a tree of which the history was rewritten.",
    fixes=(
        Fix("go build -buildvcs=false, or build both sides from one commit", _GO),
        Fix(
            "build both sides from one commit, with the same clone depth and git config"
            " core.abbrev=12; or leave the commit out (go build -buildvcs=false, cargo package from"
            " a tarball)"
        ),
    ),
    references=("https://git-scm.com/docs/git-describe", "https://pkg.go.dev/cmd/go"),
    example=NearMiss(
        "json.value", f'"{_A}"', f'"{_B}"', where=("p/.cargo_vcs_info.json", "git", "sha1")
    ),
    near_miss=NearMiss(
        "json.value", f'"{_A}"', f'"{_B[:12]}"', where=("p/.cargo_vcs_info.json", "git", "sha1")
    ),
    composes=False,
)

_IDENTITIES: Final = (
    _VCS,
    replace(
        _VCS,
        kinds=(
            "text",
            "elf.section.content",
            "elf.strings",
            "elf.go_build.setting",
            "pe.*",
            "properties.*",
            "ini.*",
            "json.value",
        ),
        tokens=joined(_hex_tokens(_DESCRIBED), _hex_tokens(_REVISION), times_in(_VCS_TIME)),
        where=None,
        paths=_NO_LOCKS,
        example=NearMiss("text", 'version = "1.2-3-g313b4884"\n', 'version = "1.2-3-gd2c0be33"\n'),
        near_miss=NearMiss(
            "text", 'version = "1.2-3-g313b4884"\n', 'version = "1.3-3-gd2c0be33"\n'
        ),
        composes=True,
    ),
    replace(
        _VCS,
        kinds=("text",),
        tokens=_hex_tokens(_HEX_LINE),
        where=None,
        paths=_REVISION_FILE,
        example=NearMiss("text", f"{_A}\n", f"{_B}\n", path="app/REVISION"),
        near_miss=NearMiss("text", f"{_A}\n", f"{_B[:12]}\n", path="app/REVISION"),
    ),
    Cause(
        id="random-build-id",
        title="A build-id that does not follow from the content",
        family="randomness",
        kinds=("elf.note.build_id",),
        tokens=matches(late(r"\A(?P<v>[0-9a-f]{16,128})\Z"), "build-id"),
        judge=_two_random_ids,
        why="The build-id is random (-Wl,--build-id=uuid) or was set by hand: all else is equal.",
        fixes=(Fix("-Wl,--build-id=sha1 (the default of most compilers), or none"),),
        references=(_RANDOM, "https://sourceware.org/binutils/docs/ld/Options.html"),
        example=NearMiss(
            "elf.note.build_id",
            "c29d16b1754569952f522a70633f5b14",
            "5ce4e74c37e77b19d3857f0c2814d957",
        ),
        near_miss=NearMiss(
            "elf.note.build_id",
            "c29d16b1754569952f522a70633f5b14",
            "c29d16b1754569952f522a70633f5b15",
        ),
        composes=False,
    ),
    Cause(
        id="derived-elf-build-id",
        title="Only the build-id differs: look at the unstripped program",
        family="derived",
        kinds=("elf.note.build_id", "elf.debuglink.file"),
        tokens=joined(
            matches(late(r"\A(?P<v>[0-9a-f]{16,128})\Z"), "build-id"),
            matches(_DEBUG_FILE, "debug file"),
        ),
        judge=_two_hashes,
        why="The linker hashed what was stripped later (debug information, symbols): the cause is"
        " there, and no longer in this file.",
        fixes=(
            Fix(
                "mostly the build path: -ffile-prefix-map=$PWD=.; to be sure, compare the"
                " unstripped programs or their debug files (-dbgsym, -debuginfo), which have"
                " the same cause"
            ),
        ),
        references=(_PATHS, "https://fedoraproject.org/wiki/Releases/FeatureBuildId"),
        example=NearMiss(
            "elf.note.build_id",
            "12c103b24d2a521749e3f5acd469ae4b225d4ee1",
            "97086b61d3ba1e987b00b958f7bcfb38119a6a23",
        ),
        near_miss=NearMiss(
            "elf.note.build_id",
            "12c103b24d2a521749e3f5acd469ae4b225d4ee1",
            "12c103b24d2a521749e3f5acd469ae4b225d4ee2",
        ),
        composes=False,
    ),
    *(
        Cause(
            id="gcov-stamp",
            title="The stamp of a build for coverage",
            family="randomness",
            kinds=(kind,),
            tokens=matches(late(pattern), "stamp"),
            judge=any_two,
            why="GCC marks an object and its notes for coverage (--coverage) with a number that it"
            " makes of the time, so that counts of another build are not taken for theirs.",
            fixes=(
                Fix("gcc -frandom-seed=NAME, another one for each source; or do not ship them"),
            ),
            references=(
                "https://gcc.gnu.org/onlinedocs/gcc/Developer-Options.html#index-frandom-seed",
            ),
            example=NearMiss(kind, *example),
            near_miss=NearMiss(*near_miss),
            composes=False,
        )
        for kind, pattern, example, near_miss in (
            (
                "gcov.stamp",
                r"\A(?P<v>[0-9a-f]{8})\Z",
                ("5014ba20", "8914ba20"),
                ("gcov.checksum", "0x5014ba20", "0x8914ba20"),
            ),
            (
                "elf.section.content",
                r"\Agcov stamp (?P<v>[0-9a-f]{8})\Z",
                ("gcov stamp 5014ba20", "gcov stamp 8914ba20"),
                ("elf.section.content", "5014ba20", "8914ba20"),
            ),
        )
    ),
    Cause(
        id="derived-gnu-debuglink-crc",
        title="Only the checksum of the debug file differs",
        family="derived",
        kinds=("elf.debuglink.crc",),
        tokens=matches(late(r"\A(?P<v>0x[0-9a-f]{8})\Z"), "crc"),
        judge=_two_crcs,
        why="The debug file that was split off differs: the cause is there, not in this file.",
        fixes=(Fix("compare the debug files: their cause is this one's"),),
        references=(
            _PATHS,
            "https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html",
        ),
        example=NearMiss("elf.debuglink.crc", "0x615408a1", "0x01d7ec09"),
        near_miss=NearMiss("elf.debuglink.crc", "0x615408a1", "0x615408a2"),
        composes=False,
    ),
    Cause(
        id="golang-build-id",
        title="Go's build ID",
        family="derived",
        kinds=("elf.note.text",),
        tokens=matches(late(r"\A(?P<v>[\w/+=.-]{6,200})\Z", re.ASCII), "build ID"),
        judge=_two_go_ids,
        where=late(r"\bGo build ID\Z"),
        why="The build ID hashes all that went into the program, such as paths and flags that left"
        " no other trace.",
        fixes=(Fix("go build -trimpath -ldflags=-buildid="),),
        references=("https://pkg.go.dev/cmd/internal/buildid",),
        example=NearMiss(
            "elf.note.text",
            "aB3dE5gH7jK9mN1pQ3sT/vX5zB7dF9hJ1lN3pR5tV",
            "Zy8wVu6tSr4qPo2nMl0k/vX5zB7dF9hJ1lN3pR5tV",
            where=("Go Go build ID",),
        ),
        near_miss=NearMiss(
            "elf.note.text",
            "aB3dE5gH7jK9mN1pQ3sT/vX5zB7dF9hJ1lN3pR5tV",
            "aB3dE5gH7jK9mN1pQ3sU/vX5zB7dF9hJ1lN3pR5tV",
            where=("Go Go build ID",),
        ),
        composes=False,
    ),
)

# --- order, versions, flags ----------------------------------------------------------------

_LTO = late(
    r"(?:\A\.gnu\.(?:lto|debuglto)_[^\n]*\.|\.(?:c|cc|cpp|cxx|C|f90|f|d|go|ads|adb)\.)"
    r"(?P<v>[0-9a-f]{6,16})\Z"
)
_SEED = late(r"-frandom-seed=(?P<v>[^\s'\"]+)")
_HASHED = late(
    r"(?<=17h)(?P<v>[0-9a-f]{16})(?=E(?:\Z|[.\n]))|(?<=\.llvm\.)(?P<l>\d{15,20})(?=\Z|\n)"
)
_COMPILER = late(
    r"^(?:GCC: \([^()\n]{1,80}\) \d[^\n]{1,60}|[A-Z]?[A-Za-z ]{0,20}clang version \d[^\n]{1,160}"
    r"|rustc version \d[^\n]{1,80}|Linker: [A-Za-z ]{0,20}LLD \d[^\n]{1,160})$",
    re.MULTILINE,
)
_VERSION = late(r"(?<![A-Za-z])(?:[0-9a-f]{9,40}|\d[\w.+~:-]*)(?![A-Za-z])")
_PRODUCER = late(
    r"\bGNU (?:C|C\+\+|Ada|Fortran|AS|D|Go|GIMPLE)[\w+]* (?P<v>\d+\.\d+\.\d+)(?= |\n|\Z)"
)
_TMP = late(r"(?:\A|/)(?P<v>cc[A-Za-z0-9]{6})(?=\.(?:o|s|c|i|ltrans\d*\.o|res)\Z)")


def _mangled(text: str) -> Iterator[Token]:
    """The hashes in the names of Rust's symbols, and those that LLVM adds to local ones."""
    for found in _HASHED.finditer(text):
        value = found["v"] or f"{int(found['l']):016x}"
        yield Token(*found.span(), value, found.lastgroup or "")


def _versions(text: str) -> Iterator[Token]:
    """What compilers say of themselves in .comment; the form is what is no version of it."""
    for found in _COMPILER.finditer(text):
        yield Token(*found.span(), found[0], _VERSION.sub("#", found[0]))


def _flag_paths(text: str) -> Iterator[Token]:
    """Paths in the options of a compiler: behind `=` or in a word that starts with `-`."""
    for found in _FLAG.finditer(text):
        yield Token(*found.span("v"), found["v"].rstrip("/"), "path")


_OPTION = late(r"-[A-Za-z][A-Za-z0-9_+=,./:-]*", re.ASCII)
_OPTIONS = late(r"\A(?P<c>GNU [A-Z][\w+]* \d+\.\d+\.\d+)(?P<v>(?: \S+)+)\n?\Z")


def _options(text: str) -> Iterator[Token]:
    """The options behind a compiler's name and version, which are the form."""
    if found := _OPTIONS.match(text):
        yield Token(*found.span("v"), found["v"], found["c"])


def _two_options(one: Token, two: Token) -> Evidence | None:
    """Two lists of options: the ones that differ are options, too, and none is a long one with
    a character changed."""
    ours, theirs = one.value.split(), two.value.split()
    gone = [word for word in ours if word not in theirs]
    come = [word for word in theirs if word not in ours]
    if not all(map(_OPTION.fullmatch, (*gone, *come))):
        return None
    for a in gone:
        for b in come:
            changed = sum(x != y for x, y in zip(a, b, strict=False))
            if len(a) == len(b) > 4 and changed == 1 and not a[-1].isdigit():
                return None
    return Evidence(" ".join(gone), " ".join(come))


_FLAG = late(
    r"(?<![^\s'\"])-[A-Za-z][\w-]*?(?:=|(?<=-[ILDB]))(?:[\w.]+=)?(?P<v>/[^\s\0=:,;'\"<>()]+)"
)

_REST: Final = (
    Cause(
        id="randomness-in-fat-lto-objects",
        title="Random names in objects with LTO",
        family="randomness",
        kinds=("elf.renamed", "elf.strings", "elf.symbol.renamed"),
        tokens=matches(_LTO, "lto"),
        judge=any_two,
        why="gcc ends the names of LTO's sections with a random number.",
        fixes=(
            Fix("-frandom-seed=$@ (one value for each source), or strip --strip-lto afterwards"),
        ),
        references=(_RANDOM, "https://gcc.gnu.org/onlinedocs/gcc/Developer-Options.html"),
        example=NearMiss(
            "elf.renamed", ".gnu.lto_.opts.b3fc9bb6d1e2f3a4", ".gnu.lto_.opts.c117c465a0b1c2d3"
        ),
        near_miss=NearMiss(
            "elf.renamed", ".gnu.lto_.opts.b3fc9bb6d1e2f3a4", ".gnu.lto_.refs.c117c465a0b1c2d3"
        ),
    ),
    Cause(
        id="link-order",
        title="Objects linked in another order",
        family="order",
        kinds=(
            "elf.code.order",
            "elf.symbol.order",
            "elf.strings.order",
            "elf.section.content.order",
            "elf.pointers.order",
        ),
        tokens=permutation(lambda text: text.rstrip("\n").split("\n")),
        judge=another_order,
        context=_PROGRAM,
        why="The linker got its objects in the order of a directory, a hash table or a thread: the"
        " same functions and data lie in another order.",
        fixes=(
            Fix("codegen-units = 1, and one linker", _RUST),
            Fix("$(sort $(wildcard *.c)) in make; sorted lists in meson and CMake, no file(GLOB)"),
        ),
        references=(_ORDER,),
        example=NearMiss("elf.code.order", "f1\nf2\nf3", "f3\nf2\nf1", head=_ELF_HEAD),
        near_miss=NearMiss("elf.code.order", "f1\nf2\nf3", "f3\nf2\nf4", head=_ELF_HEAD),
        entire=True,
        composes=False,
    ),
    Cause(
        id="cargo-metadata-hash",
        title="Hashes in the names of Rust's symbols",
        family="path",
        kinds=("elf.strings", "elf.symbol.renamed", "elf.code.renamed"),
        tokens=_mangled,
        judge=_two_hashes,
        where=late(r"\.(?:strtab|dynstr|debug_str)\Z|(?:\A|/)\.(?:symtab|dynsym|text[^/]*)/"),
        why="rustc hashes each crate's metadata, such as the path of a dependency by path, into the"
        " names of its symbols.",
        fixes=(
            Fix(
                "build in one directory with one CARGO_HOME; cargo vendor, or dependencies by"
                " version instead of by path"
            ),
        ),
        references=(_PATHS, "https://doc.rust-lang.org/rustc/symbol-mangling/index.html"),
        example=NearMiss(
            "elf.strings",
            "_ZN3dep1f17h0123456789abcdefE",
            "_ZN3dep1f17hfedcba9876543210E",
            where=(".strtab",),
        ),
        near_miss=NearMiss(
            "elf.strings",
            "_ZN3dep1f17h0123456789abcdefE",
            "_ZN3dep1g17hfedcba9876543210E",
            where=(".strtab",),
        ),
        composes=False,
    ),
    Cause(
        id="toolchain-version",
        title="Another version of the compiler",
        family="toolchain",
        kinds=("elf.producer", "elf.strings", "elf.dwarf.strings"),
        tokens=joined(_versions, matches(_PRODUCER, "producer")),
        judge=any_two,
        where=late(r"(?:\A|/)(?:\.comment|\.debug_str|\.debug_line_str)\Z"),
        why="Both sides were compiled by different versions of one compiler, which says so.",
        fixes=(
            Fix("pin the compiler: rust-toolchain.toml", _RUST),
            Fix("pin the compiler: build in one image by digest, from a snapshot of the archive"),
        ),
        references=("https://reproducible-builds.org/docs/definition-strategies/",),
        example=NearMiss(
            "elf.producer",
            "GCC: (Debian 12.2.0-14) 12.2.0",
            "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0",
            where=(".comment",),
        ),
        near_miss=NearMiss(
            "elf.producer",
            "GCC: (Debian 12.2.0-14) 12.2.0",
            "evil: (Debian 12.2.0-14+deb12u1) 12.2.0",
            where=(".comment",),
        ),
        composes=False,
    ),
    Cause(
        id="records-build-flags",
        title="The compiler's options, recorded",
        family="toolchain",
        kinds=("elf.command_line", "elf.strings", "elf.section.content", "elf.dwarf*"),
        tokens=_flag_paths,
        judge=two_build_paths,
        where=late(
            r"(?:\A|/)(?:\.GCC\.command\.line|\.debug_str|\.debug_line_str|\.debug_info"
            r"|\.gnu\.lto_\.opts|\.rodata|\.rodata\.\S*)(?:/|\Z)"
        ),
        bound=True,
        why="The compiler (-frecord-gcc-switches, DW_AT_producer, LTO) or the program itself (a"
        " configure script) records the options, and these hold the build path.",
        fixes=(
            Fix(
                "-gno-record-gcc-switches, without -frecord-gcc-switches; in configure.ac leave out"
                ' CFLAGS, or sed -e "s|$PWD|.|g"'
            ),
        ),
        references=(_PATHS,),
        example=NearMiss(
            "elf.command_line",
            "GNU C17 12.2.0 -O2 -ffile-prefix-map=/build/1st=.",
            "GNU C17 12.2.0 -O2 -ffile-prefix-map=/build/2nd=.",
            where=(".GCC.command.line",),
        ),
        near_miss=NearMiss(
            "elf.command_line",
            "GNU C17 12.2.0 -O2 -ffile-prefix-map=/build/1st=.",
            "GNU C17 12.2.1 -O2 -ffile-prefix-map=/build/2nd=.",
            where=(".GCC.command.line",),
        ),
    ),
    Cause(
        id="records-build-flags",
        title="The compiler's options, recorded",
        family="toolchain",
        kinds=("elf.command_line", "elf.strings"),
        tokens=_options,
        judge=_two_options,
        where=late(r"(?:\A|/)(?:\.GCC\.command\.line|\.debug_str|\.debug_line_str)\Z"),
        why="The compiler records its options (-frecord-gcc-switches, DW_AT_producer), and it got"
        " others.",
        fixes=(
            Fix(
                "build with one set of options (CFLAGS); -gno-record-gcc-switches, without"
                " -frecord-gcc-switches"
            ),
        ),
        references=("https://gcc.gnu.org/onlinedocs/gcc/Debugging-Options.html",),
        example=NearMiss(
            "elf.command_line",
            "GNU C17 12.2.0 -O2 -fno-lto",
            "GNU C17 12.2.0 -O2 -fno-dce",
            where=(".GCC.command.line",),
        ),
        near_miss=NearMiss(
            "elf.command_line",
            "GNU C17 12.2.0 -O2 -fno-lto",
            "GNU C17 12.3.0 -O2 -fno-dce",
            where=(".GCC.command.line",),
        ),
        composes=False,
    ),
    Cause(
        id="randomness-in-fat-lto-objects",
        title="Random names in objects with LTO",
        family="randomness",
        kinds=("elf.section.content", "elf.strings", "elf.command_line", "elf.dwarf*"),
        tokens=matches(_SEED, "seed"),
        judge=any_two,
        where=late(r"(?:\A|/)(?:\.gnu\.lto_\.opts|\.GCC\.command\.line|\.debug_str)(?:/|\Z)"),
        why="The seed of gcc's random names is recorded with the options.",
        fixes=(Fix("-frandom-seed=$@ (one value for each source, the same in both builds)"),),
        references=(_RANDOM,),
        example=NearMiss(
            "elf.section.content",
            "'-flto' '-frandom-seed=a' '-O2'",
            "'-flto' '-frandom-seed=b' '-O2'",
            where=(".gnu.lto_.opts",),
        ),
        near_miss=NearMiss(
            "elf.section.content",
            "'-flto' '-frandom-seed=a' '-O2'",
            "'-flto' '-frandom-seed=b' '-O3'",
            where=(".gnu.lto_.opts",),
        ),
    ),
    Cause(
        id="random-temporary-path",
        title="Names of temporary files and directories",
        family="randomness",
        kinds=("elf.strings",),
        tokens=matches(_TMP, "temporary"),
        judge=any_two,
        where=late(r"(?:\A|/)\.(?:strtab|debug_str|debug_line_str)\Z"),
        why="gcc compiles through files with random names (/tmp/ccXXXXXX.o), and the linker keeps"
        " the names of files as symbols.",
        fixes=(Fix("strip -s, or -save-temps=obj; gcc -c before linking instead of in one step"),),
        references=(_RANDOM,),
        example=NearMiss("elf.strings", "ccVwqXDJ.o", "ccbPY0do.o", where=(".strtab",)),
        near_miss=NearMiss("elf.strings", "ccVwqXDJ.o", "ccbPY0do.so", where=(".strtab",)),
        composes=False,
    ),
)


_BUILT: Final = (
    Cause(
        id="captures-build-path-via-file-macro",
        title="__FILE__ in a program",
        family="path",
        kinds=_DATA,
        tokens=_sources(
            r"\.(?:c|cc|cpp|cxx|c\+\+|C|h|hh|hpp|hxx|inl|inc|ipp|tcc|m|mm|cu|d|ll?|yy?|re|rl|vala|def)"
        ),
        judge=two_build_paths,
        context=_PROGRAM,
        where=_NO_DATA,
        bound=True,
        why="__FILE__ and assert() expand to the path that the compiler was given.",
        fixes=(
            Fix(
                "-fmacro-prefix-map=$PWD=. or -ffile-prefix-map=$PWD=. (gcc 8 and later, clang 10"
                " and later), or -DNDEBUG for assert (-fdebug-prefix-map does not map it)"
            ),
        ),
        references=(_PATHS,),
        example=NearMiss(
            "elf.section.content",
            "/build/1st/m.c",
            "/build/2nd/m.c",
            head=_ELF_HEAD,
            where=(".rodata",),
        ),
        near_miss=NearMiss(
            "elf.section.content",
            "/build/1st/m.c",
            "/build/2nd/n.c",
            head=_ELF_HEAD,
            where=(".rodata",),
        ),
    ),
    Cause(
        id="elf-rpath-build-path",
        title="The build path where libraries are looked for",
        family="path",
        kinds=("elf.strings", "elf.dynamic", "elf.dynamic.*"),
        tokens=paths,
        judge=two_build_paths,
        where=late(r"(?:\A|/)\.(?:dynstr|dynamic)(?:/|\Z)"),
        bound=True,
        why="The linker got an rpath inside the build directory (DT_RUNPATH, DT_RPATH). A program"
        " that keeps it also looks for libraries there when it runs.",
        fixes=(
            Fix(
                "CMake: CMAKE_BUILD_RPATH_USE_ORIGIN=ON (3.14 and later) or CMAKE_SKIP_RPATH=ON;"
                " otherwise chrpath -d or patchelf --remove-rpath after linking"
            ),
        ),
        references=(
            _PATHS,
            "https://cmake.org/cmake/help/latest/prop_tgt/BUILD_RPATH_USE_ORIGIN.html",
        ),
        example=NearMiss("elf.strings", "/build/1st/lib", "/build/2nd/lib", where=(".dynstr",)),
        near_miss=NearMiss(
            "elf.strings",
            "/build/1st/lib:/usr/lib",
            "/build/2nd/lib:/usr/local/lib",
            where=(".dynstr",),
        ),
    ),
    Cause(
        id="golang-captures-build-path",
        title="The build path in a Go program",
        family="path",
        kinds=("elf.*", "pe.*", "macho.*"),
        tokens=paths,
        judge=two_build_paths,
        context=late(r"\n(?:[^\0]*\n)?go1\.[^\0]*\Z"),
        bound=True,
        why="Go writes the paths of the sources into the table of functions (.gopclntab) and into"
        " the debug information.",
        fixes=(Fix("go build -trimpath (Go 1.13 and later), or GOFLAGS=-trimpath"),),
        references=(_PATHS, "https://pkg.go.dev/cmd/go"),
        example=NearMiss(
            "elf.section.content",
            "/build/1st/m.go",
            "/build/2nd/m.go",
            head=f"{_ELF_HEAD}\0\ngo1.22.1",
            where=(".gopclntab",),
        ),
        near_miss=NearMiss(
            "elf.section.content",
            "/build/1st/m.go",
            "/build/2nd/n.go",
            head=f"{_ELF_HEAD}\0\ngo1.22.1",
            where=(".gopclntab",),
        ),
    ),
    Cause(
        id="rust-captures-build-path",
        title="The build path in a Rust program",
        family="path",
        kinds=("elf.*", "pe.*", "macho.*", "rmeta.*"),
        tokens=paths,
        judge=two_build_paths,
        context=late(r"\A(?!rust\0).*\n(?:[^\0]*\n)?(?:DWARF )?[^\0\n]*rustc|\Arust\0", re.DOTALL),
        bound=True,
        why="rustc writes the paths of the sources into messages of panics and into the debug"
        " information; those of dependencies lie below CARGO_HOME.",
        fixes=(
            Fix('RUSTFLAGS="--remap-path-prefix=$PWD=/src --remap-path-prefix=$CARGO_HOME=/cargo"'),
        ),
        references=(_PATHS, "https://doc.rust-lang.org/rustc/remap-source-paths.html"),
        example=NearMiss(
            "elf.section.content",
            "/build/1st/m.rs",
            "/build/2nd/m.rs",
            head=f"{_ELF_HEAD}\0\nrustc version 1.95.0",
            where=(".rodata",),
        ),
        near_miss=NearMiss(
            "elf.section.content",
            "/build/1st/m.rs",
            "/build/2nd/n.rs",
            head=f"{_ELF_HEAD}\0\nrustc version 1.95.0",
            where=(".rodata",),
        ),
    ),
)

CAUSES: Final[tuple[Cause, ...]] = (
    *_BYTE_CODE,
    *_IDENTITIES,
    *_TIMES,
    *_BUILT,
    *_REST,
    Cause(
        id="strip-variation",
        title="Symbols or debug information on one side only",
        family="toolchain",
        # the comparison has found that one side lacks what strip takes out, and nothing else
        kinds=("elf.stripped",),
        tokens=whole("sections"),
        judge=any_two,
        why="One side was stripped, the other was not: sections that no segment holds are not"
        " loaded.",
        fixes=(Fix("strip both sides alike: install -s, dh_strip, -Wl,-s"),),
        references=("https://reproducible-builds.org/docs/stripping-unreproducible-information/",),
        example=NearMiss("elf.stripped", "stripped", ".strtab .symtab"),
        near_miss=NearMiss("elf.only_in_b", "", ".init_array"),
        composes=False,
    ),
)
