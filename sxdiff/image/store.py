"""Where an image's blobs lie: a tar archive or a directory, looked up by name, never extracted."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping

from sxdiff.image.archive import Archive, ArchiveMember, index_archive, is_candidate, shown
from sxdiff.image.outer import Outer, Unpack, unpack_outer
from sxdiff.image.unpack import compression_of
from sxdiff.model import Blob, InputError, Limits, text_of

_LINKS = 16
_MOST_ENTRIES = 100_000
_FILE_TYPES = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


class Store:
    """Named blobs of one input. Names are relative, with `/`, as an image's documents use them."""

    def __init__(
        self,
        path: str,
        members: Iterable[ArchiveMember],
        *,
        size: int,
        archive: Blob | None = None,
        outer: Outer | None = None,
        others: int = 0,
        tail: Blob | None = None,
        problems: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        """As the user gave it."""
        self.size = size
        """Bytes of the input file; of all listed files, where it is a directory."""
        self.archive = archive
        """The tar archive without outer compression; None for a directory."""
        self.outer = outer
        """How the file is compressed as a whole, if it is."""
        self.members = tuple(members)
        """What may belong to an image, and the first 1,000 other members, in their order."""
        self.others = others
        """Number of members that cannot belong to an image."""
        self.tail = tail
        """From the archive's first end-of-archive block to its end."""
        self.problems = problems
        self._by_name = {member.name: member for member in self.members}

    @property
    def is_directory(self) -> bool:
        return self.archive is None

    @property
    def compression(self) -> str | None:
        """Of the whole file: "gzip", "zstd", "xz", "bzip2" or None."""
        return self.outer.compression if self.outer else None

    @property
    def form_hint(self) -> str:
        """What the names promise: "oci", "docker-oci", "docker" (which may be `dir:`) or "root"."""
        oci = "index.json" in self._by_name and (
            "oci-layout" in self._by_name or "blobs" in self._top_names()
        )
        docker = "manifest.json" in self._by_name
        return {(True, True): "docker-oci", (True, False): "oci", (False, True): "docker"}.get(
            (oci, docker), "root"
        )

    @property
    def names(self) -> Mapping[str, Blob]:
        """The files that `find` gives without following a link."""
        return {m.name: m.content for m in self.members if m.kind == "file"}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def _top_names(self) -> set[str]:
        return {name.split("/", 1)[0] for name in self._by_name}

    def require(self, names: Iterable[str], limits: Limits) -> None:
        """Make `find` know these names too, whatever they look like: one more walk if need be."""
        normal = {_normal(name) for name in names}
        absent = {name for name in normal if name is not None and name not in self._by_name}
        if not absent or self.archive is None or not self.others:
            return
        known = index_archive(self.path, self.archive, limits, absent)
        self.members = known.members
        self._by_name = {member.name: member for member in known.members}

    def resolve(self, name: str) -> str | None:
        """The member that `name` leads to, through symbolic and hard links; None if absent.

        Raises InputError where a link leads out of the store, in a circle or to nothing.
        """
        step = _normal(name)
        seen: list[str] = []
        while True:
            if step is None:
                raise InputError(
                    f"{self.path}: {shown(name)} leads out of the {self._what} "
                    f"(by {shown(seen[-1] if seen else name)})"
                )
            rest = ""
            member = self._by_name.get(step)
            if member is None and (linked := self._linked_parent(step)):
                member, rest = linked
            if member is None:
                if not seen:
                    return None
                raise InputError(
                    f"{self.path}: {shown(seen[-1])} is a link to {shown(step)}, which is absent"
                )
            if member.kind not in ("symbolic link", "hard link"):
                return step
            if step in seen or len(seen) >= _LINKS:
                raise InputError(f"{self.path}: {shown(name)} is a link that never ends")
            seen.append(step)
            # POSIX ustar: a hard link's target is a path like any member's, from the top
            base = member.name.rpartition("/")[0] if member.kind == "symbolic link" else ""
            step = _normal(f"{member.target}{rest}", base)

    def _linked_parent(self, name: str) -> tuple[ArchiveMember, str] | None:
        """The nearest directory above `name` that is a symbolic link, and the rest of the path."""
        parent = name
        while parent:
            parent = parent.rpartition("/")[0]
            member = self._by_name.get(parent)
            if member is not None and member.kind == "symbolic link":
                return member, name[len(parent) :]
        return None

    def find(self, name: str) -> Blob | None:
        """The file of that name, links followed; None where there is none.

        Raises InputError where a link leads out of the store, in a circle or to nothing.
        """
        step = self.resolve(name)
        if step is None:
            return None
        member = self._by_name[step]
        if member.kind != "file":
            raise InputError(
                f"{self.path}: {shown(name)} is a {member.kind}, where a file is expected"
            )
        return member.content

    @property
    def _what(self) -> str:
        return "directory" if self.is_directory else "archive"


def _normal(name: str, base: str = "") -> str | None:
    """A relative path without `.` and `..`, from `base`; None where it leads above the top."""
    if name.startswith("/") or "\0" in name:
        return None
    steps = base.split("/") if base else []
    for step in name.split("/"):
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def open_store(
    path: str, spool: Callable[[], str], limits: Limits, unpack: Unpack | None = None
) -> Store:
    """Open a file or a directory, whatever form of image it may hold.

    A file that is compressed as a whole is unpacked by `unpack`, or else here, into the file that
    `spool()` names. Raises InputError, in one line, for whatever is no tar archive and no
    directory.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return _open_directory(path)
        for is_type, what in _FILE_TYPES:
            if is_type(status.st_mode):
                raise InputError(f"{path}: is {what}, not an image")
        if not status.st_size:
            raise InputError(f"{path}: is empty")
        with open(path, "rb"):
            pass
        packed = Blob(path, 0, status.st_size)
        archive, outer = packed, None
        if compression_of(packed.read(0, 8)) != "none":
            if unpack is None:
                archive, outer = unpack_outer(path, packed, spool(), limits)
            else:
                archive, outer = unpack(path, packed)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not archive.size:
        raise InputError(f"{path}: is empty inside its {outer.compression if outer else ''} stream")
    index: Archive = index_archive(path, archive, limits)
    return Store(
        path,
        index.members,
        size=status.st_size,
        archive=archive,
        outer=outer,
        others=index.others,
        tail=index.tail,
        problems=index.problems,
    )


def _open_directory(path: str) -> Store:
    """List what can belong to an image: the top, `blobs/ALG/` and the layer directories."""
    members = []
    others = 0
    for position, (name, entry) in enumerate(_walk(path)):
        if position > _MOST_ENTRIES:
            raise InputError(f"{path}: more than {_MOST_ENTRIES} files look like parts of an image")
        if not is_candidate(os.fsencode(name)):
            others += 1
        members.append(_entry_member(name, entry, position))
    size = sum(member.content.size for member in members)
    return Store(path, members, size=size, others=others)


def _walk(path: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Entries at the top, and those below it that look like parts of an image, by name."""
    pending = [""]
    while pending:
        parent = pending.pop(0)
        with os.scandir(os.path.join(path, parent)) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                name = f"{parent}/{entry.name}" if parent else entry.name
                candidate = is_candidate(os.fsencode(name))
                if parent and not candidate:
                    continue
                yield name, entry
                if entry.is_dir(follow_symlinks=False) and _is_layout_directory(name, entry):
                    pending.append(name)


def _is_layout_directory(name: str, entry: os.DirEntry[str]) -> bool:
    if is_candidate(os.fsencode(name)):
        return True
    return "/" not in name and os.path.lexists(os.path.join(entry.path, "layer.tar"))


def _entry_member(name: str, entry: os.DirEntry[str], position: int) -> ArchiveMember:
    status = entry.stat(follow_symlinks=False)
    kind, target, size = "file", "", status.st_size
    if entry.is_symlink():
        kind, target = "symbolic link", os.readlink(entry.path)
    elif entry.is_dir():
        kind = "directory"
    elif not entry.is_file():
        kind = next((w.split()[1] for is_type, w in _FILE_TYPES if is_type(status.st_mode)), "file")
    return ArchiveMember(
        name=text_of(os.fsencode(name)),
        kind=kind,
        position=position,
        header=None,
        content=Blob(entry.path, 0, size if kind == "file" else 0),
        padding=None,
        target=text_of(os.fsencode(target)),
    )
