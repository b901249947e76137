"""What is fed with bytes, and what must hold whatever they are.

A target is a function of an input. It returns where the laws hold, and raises where one is broken:
an error that its reader does not promise, a span outside the data, a difference that is not told.
`run` bounds its time and memory.
"""

import atexit
import json
import os
import resource
import shutil
import signal
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.images import (
    INDEX,
    Item,
    archive,
    digest,
    docker_archive,
    document,
    image,
    index,
    layer,
    oci_archive,
    oci_layout,
)
from fixtures.tar import file, tar
from sxdiff.causes.catalogue import CAUSES, SUSPICIONS
from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.compare.closer import look
from sxdiff.compare.describe import describe
from sxdiff.formats import json as json_format
from sxdiff.formats.catalogue import FORMATS, HEAD, TEXTS
from sxdiff.image.document import parse_document
from sxdiff.image.oci import open_input
from sxdiff.image.store import open_store
from sxdiff.image.unpack import Unpacked
from sxdiff.model import (
    Blob,
    Fact,
    Format,
    FormatError,
    InputError,
    Inside,
    LimitError,
    Limits,
    Member,
    Node,
    Route,
    Span,
    Value,
)
from sxdiff.report.forms import FORMS, Manner
from sxdiff.report.read import reading
from sxdiff.wire import node_from_json, node_to_json
from sxdiff.work.scan import Scan, read_members

MEMORY = 1 << 30
"""Bytes that an input may take, beside what the process has already."""
LIMITS = Limits(member_bytes=16 << 20, file_differences=200)
"""Smaller than a user's: what is beyond them takes time and tells nothing new."""
UNPACKED = 32 << 20
"""Bytes of unpacked members that are read for one input."""


class BrokenLawError(AssertionError):
    """What an input brought about and must not."""


class TooSlowError(BrokenLawError):
    """An input took more than its target may."""


def law(holds: bool, message: str) -> None:
    if not holds:
        raise BrokenLawError(message)


@dataclass(frozen=True, slots=True)
class Target:
    """`run` is fed with bytes, and may take `seconds` of the processor for one input: far more than
    any needs, also with all that Atheris adds. `reads` names the formats that it reads, if any."""

    name: str
    run: Callable[[bytes], None]
    reads: frozenset[str] = frozenset()
    seconds: int = 10


def run(target: Target, data: bytes) -> None:
    """Feed `data`; raises where a law is broken."""
    signal.setitimer(signal.ITIMER_VIRTUAL, target.seconds)
    try:
        target.run(data)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@contextmanager
def bounded() -> Iterator[None]:
    """What is fed within ends in `TooSlowError` or `MemoryError` where it takes too much."""

    def slow(*_: object) -> None:
        raise TooSlowError("more than it may take")

    held = resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    taken = next(int(line.split()[1]) << 10 for line in status.splitlines() if "VmData" in line)
    before = signal.signal(signal.SIGVTALRM, slow)
    resource.setrlimit(resource.RLIMIT_DATA, (taken + MEMORY, held[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, held)
        signal.signal(signal.SIGVTALRM, before)


class Folder:
    """Files of this process, written anew for each input; a `Scratch` for `look`."""

    def __init__(self) -> None:
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - in memory: it is written very often
        self._folder = tempfile.mkdtemp(prefix="sxdiff-fuzz-", dir=place)
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._number = 0
        self.left = UNPACKED

    def clear(self) -> None:
        """Begin with an input."""
        for number in range(1, self._number + 1):
            Path(self.path(number)).unlink(missing_ok=True)
        self._number, self.left = 0, UNPACKED

    def path(self, number: int) -> str:
        return f"{self._folder}/{number}"

    def new(self) -> str:
        """The path of a file that is not there yet."""
        self._number += 1
        return self.path(self._number)

    def put(self, data: bytes) -> Blob:
        return self.store((data,), len(data))

    def store(self, chunks: Iterable[bytes], limit: int) -> Blob:
        path, size = self.new(), 0
        with open(path, "wb") as out:
            for chunk in chunks:
                size += out.write(chunk)
                self.left -= len(chunk)
                if size > limit or self.left < 0:
                    raise LimitError("too long")
        return Blob(path, 0, size)


_folder = Folder()


# ---------------------------------------------------------------------------------- formats


def _reader(formats: tuple[Format, ...]) -> Callable[[bytes], None]:
    """Every one of `formats` that recognises the data describes it, to the last part."""

    def read(data: bytes) -> None:
        for known in formats:
            if known.recognises(data[:HEAD]):
                _folder.clear()
                blob = _folder.put(data)
                _described(blob, known.dissect(blob, LIMITS), 0)

    return read


def _described(blob: Blob, parts: Iterable[Fact | Member], depth: int) -> None:
    try:
        for part in describe(blob, parts):
            law(_is_text(part.kind) and _is_text(part.name), f"no text: {part!r}")
            _span(part.at)
            if isinstance(part, Fact):
                _fact(part)
            else:
                _member(blob, part, depth)
    except FormatError:
        pass


def _is_text(value: object) -> bool:
    """Whether a report can hold it."""
    if not isinstance(value, str):
        return value is None or isinstance(value, bool | int)
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _span(at: Span | None) -> None:
    """`describe` sees that it does not end behind the data."""
    law(at is None or (at[0] >= 0 and at[1] >= 0), f"no span: {at}")


def _fact(fact: Fact) -> None:
    law(_is_text(fact.value), f"no value: {fact!r}")
    for span in fact.follows:
        _span(span)
    if fact.check is not None:
        fact.check()
    if fact.rest is not None:
        fact.rest()


def _member(blob: Blob, member: Member, depth: int) -> None:
    content = member.content
    if isinstance(content, Blob):
        if content.path == blob.path:
            begin, end = content.offset - blob.offset, content.offset + content.size
            law(begin >= 0 and end <= blob.offset + blob.size, f"outside: {member!r}")
    else:
        content = _folder.store(content(), LIMITS.member_bytes)
    symbols = member.symbols() if callable(member.symbols) else member.symbols
    for symbol in symbols:
        law(_is_text(symbol.name), f"no text: {symbol!r}")
    if member.source is not None:
        for at in (0, 1, content.size // 2, content.size - 1):
            law(_is_text(member.source(at)), "no text for a source")
    if member.inside is None or depth > LIMITS.member_depth or not content.size:
        return
    if isinstance(member.inside, Inside):
        _described(content, member.inside.parts(content), depth + 1)
        return
    try:
        for row in member.inside.rows(content):
            start, size = row.at
            law(start >= 0 and size >= 0 and start + size <= content.size, f"outside: {row!r}")
            row.text.encode("utf-8", "surrogateescape")  # as all who read rows do
            law(_is_text(row.label), f"no text: {row!r}")
    except FormatError:
        pass


# ---------------------------------------------------------------------------------- images


def _archive(data: bytes) -> None:
    """A tar archive, packed or not, as the input that a user gives."""
    _folder.clear()
    blob = _folder.put(data)
    with _one_line():
        store = open_store(blob.path, _folder.new, LIMITS)
        for name in store.names:
            store.find(name)


@contextmanager
def _one_line() -> Iterator[None]:
    """An `InputError` is the right end of a bad input, if it is a line that can be shown."""
    try:
        yield
    except InputError as error:
        line = str(error)
        law(bool(line) and line.isprintable() and len(line) < 2000, f"no line: {line!r}")


def _layer(data: bytes) -> None:
    """A layer's tar stream, indexed."""
    _folder.clear()
    index_path = _folder.new()
    pieces = (data[at : at + 700] for at in range(0, len(data), 700))
    with suppress(FormatError):
        read_members(pieces, Scan(index=index_path), index_path, LIMITS)


def _unpack(data: bytes) -> None:
    """A packed layer, unpacked once, and pieces of it fetched again."""
    _folder.clear()
    unpacked = Unpacked(_folder.put(data), LIMITS)
    content = b""
    try:
        for chunk in unpacked.chunks():
            content += chunk
            if len(content) > UNPACKED:
                return
    except FormatError:
        return
    law(all(_is_text(fact.value) for fact in unpacked.facts), "no value")
    law(unpacked.size == len(content), "another size")
    wanted = [(at, min(300, len(content) - at)) for at in range(0, len(content), 1000)][:50]
    found = [b""] * len(wanted)
    for number, piece in unpacked.spans(wanted):
        found[number] += piece
    law(found == [content[at : at + size] for at, size in wanted], "another content")


_ONE = image([layer(tar([file("etc/x", "x\n")]))])
_DOCUMENTS = ("index.json", "manifest", "config", "index", "manifest.json", "oci-layout")
"""Documents of an image, by the first byte of an input of `graph`."""


def graph_seeds() -> Iterator[bytes]:
    """An input for each document, with the document as it is right."""
    manifest = json.loads(_ONE.data)
    layout, saved = oci_layout([_ONE]), _saved()
    right = {
        "index.json": layout["index.json"],
        "manifest": _ONE.data,
        "config": _ONE.blobs[manifest["config"]["digest"]],
        "index": index([_ONE]).data,
        "manifest.json": saved["manifest.json"],
        "oci-layout": layout["oci-layout"],
    }
    for number, name in enumerate(_DOCUMENTS):
        yield bytes([number]) + right[name]


def _saved() -> dict[str, bytes]:
    """The files of a docker-archive."""
    data = docker_archive(_ONE)
    folder = Folder()
    store = open_store(folder.put(data).path, folder.new, LIMITS)
    return {name: blob.read() for name, blob in store.names.items()}


_SAVED = _saved()


def _graph(data: bytes) -> None:
    """One document of an image, all digests of which are right again."""
    if not data:
        return
    which, changed = _DOCUMENTS[data[0] % len(_DOCUMENTS)], data[1:]
    if which == "manifest":
        built = oci_archive(Item(changed, _ONE.media_type, _ONE.blobs, _ONE.platform))
    elif which == "config":
        manifest = json.loads(_ONE.data)
        old = manifest["config"]["digest"]
        manifest["config"] |= {"digest": digest(changed), "size": len(changed)}
        blobs = {key: blob for key, blob in _ONE.blobs.items() if key != old}
        blobs[digest(changed)] = changed
        built = oci_archive(Item(document(manifest), _ONE.media_type, blobs, _ONE.platform))
    elif which == "index":
        built = oci_archive(Item(changed, INDEX, index([_ONE]).blobs))
    elif which == "manifest.json":
        built = archive(_SAVED | {which: changed})
    else:
        built = archive(oci_layout([_ONE]) | {which: changed})
    _folder.clear()
    blob = _folder.put(built)
    with _one_line():
        opened = open_input(blob.path, _folder.new, LIMITS)
        law(all(_is_text(one.message) for one in opened.problems), "no text for a problem")


# ---------------------------------------------------------------------------------- documents


def _json(data: bytes) -> None:
    """Both readers of JSON agree, and neither takes what Python's does not."""
    try:
        tree = json_format.parse(data, LIMITS)
    except LimitError:
        return
    except FormatError:
        tree = None
    try:
        value = parse_document("f", data, LIMITS)
    except InputError as error:
        law(str(error).isprintable(), f"no line: {error}")
        if tree is not None:
            _json_parts(data, tree)
        return
    law(tree is not None, "the strict reader takes what the other does not")
    if tree is not None:
        _json_parts(data, tree)
        law(_plain(tree) == _rounded(value), "the readers understand it differently")


def _json_parts(data: bytes, tree: json_format.Json) -> None:
    json.loads(data)
    law(b"".join(json_format.gaps(data, tree)).strip(b" \t\r\n:,") == b"", "a gap that is none")
    json_format.style(data, tree)
    for _, value in json_format.scan(data, LIMITS):
        law(_is_text(value.value), "no text")


def _plain(tree: json_format.Json) -> Any:
    """What a tree says, in Python's words."""
    if tree.kind == "object":
        return {key: _plain(value) for key, _, value in tree.members}
    if tree.kind == "array":
        return [_plain(value) for value in tree.items]
    return _number(tree.value) if tree.kind == "number" else tree.value


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_rounded, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return value


def _number(value: object) -> float:
    """With -0 as 0, which is what an integer makes of it."""
    return float(str(value)) + 0.0


def _report(data: bytes) -> None:
    """A file that should be a report, read and shown in one of the forms."""
    _folder.clear()
    blob = _folder.put(data)
    with _one_line(), tempfile.TemporaryDirectory() as folder, reading(blob.path, folder) as report:
        form = FORMS[zlib.crc32(data) % len(FORMS)]
        "".join(form.write(report, Manner())).encode()


# ---------------------------------------------------------------------------------- comparison


def pair(a: bytes, b: bytes) -> bytes:
    """The input of `look` for two files."""
    return len(a).to_bytes(4, "big") + a + b


def sides(data: bytes) -> tuple[bytes, bytes]:
    """The two files of an input of `look`."""
    size = int.from_bytes(data[:4], "big")
    return data[4 : 4 + size], data[4 + size :]


def _look(data: bytes) -> None:
    """Bytes that differ are told, and bytes that don't are not; swapping the sides swaps all."""
    a, b = sides(data)
    _folder.clear()
    one, two = _folder.put(a), _folder.put(b)
    node = look(one, two, "usr/lib/f", _folder, LIMITS)
    law((node is None) == (a == b), "equal is not equal")
    if node is None:
        return
    back = look(two, one, "usr/lib/f", _folder, LIMITS)
    if _folder.left > 0 and back is not None:
        law(node.verified == back.verified, "verified on one side only")
        there = sorted(_swapped(each) for each in _differences(node))
        law(there == sorted(map(repr, _differences(back))), "swapped, the sides differ otherwise")
    law(_told(node) > 0, "a difference is told nowhere")
    law(node_from_json(json.loads(json.dumps(node_to_json(node)))) == node, "another node")
    json.dumps(node_to_json(node), ensure_ascii=False).encode()


Told = tuple[Route, str, bool, bool, Value | None, Value | None]
"""A difference: where, what kind, whether a consequence, whether explained, and both sides."""


def _differences(node: Node, where: Route = ()) -> Iterator[Told]:
    for one in node.differences:
        route = (*where, *one.where)
        yield route, one.kind, one.derived, bool(one.claims), one.a, one.b
    for each in node.nodes:
        yield from _differences(each, (*where, each.name))


def _swapped(told: Told) -> str:
    """The difference as the other direction must tell it."""
    route, kind, derived, explained, a, b = told
    for this, other in ((".only_in_a", ".only_in_b"), (".only_in_b", ".only_in_a")):
        if told[1].endswith(this):
            kind = told[1].removesuffix(this) + other
    return repr((route, kind, derived, explained, b, a))


def _told(node: Node) -> int:
    """Bytes of all differences below."""
    return sum(one.bytes for one in node.differences) + sum(map(_told, node.nodes))


_FINDERS = {cause.tokens: cause for cause in reversed(CAUSES)}


def _causes(data: bytes) -> None:
    """What causes find in a text, and in two, parted by `SEPARATOR`."""
    first, _, second = data[1:].partition(SEPARATOR)
    a, b = (side.decode("utf-8", "surrogateescape") for side in (first, second))
    for tokens, cause in _FINDERS.items():
        end = 0
        for token in tokens(a):
            here = f"{cause.id}: {token!r}"
            law(end <= token.start <= token.end <= len(a), f"out of order or outside: {here}")
            end = token.end
    if not data or a == b:
        return
    cause = CAUSES[data[0] % len(CAUSES)]
    like = cause.example
    kind = like.kind
    site = Site(kind, a, b, like.path, like.where, like.format, like.head, like.symbol)
    back = Site(kind, b, a, like.path, like.where, like.format, like.head, like.symbol)
    law((diagnose(site) is None) == (diagnose(back) is None), "explained on one side only")
    for suspicion in SUSPICIONS:
        suspicion.looks(site)


SEPARATOR = b"\0\0"


# ---------------------------------------------------------------------------------- the table


def family(known: Format) -> str:
    """The package below sxdiff/formats that holds a format."""
    return type(known).__module__.split(".")[2]


def _families() -> Iterator[Target]:
    every = (*FORMATS, *TEXTS)
    for name in dict.fromkeys(map(family, every)):
        formats = tuple(known for known in every if family(known) == name)
        yield Target(name, _reader(formats), frozenset(known.name for known in formats))


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        *_families(),
        Target("archive", _archive),
        Target("layer", _layer),
        Target("unpack", _unpack),
        Target("graph", _graph),
        Target("json", _json),
        Target("report", _report),
        Target("look", _look),
        Target("finders", _causes),
    )
}
