"""Recipes' pairs with one real change put into side b, and pairs that only look like a known cause.

A report that explains all of such a pair has explained too much. The changes leave files well
formed: checksums and digests are made anew where a format has them.
"""

import gzip
import hashlib
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from elftools.elf.elffile import ELFFile

from bench.causes import images
from bench.causes.cases import Case, Expected, Sides, archives
from bench.causes.pairs import by_id, expected, made, sides
from bench.causes.wrap import Files, Held, base, packed, wrap
from fixtures.images import Item, image
from fixtures.tar import BLOCK, Member, tar, xattr

Edit = Callable[[bytes], bytes]
Change = Callable[[Files, Files], tuple[Files, Files]]


# changes of bytes


def sub(old: bytes | str, new: bytes | str) -> Edit:
    """The first place where `old` stands; it must stand somewhere."""
    was = old.encode() if isinstance(old, str) else old
    now = new.encode() if isinstance(new, str) else new

    def edit(data: bytes) -> bytes:
        if was not in data:
            raise ValueError(f"{was!r} is not there")
        return data.replace(was, now, 1)

    return edit


def pattern(old: bytes, new: bytes) -> Edit:
    """The first place that matches."""

    def edit(data: bytes) -> bytes:
        changed = re.sub(old, new, data, count=1)
        if changed == data:
            raise ValueError(f"{old!r} is not there")
        return changed

    return edit


def append(more: str) -> Edit:
    return lambda data: data + more.encode()


def flip(at: int) -> Edit:
    """The lowest bit of one byte."""

    def edit(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[at] ^= 1
        return bytes(changed)

    return edit


def in_section(name: str) -> Edit:
    """One bit in the middle of a section of an ELF file, also of one in an ar archive.

    Of code that compilers spread over sections (`.text.startup`), the first that holds any.
    """

    def edit(data: bytes) -> bytes:
        start = data.find(b"\x7fELF")
        for section in ELFFile(io.BytesIO(data[start:])).iter_sections():
            if section.name.startswith(name) and section["sh_size"]:
                return flip(start + section["sh_offset"] + section["sh_size"] // 2)(data)
        raise ValueError(f"no {name}")

    return edit


def in_gzip(edit: Edit) -> Edit:
    """What is inside, under the header that it had."""

    def outer(data: bytes) -> bytes:
        head = 10
        if data[3] & 8:
            head = data.index(b"\0", 10) + 1
        content = edit(gzip.decompress(data))
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        tail = struct.pack("<LL", zlib.crc32(content), len(content) & 0xFFFFFFFF)
        return data[:head] + packer.compress(content) + packer.flush() + tail

    return outer


def in_xz(edit: Edit) -> Edit:
    return lambda data: lzma.compress(edit(lzma.decompress(data)), preset=6)


def tar_members(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers with their contents, and what follows the last one."""
    found, at = [], 0
    while data[at : at + 1] not in (b"", b"\0"):
        head = data[at : at + BLOCK]
        size = int(head[124:136].strip(b"\0 ") or b"0", 8)
        found.append((head, data[at + BLOCK : at + BLOCK + size]))
        at += BLOCK + -(-size // BLOCK) * BLOCK
    return found, data[at:]


def tar_stream(these: list[tuple[bytes, bytes]], end: bytes) -> bytes:
    """The stream of these, sizes and checksums made anew."""
    out = b""
    for head, content in these:
        filled = head[:124] + b"%011o\0" % len(content) + head[136:148] + b" " * 8 + head[156:]
        filled = filled[:148] + b"%06o\0 " % sum(filled) + filled[156:]
        out += filled + content + bytes(-len(content) % BLOCK)
    return out + end


def in_chunks(change: Edit) -> Edit:
    """An edit of what the chunks of a database of R hold."""

    def edit(data: bytes) -> bytes:
        held: list[bytes] = []
        while data:
            inflater = zlib.decompressobj()
            held.append(inflater.decompress(data[4:]))
            data = inflater.unused_data
        ends = [len(b"".join(held[:number])) for number in range(len(held) + 1)]
        whole = change(b"".join(held))
        if len(whole) != ends[-1]:
            raise ValueError("another size")
        parts = (whole[start:end] for start, end in pairwise(ends))
        return b"".join(struct.pack(">I", len(part)) + zlib.compress(part) for part in parts)

    return edit


def in_tar(name: str, edit: Edit) -> Edit:
    """The content of one member."""

    def outer(data: bytes) -> bytes:
        these, end = tar_members(data)
        wanted = name.encode()
        hits = [at for at, (head, _) in enumerate(these) if _tar_name(head).endswith(wanted)]
        at = hits[0]
        these[at] = (these[at][0], edit(these[at][1]))
        return tar_stream(these, end)

    return outer


def _tar_name(head: bytes) -> bytes:
    return head[:100].rstrip(b"\0")


def tar_header(name: str, at: int, value: bytes) -> Edit:
    """A field of the header of one member."""

    def outer(data: bytes) -> bytes:
        these, end = tar_members(data)
        for number, (head, content) in enumerate(these):
            if _tar_name(head).endswith(name.encode()):
                these[number] = (head[:at] + value + head[at + len(value) :], content)
                return tar_stream(these, end)
        raise ValueError(f"no {name}")

    return outer


def tar_exchange(one: str, other: str) -> Edit:
    """Two members have each other's content."""

    def outer(data: bytes) -> bytes:
        these, end = tar_members(data)
        places = {_tar_name(head): at for at, (head, _) in enumerate(these)}
        x, y = places[one.encode()], places[other.encode()]
        if these[x][1] == these[y][1]:
            raise ValueError("they have the same content")
        these[x], these[y] = (these[x][0], these[y][1]), (these[y][0], these[x][1])
        return tar_stream(these, end)

    return outer


def in_zip(edits: Mapping[str, Edit], mode: int | None = None) -> Edit:
    """The content of members; `mode` is put on all of those."""

    def outer(data: bytes) -> bytes:
        out = io.BytesIO()
        seen = set()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
            for member in source.infolist():
                content = source.read(member)
                for name, edit in edits.items():
                    if member.filename.endswith(name):
                        seen.add(name)
                        content = edit(content)
                        if mode is not None:
                            member.external_attr = mode << 16
                target.writestr(member, content, member.compress_type)
        if seen != set(edits):
            raise ValueError(f"not there: {set(edits) - seen}")
        return out.getvalue()

    return outer


def zip_exchange(one: str, other: str) -> Edit:
    def outer(data: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            x, y = source.read(one), source.read(other)
        if x == y:
            raise ValueError("they have the same content")
        return in_zip({one: lambda _: y, other: lambda _: x})(data)

    return outer


def in_ar(name: str, edit: Edit) -> Edit:
    """The content of one member of an ar archive, such as a .deb."""

    def outer(data: bytes) -> bytes:
        out, at, hit = data[:8], 8, False
        while at + 60 <= len(data):
            head = data[at : at + 60]
            size = int(head[48:58])
            content = data[at + 60 : at + 60 + size]
            if head[:16].decode().startswith(name):
                content, hit = edit(content), True
                head = head[:48] + b"%-10d" % len(content) + head[58:]
            out += head + content + b"\n" * (len(content) % 2)
            at += 60 + size + size % 2
        if not hit:
            raise ValueError(f"no {name}")
        return out

    return outer


def in_jks(edit: Edit) -> Edit:
    """A keystore's entries, under a digest made anew with the usual password."""

    def outer(data: bytes) -> bytes:
        body = edit(data[:-20])
        secret = "changeit".encode("utf-16-be") + b"Mighty Aphrodite"
        return body + hashlib.sha1(secret + body).digest()  # noqa: S324  # as the format has it

    return outer


def in_png(edit: Edit) -> Edit:
    """The pixels, filtered as they are stored."""

    def outer(data: bytes) -> bytes:
        out, at = data[:8], 8
        while at < len(data):
            size = int.from_bytes(data[at : at + 4])
            kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
            if kind == b"IDAT":
                content = zlib.compress(edit(zlib.decompress(content)), 9)
            crc = struct.pack(">L", zlib.crc32(kind + content))
            out += struct.pack(">L", len(content)) + kind + content + crc
            at += 12 + size
        return out

    return outer


def in_git_index(edit: Edit) -> Edit:
    """The entries, under a trailer made anew."""

    def outer(data: bytes) -> bytes:
        body = edit(data[:-20])
        return body + hashlib.sha1(body).digest()  # noqa: S324  # as the format has it

    return outer


def in_pdf(edit: Edit) -> Edit:
    """The first stream: the content of the page."""

    def outer(data: bytes) -> bytes:
        start = data.index(b"stream\n") + 7
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(data[start:])
        size = len(data) - start - len(unpacker.unused_data)
        packed_anew = zlib.compress(edit(content), 9)
        return data[:start] + packed_anew.ljust(size, b"\0") + data[start + size :]

    return outer


# changes of files


def edited(edit: Edit, name: str = "") -> Change:
    """Side b's file (the first that ends so) is edited; where it is packed, side a is repacked."""

    def change(a: Files, b: Files) -> tuple[Files, Files]:
        path = next(path for path in sorted(b) if path.endswith(name))
        return a, b | {path: b[path].but(content=edit(b[path].content))}

    return change


def repacked(way: Callable[[Edit], Edit], edit: Edit, name: str = "") -> Change:
    """As `edited`, inside of what `way` unpacks; side a is packed by the same hand."""

    def change(a: Files, b: Files) -> tuple[Files, Files]:
        path = next(path for path in sorted(b) if path.endswith(name))
        return (
            a | {path: a[path].but(content=way(lambda data: data)(a[path].content))},
            b | {path: b[path].but(content=way(edit)(b[path].content))},
        )

    return change


def more(path: str, held: Held) -> Change:
    """A file that side a has not."""
    return lambda a, b: (a, b | {path: held})


def both(path: str, one: str, other: str) -> Change:
    """One more file that differs."""
    return lambda a, b: (
        a | {path: Held(one.encode())},
        b | {path: Held(other.encode())},
    )


def moded(mode: int, name: str = "") -> Change:
    def change(a: Files, b: Files) -> tuple[Files, Files]:
        path = next(path for path in sorted(b) if path.endswith(name))
        return a, b | {path: b[path].but(mode=mode)}

    return change


def retargeted(target: str) -> Change:
    def change(a: Files, b: Files) -> tuple[Files, Files]:
        path = next(path for path in sorted(b) if b[path].target is not None)
        return a, b | {path: b[path].but(target=target)}

    return change


KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g ops@a\n",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9A ops@a\n",
)
SCRIPT = Held(b"#!/bin/sh\nexec nc -l -p 4444 -e /bin/sh\n", 0o755)
TEXT = edited(in_section(".text"))

CODE = (
    "so-date-macro-string", "elf-debug-path",
    "elf-debug-path-difflen", "elf-file-macro", "elf-rpath", "elf-build-id-only",
    "elf-build-id-uuid", "elf-stripped-buildid-debuglink", "elf-debug-path-arm64",
    "elf-debug-path-riscv64", "elf-debug-path-s390x", "elf-debug-path-clang", "elf-debug-path-cxx",
    "gas-debug-path", "nasm-debug-path", "gcc-lto-fat-random", "rust-path",
    "rust-debug-path", "cargo-home-path", "go-trimpath", "go-vcs-stamp", "go-ldflags-date",
    "go-buildid", "fortran-path", "elf-debug-compressed", "elf-split-debug-dwz", "elf-strip",
    "static-library-debug-path", "elf-link-order", "ar-mtime",
)  # fmt: skip
"""Recipes whose file has code: one bit of `.text` flips."""


def class_name(data: bytes) -> bytes:
    return sub(b"A.java", b"B.java")(data)


CHANGES: tuple[tuple[str, str, Change], ...] = (
    # a constant in .rodata beside a path or a date
    ("elf-file-macro", "another condition of the assertion", edited(sub("c<9", "c<8"))),
    ("so-date-macro-string", "another version beside the date", edited(sub("lib 1.2", "lib 1.3"))),
    ("elf-debug-path", "another text", edited(sub(b"hi\0", b"ho\0"))),
    ("elf-rpath", "another text", edited(sub(b"hi\0", b"ho\0"))),
    ("elf-build-id-uuid", "another text", edited(sub(b"hi\0", b"ho\0"))),
    ("go-trimpath", "another message", edited(sub("divide by zero", "divide by sero"))),
    ("go-ldflags-date", "another message", edited(sub("divide by zero", "divide by sero"))),
    ("rust-path", "another message", edited(sub("index out of", "index but of"))),
    ("fortran-path", "another message", edited(sub("At line", "At lime"))),
    ("elf-hostname-define", "another user", edited(sub("root@", "boot@"))),
    # a value beside a time, an identity or a path
    ("iso8601-text", "another word beside the date", edited(sub("Built", "Build"))),
    ("rfc2822-text", "one more line", edited(append("unsigned\n"))),
    ("compact-date-text", "another version before the date", edited(sub("1.2.3", "1.2.4"))),
    ("http-date-text", "another header", edited(append("Cache-Control: no-store\n"))),
    ("asctime-text", "another word", edited(sub("Generated", "Modified!"))),
    ("date-in-json", "another boolean", edited(sub("false", "true"))),
    ("date-in-json", "another name", edited(sub('"p"', '"q"'))),
    ("date-in-xml", "another element", edited(sub("<ok/>", "<no/>"))),
    ("epoch-ms-json", "another key", edited(sub("}", ',"debug":1}'))),
    ("config-version-epoch", "another boolean", edited(sub("false", "true "))),
    ("epoch-text", "one more line", edited(append("debug=1\n"))),
    ("etc-auto-generated", "another port", edited(sub("port=80", "port=81"))),
    ("java-properties-store", "another value", edited(sub("k=v", "k=w"))),
    ("maven-pom-properties", "another version", edited(sub("version=1.0", "version=1.1"))),
    ("copyright-year", "another holder", edited(sub("ACME", "ACNE"))),
    ("help2man-date", "another version", edited(sub("tool 1.0", "tool 1.1"))),
    ("pod2man-mtime", "another word", edited(sub(r"x \- y", r"x \- z"))),
    ("asciidoctor-last-updated", "another word", edited(sub("hello", "jello"))),
    ("rst2html-date", "another paragraph", edited(sub("<p>x</p>", "<p>y</p>"))),
    ("gettext-pot-creation-date", "another message", edited(sub("hello", "hallo"), "m.pot")),
    ("groff-ps-creationdate", "another word", edited(sub("hello", "jello"))),
    ("docbook-man-date", "another name", edited(sub(r"x \- y", r"x \- z"))),
    ("pnpm-modules", "another version", edited(sub("layoutVersion: 5", "layoutVersion: 6"))),
    ("kernel-banner", "another version", edited(sub("6.1.0-1", "6.1.0-2"))),
    ("uuid-in-xml", "another element", edited(sub("<a/>", "<b/>"))),
    ("hex-token-json", "another port", edited(sub('"port":80', '"port":81'))),
    ("base64-token-ini", "another port", edited(sub("80", "81"))),
    ("uuid-in-elf", "a symbol of another name", edited(sub(b"id\0", b"ie\0"))),
    ("hostname-capture", "another macro", edited(sub("BUILD_HOST", "BUILD_USER"))),
    ("username-capture", "another word", edited(sub("Built", "Owned"))),
    ("env-dump", "a line that is no variable", edited(append("Result: failed\n"))),
    ("tmpdir-capture", "another word", edited(sub("generated", "discarded"))),
    ("duration-capture", "another result", edited(sub("completed", "failed"))),
    ("tar-hardlink-vs-file", "another content of the copy", edited(in_tar("t/b", sub("7", "8")))),
    ("tar-sparse", "another content", edited(in_tar("f", sub("end\n", "and\n")))),
    ("tar-sparse", "its data elsewhere", edited(tar_header("f", 386, b"00000617777\0"))),
    ("tar-sparse", "another size", edited(tar_header("f", 483, b"00000620005\0"))),
    ("tar-sparse", "another mode", edited(tar_header("f", 100, b"0000600\0"))),
    ("elf-strip", "one bit of data", edited(in_section(".rodata"))),
    ("duration-capture", "another unit", edited(sub("us\n", "\n"))),
    ("float-rounding", "another digit", edited(sub("0.321", "0.331"))),
    ("banner-version", "another name", edited(sub("int x", "int y"))),
    ("swig-version", "another module", edited(sub("import _m", "import _n"))),
    ("latin1", "another letter", edited(sub(b"\xe9", b"\xe8"))),
    ("locale-encoding", "another letter", edited(sub("&eacute;", "&egrave;"))),
    ("trailing-newline-bom", "another word", edited(sub("hello", "hallo"))),
    ("ci-metadata", "another host in the URL", edited(sub("ci.example.org", "ci.example.net"))),
    ("build-info-json-multi", "another key", edited(sub('"host"', '"hose"'))),
    ("git-describe", "another version", edited(sub("1.2-3", "1.2-4"))),
    ("npm-install-local", "another version", edited(sub('"1.0.0"', '"1.0.1"'), "o.json")),
    ("node-sourcemap-path", "another mapping", edited(sub("AAAA", "AACA"))),
    (
        "pip-record-path",
        "another URL beside the path",
        edited(sub("file://", "http://"), "url.json"),
    ),
    (
        "pip-record-path",
        "another file's digest",
        edited(pattern(rb"(mm.py,sha256=)....", rb"\1AAAA"), "RECORD"),
    ),
    ("libtool-la-path", "another tail of the path", edited(sub("/lib\n", "/lob\n"), "m.la")),
    ("pkgconfig-meson-path", "another library", edited(sub("-ldemo", "-lmemo"))),
    (
        "cmake-build-dir",
        "another option",
        edited(sub("CMAKE_BUILD_TYPE:STRING=", "CMAKE_BUILD_TYPE:STRING=Debug")),
    ),
    ("pip-script-shebang", "another statement", edited(sub("print(1)", "print(2)"), "s.py")),
    (
        "pip-console-script-shebang",
        "another import",
        edited(sub("from mm import", "from nn import")),
    ),
    ("flex-path", "another line of code", edited(sub("return 1;", "return 2;"))),
    (
        "cython-path",
        "another line of code",
        edited(sub("#define CYTHON_ABI", "#define CYTHON_ABJ")),
    ),
    ("cpp-output-path", "another value", edited(sub("return 3", "return 4"))),
    ("symlink-target-path", "another tail of the target", retargeted("/build/2nd/lib64")),
    (
        "doxygen-path",
        "another word in one page",
        edited(append("<p>more</p>\n"), "m_8c.html"),
    ),
    # a permutation with a change in it
    ("line-order-text", "another word in the list", edited(sub("beta", "zeta"))),
    ("md5sums-order", "another digest in the list", edited(pattern(rb"^(.)", rb"f"))),
    (
        "find-sha256sum",
        "another digest in the list",
        edited(pattern(rb"[0-9a-f]{4}  ", rb"0000  ")),
    ),
    ("csv-words-order", "another version in the list", edited(sub("libm2", "libm3"))),
    ("json-key-order", "another value", edited(sub('"c": 1', '"c": 2'))),
    ("json-nested-order", "another value", edited(sub('"n": 3', '"n": 4'))),
    ("perl-dumper-hash", "another value", edited(sub("'fifteen' => 7", "'fifteen' => 8"))),
    ("dpkg-status-permuted", "another version in a stanza", edited(sub("1.0-4", "1.0-9"))),
    ("group-members-order", "another member", edited(sub("bob", "eve"))),
    ("wheel-record-permuted", "another digest", edited(pattern(rb"sha256=....", rb"sha256=AAAA"))),
    (
        "ca-bundle-order",
        "a certificate with another byte",
        edited(pattern(rb"\nMII(.)", rb"\nMIJ\1")),
    ),
    ("python-set-in-header", "another type", edited(sub("int do_open", "int_do_open"))),
    ("sqlite-insert-order", "another value", edited(sub(b"bb", b"bd"))),
    # members of archives
    ("tar-mtime", "two members exchanged", edited(tar_exchange("t/a", "t/s/b"))),
    ("tar-mtime", "another content", edited(in_tar("t/a", sub("3\n", "8\n")))),
    ("tar-mtime", "setuid", edited(tar_header("t/a", 100, b"0004755\0"))),
    ("tar-uid-gid", "one owner is another", edited(tar_header("t/s/b", 108, b"0000000\0"))),
    ("tar-uid-gid", "another content", edited(in_tar("t/s/b", sub("20\n", "21\n")))),
    ("tar-umask", "setuid under the noise", edited(tar_header("t/a", 100, b"0004664\0"))),
    ("tar-umask", "writable by all", edited(tar_header("t/a", 100, b"0000666\0"))),
    ("tar-uname", "another member's name", edited(tar_header("t/a", 0, b"t/c"))),
    ("tar-order", "another content", edited(in_tar("t/w", sub("1\n", "7\n")))),
    ("tar-readdir", "another content", edited(in_tar("t/cc", sub("1\n", "7\n")))),
    ("tar-format", "another content", edited(in_tar("t/a", sub("3\n", "8\n")))),
    ("tar-blocking-factor", "bytes in the padding", edited(lambda data: data[:-9] + b"payload!\n")),
    (
        "tar-in-tar-apk-scripts",
        "another script",
        edited(in_tar("post-install", sub("#!/bin/sh", "#!/bin/su"))),
    ),
    ("targz-mtime", "another content", repacked(in_gzip, in_tar("t/a", sub("3\n", "8\n")))),
    ("tarxz-mtime", "another content", repacked(in_xz, in_tar("t/a", sub("3\n", "8\n")))),
    ("gzip-mtime", "another content", repacked(in_gzip, sub("1999\n", "1998\n"))),
    ("gzip-name", "another content", repacked(in_gzip, sub("1999\n", "1998\n"))),
    ("gzip-level", "another content", edited(in_gzip(sub("1999\n", "1998\n")))),
    (
        "zip-dostime",
        "another content",
        repacked(lambda edit: in_zip({"a": edit}), sub("98\n", "89\n")),
    ),
    ("zip-dostime", "setuid", edited(in_zip({"a": lambda data: data}, 0o104755))),
    ("zip-order", "another content", repacked(lambda edit: in_zip({"b": edit}), sub("8\n", "7\n"))),
    ("zip-tz", "another content", repacked(lambda edit: in_zip({"a": edit}), sub("98\n", "89\n"))),
    ("zip-level", "another content", edited(in_zip({"a": sub("998\n", "989\n")}))),
    (
        "jar-mtime",
        "another constant of a class",
        repacked(lambda edit: in_zip({"A.class": edit}), class_name),
    ),
    (
        "jar-extra-date-option",
        "another main class",
        repacked(lambda edit: in_zip({"MANIFEST.MF": edit}), append("Main-Class: B\r\n\r\n")),
    ),
    (
        "ant-manifest-built-by",
        "another constant of a class",
        repacked(lambda edit: in_zip({"A.class": edit}), class_name),
    ),
    (
        "wheel-built-twice",
        "two modules exchanged",
        edited(zip_exchange("pk/__init__.py", "pk/y.py")),
    ),
    (
        "wheel-built-twice",
        "another version",
        repacked(lambda edit: in_zip({"METADATA": edit}), sub("Version: 2.0", "Version: 2.9")),
    ),
    (
        "python-zipapp",
        "another statement",
        repacked(lambda edit: in_zip({"__main__.py": edit}), sub("print(1)", "print(2)")),
    ),
    ("epub-pandoc", "another word", edited(in_zip({"ch001.xhtml": sub("hello", "jello")}))),
    (
        "dpkg-deb-mtime",
        "another content",
        repacked(lambda edit: in_ar("data.tar", in_xz(edit)), in_tar("usr/f", sub("8\n", "7\n"))),
    ),
    (
        "dpkg-deb-mtime",
        "another dependency",
        repacked(
            lambda edit: in_ar("control.tar", in_xz(edit)),
            in_tar("control", append("Depends: evil\n")),
        ),
    ),
    (
        "deb-umask",
        "setuid under the noise",
        repacked(lambda edit: in_ar("data.tar", in_xz(edit)), tar_header("/f", 100, b"0004664\0")),
    ),
    ("ar-order", "another byte of a member", edited(sub(b"a.c\0", b"z.c\0"))),
    ("ar-uid", "another byte of a member", edited(sub(b"hi\0", b"ho\0"))),
    ("cpio-mtime", "another content", edited(sub("8\n", "7\n"))),
    ("cpio-umask", "setuid under the noise", edited(pattern(rb"000081B4", rb"000089B4"))),
    ("initramfs-gzip", "another content", repacked(in_gzip, sub("8\n", "7\n"))),
    (
        "deb-nested-gz-mtime",
        "another content",
        repacked(
            lambda edit: in_ar("data.tar", in_xz(edit)),
            in_tar("changelog.gz", in_gzip(sub("98\n", "89\n"))),
        ),
    ),
    # formats
    ("java-keystore", "another byte of a certificate, digest made anew", edited(in_jks(flip(200)))),
    (
        "jks-trust-many",
        "another byte of a certificate, digest made anew",
        edited(in_jks(flip(900))),
    ),
    (
        "jks-trust-many",
        "another alias, digest made anew",
        edited(in_jks(pattern(rb"\.crt", rb".crx"))),
    ),
    ("pyc-mtime", "another constant", edited(sub(b"\xe9\x01\0\0\0", b"\xe9\x02\0\0\0"))),
    ("pyc-path", "another name", edited(sub(b"\x01f", b"\x01g"))),
    (
        "pyc-mtime-package",
        "another string",
        edited(sub(b"\x01c", b"\x01d"), "c.cpython-311.pyc"),
    ),
    ("sqlite-timestamp-column", "another value", edited(sub(b"built", b"buily"))),
    ("dnf-history", "another command", edited(sub(b"install -y x", b"install -y y"))),
    ("rpmdb-installtime", "another summary", edited(sub(b"noarch", b"noarcj"))),
    ("png-imagemagick", "another pixel", repacked(in_png, flip(3))),
    ("pdflatex-date-id", "another byte of a stream", edited(in_pdf(sub("hi", "ho")))),
    (
        "rsvg-pdf-cairo",
        "another size of the page",
        edited(pattern(rb"/MediaBox \[ 0 0 \d", rb"/MediaBox [ 0 0 9")),
    ),
    ("fontforge-modified", "another byte of a glyph", edited(flip(-40))),
    ("squashfs-time", "a byte of the data", edited(flip(100))),
    ("ext4-uuid", "a label", edited(lambda data: data[:1144] + b"label" + data[1149:])),
    ("vfat-volid", "another label", edited(sub(b"NO NAME", b"EVILFAT"))),
    ("iso-dates", "another content", edited(sub("8\n9\n", "8\n7\n"))),
    ("machine-id", "one more line", edited(append("x\n"))),
    ("fontconfig-cache", "another family name", edited(sub(b"DejaVu Sans", b"DejaVu Sanz"))),
    ("lua-luac-path", "another constant", edited(sub(b"print", b"prinz"))),
    ("erlang-beam-path", "another byte of code", edited(flip(60))),
    ("luac51-path", "another constant", edited(sub(b"print", b"prinz"))),
    (
        "uboot-mkimage",
        "another load address",
        edited(lambda data: data[:16] + b"\0\0\x80\0" + data[20:]),
    ),
    ("mingw-pe-timestamp", "another byte of code", edited(flip(0x401))),
    ("git-index-stat", "another name", edited(in_git_index(sub(b"\x01f\0", b"\x01g\0")))),
    ("python-pickle-set", "another element", edited(sub(b"\x01a", b"\x01e"))),
    ("python-pickle-set", "a list in place of the set", edited(sub(b"\x8f\x94(", b"]\x94("))),
    ("pickle-float-time", "another number", edited(sub(b"K\x01u", b"K\x02u"))),
    ("pickle-float-time", "the time of something else", edited(sub(b"built", b"limit"))),
    ("sphinx-doctree-pickle", "another text", edited(sub(b"epub_version", b"epub_Version"))),
    ("gxx-coverage-stamp", "another checksum", edited(sub(b"\xeb\x72\x70\x06", bytes(4)), "gcno")),
    (
        "gxx-coverage-stamp",
        "another version of GCC",
        edited(sub(b"*22B" + bytes(12), b"*32B" + bytes(12)), "m.o"),
    ),
    ("elf-epoch-define", "the time of something else", edited(sub(b"built\0", b"limit\0"))),
    ("elf-epoch-define", "no time any more", edited(pattern(rb"(?<=[\x69\x6a]\0{3})\0", b"\1"))),
    ("fpc-ppu-time", "another source file", edited(sub(b"\x05u.pas", b"\x05v.pas"))),
    ("fpc-ppu-time", "another checksum of the interface", edited(flip(24))),
    ("fpc-ppu-time", "another entry", edited(sub(b"SYSTEM", b"SYSTEN"))),
    ("java-serialized-date", "another class", edited(sub(b"java.util.Date", b"java.util.Dath"))),
    ("java-serialized-date", "another version of the class", edited(sub(b"hj\x81", b"hj\x82"))),
    ("java-serialized-date", "one more object", edited(lambda data: data + b"p")),
    (
        "R-rdb-path",
        "another value",
        edited(in_chunks(sub("f <- function() 1", "f <- function() 2"))),
    ),
    ("R-rdb-path", "another source", edited(in_chunks(sub("pk/R/f.R", "pk/R/g.R")))),
    ("R-rdb-path", "a time that is none", edited(in_chunks(sub(b"A\xdaX", b"\xc1\xdaX")))),
    ("R-rdb-path", "the time of something else", edited(in_chunks(sub("timestamp", "timelimit")))),
    ("compiled-locale-archive", "another name", edited(sub(b"POSIX.ascii", b"POSIY.ascii"))),
    ("compiled-locale-archive", "another day", edited(sub(b"Monday", b"Munday"))),
    ("compiled-locale-archive", "one name less", edited(pattern(rb"(?s)\A(.{2824}).", rb"\1\0"))),
    # accounts and logs
    ("shadow-lastchg", "an account without a password", edited(sub("app:!:", "app::"), "shadow")),
    ("shadow-lastchg", "an account of root", edited(pattern(rb"app:x:\d+", rb"app:x:0"), "passwd")),
    (
        "useradd-order",
        "an account of root",
        edited(pattern(rb"svcb:x:\d+", rb"svcb:x:0"), "passwd"),
    ),
    ("dpkg-log", "another version", edited(sub("<none> 1", "<none> 2"), "dpkg.log")),
    ("dpkg-log", "one more package", edited(sub("install -y x", "install -y x y"), "history.log")),
    ("dpkg-real-log", "another package in a log", edited(sub("xx:all", "zz:all"), "dpkg.log")),
    ("hostname-resolv", "another name server", edited(sub("10.0.0.2", "10.6.6.6"), "resolv.conf")),
    ("hostname-resolv", "one more host", edited(append("10.6.6.6 mirror.example.org\n"), "hosts")),
    ("ssh-hostkey", "an authorised key", both("root/.ssh/authorized_keys", *KEYS)),
    # the file system around it
    ("iso8601-text", "a file more", more("usr/bin/listen", SCRIPT)),
    (
        "pyc-mtime",
        "a module more",
        more(
            "usr/lib/app/__pycache__/n.cpython-311.pyc", Held(b"\xa7\r\r\n" + bytes(12) + b"\xe3")
        ),
    ),
    ("elf-file-macro", "a library more", more("usr/lib/app/x.so", Held(b"\x7fELF\x02\x01\x01"))),
    (
        "dpkg-log",
        "a rule of sudo",
        more("etc/sudoers.d/app", Held(b"app ALL=(ALL) NOPASSWD: ALL\n")),
    ),
    ("gzip-mtime", "executable", moded(0o755)),
    ("elf-rpath", "setuid", moded(0o4755)),
    ("uuid-random", "writable by all", moded(0o666)),
    ("elf-debug-path", "setgid", moded(0o2755)),
)


def injected(name: str, what: str, change: Change) -> Case:
    a, b = sides(by_id(name))

    def build() -> Sides:
        one, other = change(a, b)
        if other == b and one == a:
            raise ValueError(f"{name}: nothing changed")
        return archives(wrap([one]), wrap([other]))

    there = expected(by_id(name), ())
    return Case(f"{name}: {what}", "adversarial", build, there)


# pairs that only look like it

TRAPS: tuple[tuple[str, str, str, str], ...] = (
    ("a version that looks like a date", "usr/share/app/VERSION", "2024.1.15\n", "2024.2.10\n"),
    (
        "a needed version that looks like a date",
        "usr/share/app/control",
        "Depends: ca-certificates (>= 20230311)\n",
        "Depends: ca-certificates (>= 20240203)\n",
    ),
    (
        "a version of an API",
        "etc/app/api.conf",
        "api-version=2023-11-01\n",
        "api-version=2024-05-01\n",
    ),
    (
        "a protocol's version",
        "usr/lib/app/proto.h",
        "#define PROTO 20240115\n",
        "#define PROTO 20240210\n",
    ),
    (
        "another release's digest",
        "usr/share/app/requirements.txt",
        f"flask==3.0.3 --hash=sha256:{hashlib.sha256(b'1').hexdigest()}\n",
        f"flask==3.0.3 --hash=sha256:{hashlib.sha256(b'2').hexdigest()}\n",
    ),
    (
        "another base image's digest",
        "usr/share/app/Dockerfile",
        f"FROM debian@sha256:{hashlib.sha256(b'3').hexdigest()}\n",
        f"FROM debian@sha256:{hashlib.sha256(b'4').hexdigest()}\n",
    ),
    (
        "another integrity of a package",
        "srv/app/package-lock.json",
        '{"integrity":"sha512-%s=="}\n' % ("Ab3d" * 21 + "AA"),
        '{"integrity":"sha512-%s=="}\n' % ("Zx9w" * 21 + "BB"),
    ),
    (
        "another certificate's fingerprint",
        "etc/app/pin.conf",
        "pin-sha1=" + ":".join(f"{n * 7 % 256:02X}" for n in range(20)) + "\n",
        "pin-sha1=" + ":".join(f"{n * 11 % 256:02X}" for n in range(20)) + "\n",
    ),
    (
        "another interpreter below one tail",
        "etc/app/java.conf",
        "java=/opt/java-11/bin/java\n",
        "java=/opt/java-17/bin/java\n",
    ),
    (
        "another library below one tail",
        "etc/ld.so.conf.d/app.conf",
        "/usr/lib/app-1/lib\n",
        "/usr/lib/app-2/lib\n",
    ),
    (
        "another tenant's data below one tail",
        "etc/app/data.conf",
        "secrets=/srv/production/secrets.db\n",
        "secrets=/srv/staging/secrets.db\n",
    ),
    (
        "another host in a URL",
        "etc/apt/sources.list",
        "deb https://deb.example.org/debian bookworm main\n",
        "deb https://deb.example.net/debian bookworm main\n",
    ),
    (
        "another database host",
        "etc/app/db.conf",
        "host=db-01.example.org\n",
        "host=db-02.example.org\n",
    ),
    (
        "a size that looks like an epoch",
        "etc/app/limits.json",
        '{"max_size":1768039200}\n',
        '{"max_size":1773578096}\n',
    ),
    (
        "an offset that looks like an epoch",
        "etc/app/map.ini",
        "[map]\noffset=1768039200\n",
        "[map]\noffset=1773578096\n",
    ),
    (
        "a serial that looks like a date",
        "etc/bind/zone",
        "@ IN SOA ns. root. ( 2026011001 7200 )\n",
        "@ IN SOA ns. root. ( 2026031502 7200 )\n",
    ),
    (
        "a timeout that looks like a time",
        "etc/app/timeout.conf",
        "timeout=10:00:00\n",
        "timeout=12:34:56\n",
    ),
    ("an end of support", "etc/app/license.conf", "expires=2035-01-01\n", "expires=2045-01-01\n"),
    (
        "a name-based UUID",
        "etc/app/ns.conf",
        "namespace=886313e1-3b8a-5372-9b90-0c9aee199e5d\n",
        "namespace=4f6a8d52-0c51-5b0a-8f1f-3a1c2f1b7e66\n",
    ),
    (
        "a known GUID",
        "etc/app/gpt.conf",
        "type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n",
        "type=21686148-6449-6E6F-744E-656564454649\n",
    ),
    ("an address", "etc/app/net.conf", "allow=10.1.10.20\n", "allow=10.3.15.12\n"),
    (
        "indentation of Python",
        "usr/lib/app/check.py",
        "if user:\n    allow()\n    log()\n",
        "if user:\n    allow()\nlog()\n",
    ),
    ("order and a duplicate", "etc/app/list", "alpha\nbeta\ngamma\n", "gamma\nalpha\nalpha\n"),
    ("line endings and a word", "etc/app/eol", "alpha\nbeta\n", "alpha\r\nbets\r\n"),
    ("an authorised key", "root/.ssh/authorized_keys", *KEYS),
    ("a kernel option", "etc/default/grub", 'CMDLINE="quiet ro"\n', 'CMDLINE="quiet rw"\n'),
    (
        "an account's shell",
        "etc/passwd",
        "app:x:1000:1000::/srv:/usr/sbin/nologin\n",
        "app:x:1000:1000::/srv:/bin/bash\n",
    ),
    ("a user id", "etc/passwd", "app:x:1000:1000::/srv:/bin/sh\n", "app:x:0:0::/srv:/bin/sh\n"),
    (
        "a short token that is a word",
        "etc/app/auth",
        "Authorization: Basic dXNlcjpwYXNz\n",
        "Authorization: Basic cm9vdDpyb290\n",
    ),
    ("a mask", "etc/login.defs", "UMASK 022\n", "UMASK 002\n"),
    (
        "a colour that looks like hex",
        "usr/share/app/style.css",
        "a{color:#1a2b3c}\n",
        "a{color:#3c2b1a}\n",
    ),
)


def trap(what: str, path: str, one: str, other: str) -> Case:
    def build() -> Sides:
        return archives(
            *(wrap([images.TREE | {path: Held(text.encode())}]) for text in (one, other))
        )

    return Case(f"trap: {what}", "adversarial", build)


def trusted() -> Case:
    """Another authority's certificate where the system looks for those that it trusts."""
    bundle = sides(by_id("ca-bundle-order"))[0]
    text = next(iter(bundle.values())).content.decode()
    one, other = re.findall(r"-----BEGIN.*?END CERTIFICATE-----\n", text, re.DOTALL)[:2]
    return trap("another trusted certificate", "usr/share/ca-certificates/x/root.crt", one, other)


# changes in an image's own parts


def config(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Case:
    """Times of creation, and something of the config that is run."""

    def build() -> Sides:
        layers = [base(), packed(tar(images.tree()))]
        return archives(
            *(
                image(layers, config={"created": images.T[side], "config": value})
                for side, value in enumerate((one, other))
            )
        )

    return Case(f"config: {what}", "adversarial", build, (Expected(("oci-config-created",)),))


def layered(what: str, change: Callable[[list[Member]], list[Member]]) -> Case:
    """Every time of the layer, and something of one member."""

    def build() -> Sides:
        items: list[Item] = []
        for side in (0, 1):
            these = [one.but(mtime=images.UNIX[side]) for one in images.tree()]
            items.append(image([base(), packed(tar(change(these) if side else these))]))
        return archives(*items)

    return Case(f"layer: {what}", "adversarial", build, (Expected(("tar-mtime",)),))


def one_member(**changes: object) -> Callable[[list[Member]], list[Member]]:
    return lambda these: [
        one.but(**changes) if one.name == b"usr/lib/app/main" else one for one in these
    ]


ENV = {"Env": ["PATH=/usr/bin"], "Entrypoint": ["/usr/bin/app"], "User": "1000"}

IMAGES: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
    ("an environment variable more", ENV, ENV | {"Env": ["PATH=/usr/bin", "LD_PRELOAD=/tmp/x.so"]}),
    ("another entry point", ENV, ENV | {"Entrypoint": ["/usr/bin/sh"]}),
    ("another user", ENV, ENV | {"User": "0"}),
    ("another path", ENV, ENV | {"Env": ["PATH=/tmp:/usr/bin"]}),
    ("another port", ENV, ENV | {"ExposedPorts": {"22/tcp": {}}}),
    ("another volume", ENV, ENV | {"Volumes": {"/srv": {}}}),
)
LAYERS = (
    ("setuid", one_member(mode=0o4755)),
    ("another owner", one_member(uid=1000)),
    ("another content", one_member(content=b"#!/bin/sh\necho evil\n")),
    ("a capability", one_member(pax=(xattr("security.capability", bytes(20)),))),
    ("a member less", lambda these: [one for one in these if one.name != b"usr/lib/app/main"]),
    ("a link instead", one_member(type=b"2", linkname=b"/bin/sh", content=b"")),
)


def cases() -> list[Case]:
    """Those whose recipe was made."""
    found = [
        *((name, "one bit of code", TEXT) for name in CODE),
        *CHANGES,
    ]
    there = {name for name, what in made().items() if what["differs"]}
    return [
        *(injected(*one) for one in found if one[0] in there),
        *(trap(*one) for one in TRAPS),
        trusted(),
        *(config(*one) for one in IMAGES),
        *(layered(*one) for one in LAYERS),
    ]
