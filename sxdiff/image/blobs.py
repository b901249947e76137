"""Blobs of a store by their digest: documents verified as they are read, layers only found."""

from collections.abc import Callable, Iterable
from typing import Any

from sxdiff.image.archive import shown
from sxdiff.image.descriptor import Descriptor, digest_of, verify
from sxdiff.image.document import Fields, parse_document
from sxdiff.image.graph import Document
from sxdiff.image.store import Store
from sxdiff.model import Blob, InputError, Limits, Problem, Route

_DOCUMENTS = 4
"""All documents together may have so many times the size of one at its limit."""
_MOST_LAYERS = 100_000


def layout_names(digest: str) -> tuple[str, ...]:
    """Where an OCI layout keeps a blob (image-layout.md, "Blobs")."""
    return (f"blobs/{digest.replace(':', '/', 1)}",)


def directory_names(digest: str) -> tuple[str, ...]:
    """Where `dir:` keeps a blob: bare, as an instance of a list, and how older versions did."""
    algorithm, _, encoded = digest.partition(":")
    bare = (encoded, f"{algorithm}-{encoded}")
    return (*(f"{name}.manifest.json" for name in bare), *bare, f"{encoded}.tar")


class Blobs:
    """The blobs of one input, with what was met while looking for them."""

    def __init__(
        self,
        store: Store,
        spool: Callable[[], str],
        limits: Limits,
        names_of: Callable[[str], Iterable[str]] = layout_names,
    ) -> None:
        self.store = store
        self.limits = limits
        self.problems: list[Problem] = []
        self._spool = spool
        self._names_of = names_of
        self._documents: dict[str, Document] = {}
        self._document_bytes = 0
        self._embedded: dict[str, Blob] = {}
        self._layers = 0

    def count_layers(self, number: int) -> None:
        """So many more layers are described by manifests."""
        self._layers += number
        if self._layers > _MOST_LAYERS:
            raise InputError(f"{self.store.path}: more than {_MOST_LAYERS} layers")

    def problem(self, where: Route, kind: str, message: str, resolution: str) -> None:
        """Note trouble once."""
        problem = Problem(where, kind, message, resolution)
        if problem not in self.problems:
            self.problems.append(problem)

    def at(self, name: str) -> str:
        """How errors begin that are about one of the store's files."""
        return f"{self.store.path}: {shown(name)}"

    def _find(self, digest: str) -> tuple[str, Blob] | None:
        for name in self._names_of(digest):
            blob = self.store.find(name)
            if blob is not None:
                return name, blob
        return None

    def find(self, descriptor: Descriptor) -> tuple[str, Blob] | None:
        """(name in the store, blob), its size verified; embedded data counts as a blob."""
        found = self._find(descriptor.digest)
        if found is None:
            if descriptor.data is None:
                return None
            return "", self._embedded_blob(descriptor.digest, descriptor.data)
        name, blob = found
        if blob.size != descriptor.size:
            raise InputError(
                f"{self.at(name)}: its descriptor promises {descriptor.size} bytes, "
                f"found {blob.size}"
            )
        return found

    def _embedded_blob(self, digest: str, data: bytes) -> Blob:
        if digest not in self._embedded:
            path = self._spool()
            with open(path, "wb") as file:
                file.write(data)
            self._embedded[digest] = Blob(path, 0, len(data))
        return self._embedded[digest]

    def missing(self, descriptor: Descriptor, what: str) -> InputError:
        return InputError(f"{self.store.path}: missing blob: {what} {descriptor.digest}")

    def read(self, name: str) -> bytes | None:
        """A whole file of the store that is a document, within the limits."""
        blob = self.store.find(name)
        return None if blob is None else self._read(name, blob)

    def _read(self, name: str, blob: Blob) -> bytes:
        if blob.size > self.limits.document_bytes:
            raise InputError(
                f"{self.at(name)}: {blob.size} bytes of JSON are beyond the limit of "
                f"{self.limits.document_bytes}"
            )
        self._document_bytes += blob.size
        if self._document_bytes > _DOCUMENTS * self.limits.document_bytes:
            raise InputError(
                f"{self.store.path}: its JSON documents are beyond the limit of "
                f"{_DOCUMENTS * self.limits.document_bytes} bytes together"
            )
        try:
            return blob.read()
        except OSError as error:
            raise InputError(f"{self.at(name)}: {error.strerror}") from None

    def top(self, name: str, role: str) -> Document:
        """A document that no descriptor points at, by its name."""
        raw = self.read(name)
        if raw is None:
            raise InputError(f"{self.store.path}: has no {shown(name)}")
        return Document(role, None, name, raw, self.parse(name, raw))

    def parse(self, name: str, raw: bytes) -> Any:
        """The value of a document of that name."""
        return parse_document(self.at(name), raw, self.limits)

    def document(self, descriptor: Descriptor, role: str, *, json: bool = True) -> Document | None:
        """The document that a descriptor points at, verified; None where it is absent.

        With `json` false its value is None where it is no JSON.
        """
        known = self._documents.get(descriptor.digest)
        if known is None:
            found = self._find(descriptor.digest)
            if found is not None:
                name = found[0]
                if found[1].size != descriptor.size:
                    self.find(descriptor)  # says so
                raw = self._read(name, found[1])
            elif descriptor.data is not None:
                name, raw = "", descriptor.data
            else:
                return None
            where = self.at(name or descriptor.digest)
            verify(where, raw, descriptor.digest, descriptor.size)
            try:
                value = parse_document(where, raw, self.limits)
            except InputError:
                if json:
                    raise
                value = None
            known = Document(role, descriptor, name, raw, value)
            self._documents[descriptor.digest] = known
        else:
            verify(self.at(known.blob_name), known.raw, descriptor.digest, descriptor.size)
        if json and known.value is None and known.raw.strip() != b"null":
            parse_document(self.at(known.blob_name), known.raw, self.limits)
        return Document(role, descriptor, known.blob_name, known.raw, known.value)

    def fields(self, document: Document) -> Fields:
        """The document as an object."""
        where = self.at(document.blob_name or document.digest)
        return Fields.of(where, document.value)


def made_descriptor(raw: bytes, media_type: str) -> Descriptor:
    """The descriptor that a document would have, in forms that have none for it."""
    return Descriptor(media_type, digest_of(raw), len(raw), None, {}, "", None, {})
