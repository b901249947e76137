"""What the builder writes into the image's own documents, layers' packing and attestations.

OCI image-spec: config, manifest, image index, annotations, layer; docker image spec 1.2; BuildKit,
docs/build-repro.md and docs/attestations.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from re import Pattern
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, NearMiss, Token, Tokens
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    any_or_none,
    any_two,
    epoch_numbers,
    joined,
    matches,
    time_field,
    times,
    two_times,
    uuids,
    whole,
)

_EPOCH: Final = "https://reproducible-builds.org/docs/source-date-epoch/"
_BUILD_REPRO: Final = "https://github.com/moby/buildkit/blob/master/docs/build-repro.md"
_SPEC: Final = "https://github.com/opencontainers/image-spec/blob/main/"
_BUILDKIT: Final = late("buildkit", re.IGNORECASE)
_BUILDAH: Final = late("buildah|podman", re.IGNORECASE)

_TIMES: Final = (
    Fix("buildah build --timestamp N, or --source-date-epoch N (1.41 and later)", _BUILDAH),
    Fix("SOURCE_DATE_EPOCH as a build argument (buildx 0.10, BuildKit 0.11 and later)", _BUILDKIT),
    Fix(
        "SOURCE_DATE_EPOCH as a build argument (buildx 0.10, BuildKit 0.11 and later); buildah"
        " --timestamp N, or --source-date-epoch N (1.41 and later); kaniko --reproducible"
    ),
)


def _at(role: str, pointer: str) -> Pattern[str]:
    """The place of a JSON pointer in one of the image's documents."""
    return late(rf"(?:\A|/){role}/{pointer}\Z")


def _all_of(pattern: str, form: str = "") -> Tokens:
    """The whole text as one token, where the pattern fits all of it."""
    compiled = late(pattern, re.DOTALL)

    def found_in(text: str) -> Iterator[Token]:
        if compiled.fullmatch(text):
            yield Token(0, len(text), text, form)

    return found_in


_NO_TIME = "0001-01-01T00:00:00"
"""Go's zero time, which some builders write instead of a time."""


_DIGITS = late(r"(20\d\d)(0[1-9]|1[0-2])([0-3]\d)(?:([0-2]\d)([0-5]\d)([0-5]\d))?")


def _time(text: str) -> Iterator[Token]:
    """A field that holds a time and is there."""
    if text == f"{_NO_TIME}Z":
        yield Token(0, len(text), _NO_TIME, "time")
    elif found := _DIGITS.fullmatch(text):
        day, clock = found.groups("00")[:3], found.groups("00")[3:]
        yield Token(0, len(text), f"{'-'.join(day)}T{':'.join(clock)}", "digits")
    elif text:
        yield from time_field(text)


def _two_set_times(one: Token, two: Token) -> Evidence | None:
    if _NO_TIME in (one.value, two.value):
        a, b = (token.value.replace("T", " ") for token in (one, two))
        return Evidence(a, b)
    return two_times(one, two)


# Labels and annotations

_KEY_OF_TIME = (
    r"/(?:[^/]*[._~1-])?(?:created|build[-_.]?(?:date|time|timestamp)|vcs[-_.]?date"
    r"|rewritten-timestamp)"
)
_VERSION = r"v?\d+(?:\.\d+){1,3}(?:[-+~.][0-9A-Za-z.+~-]{1,40})?"


def _single(key: str, value: str) -> Tokens:
    """A value, none, or an object that holds it alone under its key."""
    inside = late(value)

    def found_in(text: str) -> Iterator[Token]:
        shown = text
        if text.startswith("{"):
            try:
                held = json.loads(text)
            except ValueError:
                return
            if [*held] != [key] or not isinstance(held[key], str):
                return
            shown = held[key]
        if not text or inside.fullmatch(shown):
            yield Token(0, len(text), shown)

    return found_in


# History

_NOP = late(r"\A(?:/bin/sh -c )?#\(nop\)\s+|\s+# buildkit\Z|\s+\Z")
_RUN = late(r"\ARUN (?=/bin/sh -c )")


def _instruction(text: str) -> Iterator[Token]:
    """What a step of the history does, whoever words it."""
    if text:
        yield Token(0, len(text), text, _RUN.sub("", _NOP.sub("", _NOP.sub("", text))))


_CONTEXT = matches(late(r"(?:COPY|ADD) (?:file|dir|multi):(?P<v>[0-9a-f]{64})(?= )"), "digest")


# Identifiers of containers

_CONTAINER = matches(late(r"\A(?:[0-9a-f]{12}|(?:sha256:)?[0-9a-f]{64})\Z"), "id")


def _two_containers(one: Token, two: Token) -> Evidence | None:
    return any_two(one, two) if len(one.value) == len(two.value) else None


# Media types and schemas

_OCI = "application/vnd.oci.image."
_DOCKER = "application/vnd.docker."
_ROLES: Final = {
    f"{_OCI}index.v1+json": "index",
    f"{_DOCKER}distribution.manifest.list.v2+json": "index",
    f"{_OCI}manifest.v1+json": "manifest",
    f"{_DOCKER}distribution.manifest.v2+json": "manifest",
    f"{_OCI}config.v1+json": "config",
    f"{_DOCKER}container.image.v1+json": "config",
    f"{_OCI}layer.v1.tar": "layer",
    f"{_DOCKER}image.rootfs.diff.tar": "layer",
    f"{_OCI}layer.v1.tar+gzip": "layer gzip",
    f"{_DOCKER}image.rootfs.diff.tar.gzip": "layer gzip",
    f"{_OCI}layer.v1.tar+zstd": "layer zstd",
    f"{_DOCKER}image.rootfs.diff.tar.zstd": "layer zstd",
}


def _media_type(text: str) -> Iterator[Token]:
    """What a media type says, whether in OCI's words or in docker's."""
    if role := _ROLES.get(text):
        yield Token(0, len(text), text, role)


def _own_media_type(text: str) -> Iterator[Token]:
    """A document's own media type, which it need not say."""
    if not text or _ROLES.get(text) in ("index", "manifest"):
        yield Token(0, len(text), text)


def _one_missing(one: Token, two: Token) -> Evidence | None:
    return None if one.value and two.value else any_or_none(one, two)


_KEYS = late(r"(order of keys of .*?): ")
_STYLE = (
    r"(?:compact|on one line, with spaces|indented by [\w ]+(?:, tight colons)?)"
    r"(?:, '(?:\\n)+' at the end)?"
)


def _key_order(text: str) -> Iterator[Token]:
    """The order of keys, with the keys as form."""
    if found := _KEYS.match(text):
        keys = text[found.end() :]
        yield Token(0, len(text), keys, f"{found[1]} {sorted(keys.split(', '))}")


def _two_key_orders(one: Token, two: Token) -> Evidence:
    a, b = one.value.split(", "), two.value.split(", ")
    at = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    return Evidence(", ".join(a[at : at + 3]), ", ".join(b[at : at + 3]))


_LISTED = late(r"\"(?P<v>[a-z0-9]+:[0-9a-f]{32,128})\"")


def _manifests(text: str) -> Iterator[Token]:
    """The digests of an index in their order, with all of them as form."""
    yield Token(0, len(text), text, "\0".join(sorted(_LISTED.findall(text))))


def _two_orders(one: Token, two: Token) -> Evidence:
    a, b = (_LISTED.findall(token.value) for token in (one, two))
    return next(
        (Evidence(x[:19], y[:19]) for x, y in zip(a, b, strict=True) if x != y),
        any_or_none(one, two),
    )


_BLOB = late(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json|\.tar(?:\.gz)?|/layer\.tar)?")


def _blob_name(text: str) -> Iterator[Token]:
    """The name that an archive's form gives to a blob, with its digest as form."""
    if found := _BLOB.fullmatch(text):
        yield Token(0, len(text), text, found[1])


# Attestations

_STEP = r"predicate/(?:runDetails/)?metadata/"
_QUOTED_ID = matches(late(r'\A"(?P<v>[a-z0-9]{25})"\Z'), "identifier")

_CREATED: Final = Cause(
    id="oci-config-created",
    title="Time of creation in the image config",
    family="time",
    kinds=("config.value",),
    tokens=_time,
    judge=_two_set_times,
    where=_at("config", "/created"),
    why="The builder writes the time of day into `created` (OCI image-spec, config).",
    fixes=_TIMES,
    references=(_EPOCH, _BUILD_REPRO),
    example=NearMiss(
        "config.value",
        "2026-01-10T10:00:00Z",
        "2026-03-15T12:34:56.123456789Z",
        where=("linux/amd64", "config", "/created"),
    ),
    near_miss=NearMiss(
        "config.value", "amd64", "arm64", where=("linux/amd64", "config", "/architecture")
    ),
)
_STAMPED: Final = Cause(
    id="oci-annotation-created",
    title="Time of the build in a label or annotation",
    family="time",
    kinds=("config.value", "manifest.value", "index.value"),
    tokens=_time,
    judge=_two_set_times,
    where=late(rf"/(?:Labels|annotations){_KEY_OF_TIME}\Z"),
    why="A label or an annotation says when the image was built.",
    fixes=(
        Fix("set the label from SOURCE_DATE_EPOCH (BuildKit sets its annotations so), or drop it"),
    ),
    references=(f"{_SPEC}annotations.md", _EPOCH),
    example=NearMiss(
        "config.value",
        "2026-01-10T10:00:00Z",
        "2026-03-15T12:34:56Z",
        where=("linux/amd64", "config", "/config/Labels/org.opencontainers.image.created"),
    ),
    near_miss=NearMiss(
        "config.value",
        "1.0",
        "1.1",
        where=("linux/amd64", "config", "/config/Labels/org.opencontainers.image.version"),
    ),
)
_BUILDER: Final = Cause(
    id="oci-builder-identity-label",
    title="The builder's name and version",
    family="toolchain",
    kinds=("config.value",),
    tokens=_single("io.buildah.version", _VERSION),
    judge=any_or_none,
    where=_at("config", r"/config/Labels(?:/io\.buildah\.version)?"),
    why="The builder writes its version into the image, and another version built it.",
    fixes=(
        Fix(
            "buildah --identity-label=false (implied by --timestamp and --source-date-epoch); or"
            " the same version of the builder",
            _BUILDAH,
        ),
        Fix("build with the same version of the same builder; buildah --identity-label=false"),
    ),
    references=(f"{_SPEC}config.md",),
    example=NearMiss(
        "config.value",
        "1.28.2",
        "1.41.0",
        where=("linux/amd64", "config", "/config/Labels/io.buildah.version"),
    ),
    near_miss=NearMiss(
        "config.value",
        '{"io.buildah.version":"1.28.2","x":"1"}',
        "",
        where=("linux/amd64", "config", "/config/Labels"),
    ),
)
_HISTORY: Final = Cause(
    id="oci-history-created-by",
    title="Steps of the history: times in them, or their wording",
    family="toolchain",
    kinds=("config.value",),
    tokens=_instruction,
    judge=any_or_none,
    where=_at("config", r"/history/\d+/created_by"),
    why="Builders word the same instruction differently (the classic one and BuildKit), and some"
    " write a digest of what they copied into it.",
    fixes=(Fix("build with the same builder; buildah --omit-history leaves the history out"),),
    references=(f"{_SPEC}config.md",),
    example=NearMiss(
        "config.value",
        'CMD ["/usr/bin/hello"]',
        '/bin/sh -c #(nop) CMD ["/usr/bin/hello"]',
        where=("linux/amd64", "config", "/history/0/created_by"),
    ),
    near_miss=NearMiss(
        "config.value",
        'CMD ["/usr/bin/hello"]',
        '/bin/sh -c #(nop) CMD ["/usr/bin/hallo"]',
        where=("linux/amd64", "config", "/history/0/created_by"),
    ),
)
_PACKED: Final = Cause(
    id="oci-layer-compression",
    title="Layers are compressed in another way",
    family="toolchain",
    kinds=(
        "layer.encoder",
        "layer.compression",
        "layer.gzip.mtime",
        "layer.gzip.os",
        "layer.gzip.xfl",
        "layer.gzip.flags",
        "layer.gzip.members",
        "layer.zstd.checksum",
        "layer.zstd.content_size",
        "layer.zstd.descriptor",
        "layer.zstd.window",
    ),
    tokens=whole(),
    judge=any_or_none,
    why="The same content was compressed by another program, version or level, so that layers and"
    " manifests have other digests.",
    fixes=(
        Fix(
            "the same version of BuildKit, and --output"
            " compression=gzip,compression-level=N,force-compression=true; or compare with"
            " --require config",
            _BUILDKIT,
        ),
        Fix(
            "compress with the same version of the same program at the same level; or compare with"
            " --require config"
        ),
    ),
    references=(f"{_SPEC}layer.md", _BUILD_REPRO),
    example=NearMiss("layer.encoder", "zlib level 1, 26 bytes", "zlib level 9, 21 bytes"),
    near_miss=NearMiss("layer.gzip.extra", "00", "01"),
)
_SCHEMA: Final = Cause(
    id="oci-media-type-schema",
    title="Schema and layout of the image's documents",
    family="toolchain",
    kinds=("manifest.value", "index.value"),
    tokens=_media_type,
    judge=any_or_none,
    why="One side was written with docker's media types, the other with OCI's; they say the same.",
    fixes=(
        Fix("BuildKit: --output type=oci (or image),oci-mediatypes=true", _BUILDKIT),
        Fix("buildah: --format oci; skopeo copy --format oci", _BUILDAH),
        Fix("write both images with the same tool in the same format (oci-mediatypes=true)"),
    ),
    references=(f"{_SPEC}media-types.md",),
    example=NearMiss(
        "manifest.value", f"{_OCI}config.v1+json", f"{_DOCKER}container.image.v1+json"
    ),
    near_miss=NearMiss(
        "manifest.value", f"{_OCI}manifest.v1+json", f"{_DOCKER}container.image.v1+json"
    ),
)
_STYLED: Final = replace(
    _SCHEMA,
    kinds=("config.encoding", "manifest.encoding", "index.encoding", "layout.encoding"),
    tokens=_all_of(_STYLE),
    judge=any_two,
    where=late(r"(?:\A|/)(?:config|manifest|index(?: \d+)?|index\.json|oci-layout)\Z"),
    why="Another builder writes its documents with other white space.",
    fixes=(Fix("write both images with the same version of the same tool"),),
    example=NearMiss(
        "config.encoding", "compact", "indented by 2 spaces", where=("linux/amd64", "config")
    ),
    near_miss=NearMiss("config.encoding", "compact", "hidden", where=("linux/amd64", "config")),
)
_OUTER: Final = Cause(
    id="oci-outer-archive-metadata",
    title="The archive around the image",
    family="toolchain",
    kinds=("archive.header",),
    tokens=whole(),
    judge=any_or_none,
    where=late(
        r"(?:\A|/)(?:mode|uid|gid|mtime|uname|gname|devmajor|devminor|magic|PAX [acm]time)"
        r" of (?:1|\d+) members?\Z"
    ),
    why="The archive that carries the image keeps times and owners of its own; nothing that is"
    " run or verified depends on them.",
    fixes=(
        Fix(
            "compare digests, or with --require manifest; else write a layout (skopeo copy ..."
            " oci:DIR) and pack it with tar --sort=name --mtime=@0 --owner=0 --group=0"
            " --numeric-owner"
        ),
    ),
    references=("https://reproducible-builds.org/docs/archives/", f"{_SPEC}image-layout.md"),
    example=NearMiss("archive.header", "0", "1767225600", where=("archive", "mtime of 7 members")),
    near_miss=NearMiss(
        "archive.header", "index.json", "other.json", where=("archive", "name of 1 member")
    ),
)
_ATTESTED: Final = Cause(
    id="oci-provenance-attestation",
    title="Provenance and other attestations of the build",
    family="time",
    kinds=("in_toto.value",),
    tokens=times,
    judge=two_times,
    where=late(_STEP + r"(?:(?:build)?(?:[sS]tarted|[fF]inished)On)\Z"),
    why="The provenance that a builder attaches says when this build ran and gives it a random"
    " identifier.",
    fixes=(
        Fix(
            "buildx build --provenance=false; or compare the manifests of the platforms, not the"
            " index"
        ),
    ),
    references=(
        "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-provenance.md",
    ),
    example=NearMiss(
        "in_toto.value",
        '"2026-01-02T03:05:06Z"',
        '"2026-01-02T03:05:09Z"',
        where=("blob 1", "predicate", "metadata", "buildFinishedOn"),
    ),
    near_miss=NearMiss(
        "in_toto.value",
        '"https://example.org/one"',
        '"https://example.org/two"',
        where=("blob 1", "predicate", "runDetails", "builder", "id"),
    ),
)

CAUSES: Final[tuple[Cause, ...]] = (
    _CREATED,
    replace(
        _CREATED,
        id="oci-history-created",
        title="Times of the history in the image config",
        where=_at("config", r"/history/\d+/created"),
        why="The builder writes the time of day into each entry of `history`.",
        fixes=(
            *_TIMES[:2],
            Fix(f"{_TIMES[2].text}; buildah --omit-history"),
        ),
        example=NearMiss(
            "config.value",
            "2026-01-10T10:00:00Z",
            "2026-03-15T12:34:56Z",
            where=("linux/amd64", "config", "/history/0/created"),
        ),
        near_miss=NearMiss(
            "config.value",
            "RUN make",
            "RUN make all",
            where=("linux/amd64", "config", "/history/0/created_by"),
        ),
    ),
    _STAMPED,
    replace(
        _STAMPED,
        kinds=("manifest.value",),
        tokens=_single("buildkit/rewritten-timestamp", r"\d{1,10}"),
        judge=any_or_none,
        where=late(r"/layers/\d+/annotations(?:/buildkit~1rewritten-timestamp)?\Z"),
        example=NearMiss(
            "manifest.value",
            '{"buildkit/rewritten-timestamp":"1"}',
            "",
            where=("linux/amd64", "manifest", "/layers/0/annotations"),
        ),
        near_miss=NearMiss(
            "manifest.value",
            '{"buildkit/rewritten-timestamp":"1","x":"2"}',
            "",
            where=("linux/amd64", "manifest", "/layers/0/annotations"),
        ),
    ),
    _BUILDER,
    replace(
        _BUILDER,
        tokens=_all_of(r"(?:(?:buildkit|mobyimage|buildah|kaniko)[a-z.]*(?:\.v\d+)?)?"),
        where=_at("config", r"/history/\d+/comment"),
        example=NearMiss(
            "config.value",
            "buildkit.dockerfile.v0",
            "",
            where=("linux/amd64", "config", "/history/0/comment"),
        ),
        near_miss=NearMiss(
            "config.value",
            "buildkit.dockerfile.v0",
            "with a backdoor",
            where=("linux/amd64", "config", "/history/0/comment"),
        ),
    ),
    replace(
        _BUILDER,
        tokens=_all_of(_VERSION),
        where=_at("config", r"/docker_version"),
        example=NearMiss(
            "config.value", "20.10.7", "24.0.5", where=("linux/amd64", "config", "/docker_version")
        ),
        near_miss=NearMiss(
            "config.value", "20.10.7", "24.0.5", where=("linux/amd64", "config", "/os.version")
        ),
    ),
    Cause(
        id="oci-config-hostname-container-id",
        title="Identifier of the container that was committed",
        family="randomness",
        kinds=("config.value",),
        tokens=_CONTAINER,
        judge=_two_containers,
        where=_at("config", r"/(?:container|(?:config|container_config)/(?:Hostname|Image))"),
        why="docker commit, the classic builder and buildah's docker format keep the random"
        " identifier of the container that they worked in.",
        fixes=(
            Fix("buildah: --format oci, which has no such field", _BUILDAH),
            Fix(
                "build with BuildKit (DOCKER_BUILDKIT=1, docker buildx build), or with buildah and"
                " --format oci"
            ),
        ),
        references=(f"{_SPEC}config.md",),
        example=NearMiss(
            "config.value",
            "3f4e8a7c9b21",
            "a1b2c3d4e5f6",
            where=("linux/amd64", "config", "/config/Hostname"),
        ),
        near_miss=NearMiss(
            "config.value",
            "builder-one",
            "builder-two",
            where=("linux/amd64", "config", "/config/Hostname"),
        ),
    ),
    _HISTORY,
    replace(
        _HISTORY,
        tokens=joined(_CONTEXT, times, epoch_numbers),
        judge=lambda one, two: any_two(one, two) if one.form == "digest" else two_times(one, two),
        why="The history keeps the values of build arguments, and the classic builder a digest of"
        " what it copied.",
        fixes=(
            Fix(
                "no ARG for dates (RUN --mount=type=secret for what must vary); SOURCE_DATE_EPOCH"
                " as the only time; buildah --omit-history"
            ),
        ),
        references=(f"{_SPEC}config.md", _BUILD_REPRO),
        example=NearMiss(
            "config.value",
            "RUN |1 BUILD_DATE=2026-01-10T10:00:00Z /bin/sh -c make # buildkit",
            "RUN |1 BUILD_DATE=2026-03-15T12:34:56Z /bin/sh -c make # buildkit",
            where=("linux/amd64", "config", "/history/0/created_by"),
        ),
        near_miss=NearMiss(
            "config.value",
            "RUN |1 BUILD_DATE=2026-01-10T10:00:00Z /bin/sh -c make # buildkit",
            "RUN |1 BUILD_DATE=2026-03-15T12:34:56Z /bin/sh -c make X=1 # buildkit",
            where=("linux/amd64", "config", "/history/0/created_by"),
        ),
    ),
    _PACKED,
    replace(
        _PACKED,
        kinds=("layer.gzip.name",),
        tokens=_all_of(r"[\w./+-]{0,255}"),
        example=NearMiss("layer.gzip.name", "", "layer.tar"),
        near_miss=NearMiss("layer.gzip.name", "", "two words"),
    ),
    replace(
        _PACKED,
        kinds=("layer.gzip.trailing",),
        tokens=_all_of(r"(?:\d+ bytes: zeros)?"),
        example=NearMiss("layer.gzip.trailing", "", "8 bytes: zeros"),
        near_miss=NearMiss("layer.gzip.trailing", "", "8 bytes: 0001020304050607"),
    ),
    _SCHEMA,
    replace(
        _SCHEMA,
        tokens=_own_media_type,
        judge=_one_missing,
        where=late(r"(?:\A|[^/]/)/mediaType\Z"),
        example=NearMiss(
            "index.value", "", f"{_OCI}index.v1+json", where=("index.json", "/mediaType")
        ),
        near_miss=NearMiss(
            "index.value",
            f"{_OCI}manifest.v1+json",
            f"{_OCI}index.v1+json",
            where=("index.json", "/mediaType"),
        ),
    ),
    _STYLED,
    replace(
        _STYLED,
        id="json-key-order",
        title="Keys or attributes in another order",
        family="order",
        tokens=_key_order,
        judge=_two_key_orders,
        why="The writer went over a hash table, or another one has another order. An object is the"
        " same in any order (RFC 8259, section 4).",
        fixes=(
            Fix(
                "json.dumps(…, sort_keys=True); jq -S; documents of an image: write both with the"
                " same version of the same tool"
            ),
        ),
        references=(
            "https://www.rfc-editor.org/rfc/rfc8259#section-4",
            f"{_SPEC}canonicalization.md",
        ),
        example=NearMiss(
            "config.encoding",
            "order of keys of the document: architecture, config, created",
            "order of keys of the document: created, architecture, config",
            where=("linux/amd64", "config"),
        ),
        near_miss=NearMiss(
            "config.encoding",
            "order of keys of the document: architecture, config, created",
            "order of keys of the document: created, architecture, hidden",
            where=("linux/amd64", "config"),
        ),
    ),
    replace(
        _SCHEMA,
        kinds=("archive.form",),
        tokens=_all_of(r"(?:docker-archive|docker-oci-archive|oci-archive|oci-layout)"),
        where=None,
        why="The image was saved in another form of archive.",
        fixes=(Fix("save both in one form: skopeo copy ... oci-archive:FILE"),),
        example=NearMiss("archive.form", "oci-archive", "docker-archive", where=("archive",)),
        near_miss=NearMiss("archive.form", "oci-archive", "root-tar", where=("archive",)),
    ),
    replace(
        _SCHEMA,
        kinds=("index.nesting",),
        tokens=_all_of(r"\d"),
        where=None,
        why="One exporter puts an index of its own around the manifests, the other none.",
        example=NearMiss("index.nesting", "0", "1", where=("index",)),
        near_miss=NearMiss("index.nesting", "0", "1; annotations", where=("index",)),
    ),
    Cause(
        id="oci-manifest-order",
        title="Manifests of an index in another order",
        family="order",
        kinds=("index.order",),
        tokens=_manifests,
        judge=_two_orders,
        where=late(r"//manifests\Z"),
        why="The index was put together in the order in which platforms were ready, or of a hash"
        " map.",
        fixes=(
            Fix(
                "sort the platforms when the index is made (docker buildx imagetools create, or"
                " buildah manifest add, one by one)"
            ),
        ),
        references=(
            "https://github.com/containers/buildah/issues/6383",
            f"{_SPEC}image-index.md",
        ),
        example=NearMiss(
            "index.order",
            f'["sha256:{"a" * 64}", "sha256:{"b" * 64}"]',
            f'["sha256:{"b" * 64}", "sha256:{"a" * 64}"]',
            where=("index", "/manifests"),
        ),
        near_miss=NearMiss(
            "index.order",
            f'["sha256:{"a" * 64}", "sha256:{"b" * 64}"]',
            f'["sha256:{"b" * 64}", "sha256:{"c" * 64}"]',
            where=("index", "/manifests"),
        ),
    ),
    _OUTER,
    replace(
        _OUTER,
        kinds=("archive.padding",),
        tokens=_all_of(r"\d+ zero bytes"),
        where=late(r"(?:\A|/)end\Z"),
        example=NearMiss(
            "archive.padding", "1024 zero bytes", "7168 zero bytes", where=("archive", "end")
        ),
        near_miss=NearMiss(
            "archive.padding", "1024 zero bytes", "7168 bytes", where=("archive", "end")
        ),
    ),
    replace(
        _OUTER,
        kinds=("archive.order",),
        where=None,
        example=NearMiss("archive.order", "a, b", "b, a", where=("archive",)),
        near_miss=NearMiss("archive.extra", "a, b", "b, a", where=("archive",)),
    ),
    replace(
        _OUTER,
        kinds=("archive.compression",),
        where=late(
            r"(?:\A|/)archive(?:/(?:stream|gzip\.(?:mtime|os|xfl|flags|name|members)"
            r"|zstd\.(?:checksum|content_size|descriptor|window)))?\Z"
        ),
        example=NearMiss("archive.compression", "none", "gzip", where=("archive",)),
        near_miss=NearMiss("archive.compression", "00", "01", where=("archive", "gzip.extra")),
    ),
    replace(
        _OUTER,
        kinds=("layout.value",),
        tokens=_blob_name,
        where=late(r"//\d+/(?:Config|Layers/\d+)\Z"),
        why="Another form of archive gives other names to the same blobs.",
        example=NearMiss(
            "layout.value",
            f"blobs/sha256/{'a' * 64}",
            f"{'a' * 64}.json",
            where=("archive", "manifest.json", "/0/Config"),
        ),
        near_miss=NearMiss(
            "layout.value",
            f"blobs/sha256/{'a' * 64}",
            f"{'b' * 64}.json",
            where=("archive", "manifest.json", "/0/Config"),
        ),
    ),
    Cause(
        id="oci-layer-boundary",
        title="The same files in other layers",
        family="toolchain",
        kinds=("layer.boundary",),
        tokens=_all_of(r"\d{1,4}"),
        judge=any_two,
        why="One build put into one layer what the other put into several. Every file and every"
        " header is the same, and no layer hides anything.",
        fixes=(
            Fix("buildah build --layers=false, or --layers on both sides", _BUILDAH),
            Fix(
                "the same instructions in the same steps, and the same options on both sides"
                " (buildah --layers, --squash; COPY --link; kaniko --single-snapshot)"
            ),
        ),
        references=(f"{_SPEC}layer.md", f"{_SPEC}config.md"),
        example=NearMiss("layer.boundary", "3", "2", where=("linux/amd64", "layers")),
        near_miss=NearMiss("layer.count", "3", "2", where=("linux/amd64", "layers")),
        composes=False,
    ),
    _ATTESTED,
    replace(
        _ATTESTED,
        tokens=joined(uuids, _QUOTED_ID),
        judge=any_two,
        where=late(_STEP + r"(?:[iI]nvocationI[dD]|buildInvocationI[dD])\Z"),
        example=NearMiss(
            "in_toto.value",
            '"p9avtuit87a24efiy4qncgy27"',
            '"x1sk7cy25wbyjh4hbfhyqtvmh"',
            where=("blob 1", "predicate", "runDetails", "metadata", "invocationId"),
        ),
        near_miss=NearMiss(
            "in_toto.value",
            '"p9avtuit87a24efiy4qncgy27"',
            '"x1sk7cy25wbyjh4hbfhyqtvmh"',
            where=("blob 1", "predicate", "buildDefinition", "buildType"),
        ),
    ),
    replace(
        _ATTESTED,
        kinds=("attestation.only_in_?",),
        tokens=_all_of(r"(?:sha256:[0-9a-f]{64})?"),
        judge=any_or_none,
        where=None,
        why="One build attached an attestation to the image, the other did not.",
        example=NearMiss("attestation.only_in_b", "", f"sha256:{'a' * 64}"),
        near_miss=NearMiss("platform.only_in_b", "", f"sha256:{'a' * 64}"),
    ),
)
