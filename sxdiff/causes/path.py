"""Where the build took place: paths that went into the result."""

import hashlib
from collections.abc import Iterator
from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss, Token
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    any_two,
    joined,
    matches,
    paths,
    seconds,
    two_build_paths,
    two_compilation_paths,
)

_TEMPORARY = late(
    r"(?<![\w.-])/(?:var/)?tmp/(?:"
    r"tmp\.(?P<v1>[A-Za-z0-9]{6,12})|tmp(?P<v2>[a-z0-9_]{8})"
    r"|pip-(?:[a-z]+-){1,4}(?P<v3>[A-Za-z0-9_]{8})|go-build(?P<v4>\d{6,12})"
    r"|(?:cc|rustc|cargo-install)(?P<v5>[A-Za-z0-9]{6})|ghc(?P<v6>\d{1,7}_\d{1,3})"
    r"|(?:npm|buildah|yarn|jest|dpkg-deb|apt-key-gpghome|apt-dpkg-install|ocamlpp|perl|R)[.-]?"
    r"(?P<v7>[A-Za-z0-9]{6,14}))(?![A-Za-z0-9_-])"
)
"""What mktemp(1), Python's tempfile and others make: only what is random of it."""


def _temporary(text: str) -> Iterator[Token]:
    if "tmp/" not in text:
        return
    for found in _TEMPORARY.finditer(text):
        group = found.lastgroup or "v1"
        yield Token(*found.span(group), found[group], group)


R_DATABASE: Final = late(r"(?:^|/)chunk \d+/object\Z")
R_FIXES: Final = (
    Fix(
        "R CMD INSTALL --no-keep.source (R_KEEP_PKG_SOURCE=no), or build in the same directory with"
        " the sources' times set"
    ),
)
"""Against what R keeps of its sources: paths, and the time of their directory."""
_R_TIME = late(r"POSIXct (?P<v>(?P<s>\d{9,10})\.\d+) \(0x3\)")


def _time_of_source(text: str) -> Iterator[Token]:
    """Seconds since 1970 as R keeps them, with what is below a second."""
    found = _R_TIME.fullmatch(text)
    if found and seconds(int(found["s"])):
        yield Token(*found.span("v"), found["v"], "POSIXct")


LOOKUP: Final = "path"
"""What a claim needs whose values follow from a path of the build: from the same one each."""
_PROMPT = late(
    r"(?m)^[ \t]*(?:PS1=|(?:export |set -gx |setenv )?VIRTUAL_ENV_PROMPT[= ]|(?:set )?prompt = )"
    r"[\"']?\(?(?P<v>[\w.+-]{1,64})(?=[)\"' \n]|\Z)"
)


def follows(path: str) -> tuple[str, ...]:
    """What is written instead of a directory's path: its name; how doxygen names its page (MD5 of
    the path without the slash in front, with one behind)."""
    page = hashlib.md5(
        f"{path.strip('/')}/".encode("utf-8", "surrogateescape"), usedforsecurity=False
    )
    return path.rpartition("/")[2], page.hexdigest()


_DIRECTORY = late(r"(?<![0-9a-zA-Z])a?dir_{1,2}(?P<v>[0-9a-f]{32})(?![0-9a-f])")
_TITLE = late(
    r"(?m)(?:(?<=  dir_[0-9a-f]{32} \[shape=box, label=\")|(?<=href=\"dir_[0-9a-f]{32}\.html\"\n)"
    r"|(?<=^Directory dependency graph for )|^)(?P<v>[\w.+-]{1,64})"
    r"(?=\Z|\n|:\Z|\", style=| Directory Reference$)"
)


def _directories(text: str) -> Iterator[Token]:
    """Pages that doxygen names by a directory's path, and where it writes the directory's name."""
    yield from joined(matches(_DIRECTORY, "page"), matches(_TITLE, "name"))(text)


CAUSES: Final = (
    Cause(
        id="gcc-captures-build-path",
        title="The build path in debug information",
        family="path",
        kinds=(
            "elf.dwarf*",
            "elf.debug*",
            "elf.strings",
            "elf.line*",
            "elf.section.content",
            "macho.*",
        ),
        tokens=paths,
        judge=two_compilation_paths,
        where=late(r"(?:^|/)(?:\.z?debug_|\.stabstr|__debug_)"),
        bound=True,
        why="The compiler writes the directory it runs in, and the paths of its sources, into the"
        " debug information (DW_AT_comp_dir, DW_AT_name, .debug_line).",
        fixes=(
            Fix("rustc --remap-path-prefix=$PWD=.", late("rustc")),
            Fix("go build -trimpath", late(r"\bGo\b|go1\.")),
            Fix("nasm: strip the objects, or assemble with relative paths", late("NASM")),
            Fix("as --debug-prefix-map=$PWD=. (gcc -Wa,…)", late(r"GNU AS")),
            Fix("-ffile-prefix-map=$PWD=. (clang 10 and later)", late("clang")),
            Fix("-ffile-prefix-map=$PWD=. (gcc 8 and later, clang 10 and later), or strip"),
        ),
        references=("https://reproducible-builds.org/docs/build-path/",),
        example=NearMiss(
            "elf.strings", "/build/1st/m.c", "/build/2nd/m.c", where=(".debug_line_str",)
        ),
        near_miss=NearMiss(
            "elf.strings", "/build/1st/m.c", "/build/2nd/n.c", where=(".debug_line_str",)
        ),
    ),
    Cause(
        id="random-temporary-path",
        title="Names of temporary files and directories",
        family="randomness",
        kinds=("*",),
        tokens=_temporary,
        judge=any_two,
        why="A tool made a directory with a random name (mktemp), and wrote its path into the"
        " result.",
        fixes=(
            Fix("go build -trimpath", late(r"\bgo1\.")),
            Fix(
                "work in a directory with a fixed name, or write paths relative to it; keep build"
                " logs out of the image"
            ),
        ),
        references=("https://reproducible-builds.org/docs/randomness/",),
        example=NearMiss("text", "in /tmp/tmp.xBLPwhfuM3/x\n", "in /tmp/tmp.FM9ENFdx1M/x\n"),
        near_miss=NearMiss("text", "in /tmp/tmp.xBLPwhfuM3/x.c\n", "in /tmp/tmp.FM9ENFdx1M/y.c\n"),
    ),
    Cause(
        id="interpreter-artifact-path",
        title="The source's path in byte code or a program",
        family="path",
        kinds=("text",),
        tokens=paths,
        judge=two_build_paths,
        paths=late(r"\.ll\Z"),
        context=late(r"\A; ModuleID = "),
        bound=True,
        why="clang -S -emit-llvm writes the source's path into ModuleID and source_filename.",
        fixes=(Fix("compile with a relative path; -ffile-prefix-map=$PWD=. maps only the rest"),),
        references=("https://reproducible-builds.org/docs/build-path/",),
        example=NearMiss(
            "text",
            'source_filename = "/build/1st/m.c"\n',
            'source_filename = "/build/2nd/m.c"\n',
            path="m.ll",
            head="; ModuleID = '/build/1st/m.c'\n",
        ),
        near_miss=NearMiss(
            "text",
            'source_filename = "/build/1st/m.c"\n',
            'source_filename = "/build/2nd/n.c"\n',
            path="m.ll",
            head="; ModuleID = '/build/1st/m.c'\n",
        ),
    ),
    Cause(
        id="randomness-in-r-rdb-rds-databases",
        title="Paths and times of sources in a database of R",
        family="path",
        kinds=("r_rds.object",),
        tokens=paths,
        judge=two_build_paths,
        where=R_DATABASE,
        bound=True,
        why="R CMD INSTALL --with-keep.source keeps the path of each source in the package's .rdb"
        " file.",
        fixes=R_FIXES,
        references=("https://cran.r-project.org/doc/manuals/R-ints.html",),
        example=NearMiss(
            "r_rds.object", "'/build/1st/f.R'", "'/build/2nd/f.R'", where=("chunk 3", "object")
        ),
        near_miss=NearMiss(
            "r_rds.object", "'/build/1st/f.R'", "'/build/2nd/g.R'", where=("chunk 3", "object")
        ),
    ),
    Cause(
        id="randomness-in-r-rdb-rds-databases",
        title="Paths and times of sources in a database of R",
        family="path",
        kinds=("r_rds.object",),
        tokens=_time_of_source,
        judge=any_two,
        where=R_DATABASE,
        symbol=late(r"\Atimestamp\Z"),
        why="R CMD INSTALL --with-keep.source keeps the time of each source in the package's .rdb"
        " file.",
        fixes=R_FIXES,
        references=("https://stat.ethz.ch/R-manual/R-devel/library/base/html/srcfile.html",),
        example=NearMiss(
            "r_rds.object",
            "POSIXct 1768039200.0 (0x3)",
            "POSIXct 1773578096.5 (0x3)",
            where=("chunk 3", "object"),
            symbol="timestamp",
        ),
        near_miss=NearMiss(
            "r_rds.object",
            "POSIXct 1768039200.0 (0x3)",
            "POSIXct 1773578096.5 (0x3)",
            where=("chunk 3", "object"),
            symbol="expires",
        ),
    ),
    Cause(
        id="captures-build-path",
        title="The build path",
        family="path",
        kinds=("*",),
        tokens=paths,
        judge=two_build_paths,
        bound=True,
        why="The build wrote the directory it ran in into its result.",
        fixes=(Fix("build in the same directory, or write paths relative to it"),),
        references=("https://reproducible-builds.org/docs/build-path/",),
        example=NearMiss("text", "from /build/1st/x\n", "from /tmp/b2/x\n"),
        near_miss=NearMiss("text", "PATH=/usr/lib/x\n", "PATH=/opt/lib/x\n"),
    ),
    Cause(
        id="doc-generator-path",
        title="Pages that doxygen names by a path",
        family="path",
        kinds=("file.renamed", "text", "xml"),
        tokens=_directories,
        judge=any_two,
        paths=late(r"\.(?:html|dot|map|md5|js|png|svg)\Z"),
        context=late(r"Doxygen|dir_[0-9a-f]{32}"),
        bound=True,
        lookup=LOOKUP,
        why="doxygen names the page of a directory by MD5 of its path, and writes the directory's"
        " name into it.",
        fixes=(Fix("set STRIP_FROM_PATH to the source's directory, or FULL_PATH_NAMES=NO"),),
        references=(
            "https://www.doxygen.nl/manual/config.html#cfg_strip_from_path",
            "https://reproducible-builds.org/docs/build-path/",
        ),
        example=NearMiss(
            "file.renamed",
            "html/dir_c489c29673283135a7336d6d62e1b72e.html",
            "html/dir_4c3415261a741cd1f00c15a28771cf6e.html",
            path="html/dir_c489c29673283135a7336d6d62e1b72e.html",
        ),
        near_miss=NearMiss(
            "file.renamed",
            "html/dir_c489c29673283135a7336d6d62e1b72e.html",
            "html/dir_4c3415261a741cd1f00c15a28771cf6e.png",
            path="html/dir_c489c29673283135a7336d6d62e1b72e.html",
        ),
    ),
    Cause(
        id="captures-build-path",
        title="The build path",
        family="path",
        kinds=("text",),
        tokens=matches(_PROMPT, "prompt"),
        judge=any_two,
        paths=late(r"(?:^|[/.])(?:activate(?:\.(?:csh|fish))?|pyvenv\.cfg)\Z"),
        bound=True,
        lookup=LOOKUP,
        why="venv writes its directory into its scripts, and its directory's name into the prompt.",
        fixes=(
            Fix("make the environment in the same directory, or python3 -m venv --prompt NAME"),
        ),
        references=(
            "https://docs.python.org/3/library/venv.html",
            "https://reproducible-builds.org/docs/build-path/",
        ),
        example=NearMiss("text", "    PS1='(v1) '\n", "    PS1='(v2) '\n", path="bin/activate"),
        near_miss=NearMiss("text", "    PS1='(v1) '\n", "    PS2='(v2) '\n", path="bin/activate"),
    ),
)
