"""What Go says of a build: .go.buildinfo.

Source: Go, package `debug/buildinfo` (the layout of the blob) and `runtime/debug`
(`BuildInfo.String`, the text of the module information).
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.names import Names
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Member, text_of

MAGIC = b"\xff Go buildinf:"
HEADER = 32
LONGEST = 16 << 20
"""Bytes of the section that is read; module information of Kubernetes has some 30 KiB."""
SENTINEL = 16
"""Bytes on each side of the module information, by which it is found in a process."""
INLINE, BIG_ENDIAN = 2, 1


def go_build_info(elf: ElfFile, index: int) -> Inside | None:
    """The version of Go, the main module, its dependencies and the settings of the build."""
    if elf.layout.sections[index].name != ".go.buildinfo":
        return None
    return Inside("elf.go_build", partial(_facts, elf))


def _facts(elf: ElfFile, blob: Blob) -> Iterator[Fact | Member]:
    if blob.size > LONGEST:
        raise LimitError(f"Go build information of {blob.size} bytes")
    data = blob.read()
    if not data.startswith(MAGIC) or len(data) < HEADER:
        raise FormatError("no Go build information", 0)
    size, flags = data[14], data[15]
    yield Fact("elf.go_build.magic", text_of(data[:14]), (0, 14))
    yield Fact("elf.go_build.pointer_size", size, (14, 1))
    yield Fact("elf.go_build.flags", flags, (15, 1))
    if not flags & INLINE:  # before Go 1.18: addresses of two strings
        if size not in (4, 8):
            raise FormatError(f"pointers of {size} bytes", 14)
        for place, field in enumerate(("version", "modules")):
            at = 16 + place * size
            raw = data[at : at + size]
            address = int.from_bytes(raw, "big" if flags & BIG_ENDIAN else "little")
            told = elf.told_address(address)
            yield Fact(f"elf.go_build.{field}_at", told, (at, size), derived=True)
        return
    at, end = _string(data, HEADER)
    yield Fact("elf.go_build.version_size", end - at, (HEADER, at - HEADER), derived=True)
    yield Fact("elf.go_build.version", text_of(data[at:end]), (at, end - at))
    start, stop = _string(data, end)
    yield Fact("elf.go_build.modules_size", stop - start, (end, start - end), derived=True)
    yield from _modules(data, start, stop)


def _string(data: bytes, at: int) -> tuple[int, int]:
    """Start and end of a string behind its size (a base-128 number)."""
    size = shift = 0
    while True:
        if at >= len(data) or shift > 35:
            raise FormatError("size of a string without an end", at)
        size |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            break
    if at + size > len(data):
        raise FormatError(f"string of {size} bytes reaches behind the end", at)
    return at, at + size


def _modules(data: bytes, start: int, stop: int) -> Iterator[Fact]:
    """One fact a line: `dep golang.org/x/text`, `build -ldflags`, each with what it says."""
    names = Names()
    if stop - start >= 2 * SENTINEL + 1 and data[stop - SENTINEL - 1] == ord("\n"):
        yield Fact("elf.go_build.start", data[start : start + SENTINEL].hex(), (start, SENTINEL))
        end = stop - SENTINEL
        yield Fact("elf.go_build.end", data[end:stop].hex(), (end, SENTINEL))
        start, stop = start + SENTINEL, end
    at = start
    for line in data[start:stop].splitlines(keepends=True):
        word, _, rest = line.rstrip(b"\n").partition(b"\t")
        key, value = word, rest
        if word == b"build":
            setting, _, value = rest.partition(b"=")
            key = b"build " + setting
        elif word in (b"mod", b"dep", b"=>"):
            module, _, value = rest.partition(b"\t")
            key = word + b" " + module
        name = names.unique(text_of(key))
        kind = {b"build": "setting", b"path": "path"}.get(word, "module")
        rest_size = len(value) + line.endswith(b"\n")
        value_at = at + len(line) - rest_size
        yield Fact("elf.go_build.key", text_of(line[:-rest_size]), (at, value_at - at), name)
        yield Fact(f"elf.go_build.{kind}", text_of(value), (value_at, rest_size), name)
        at += len(line)
