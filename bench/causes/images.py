"""Pairs whose cause is the image's own: its documents, its layers, the archive around it."""

import gzip
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import zstandard

from bench.causes.cases import Case, Expected, Sides, archives
from bench.causes.pairs import DRIFT, by_id, sides
from bench.causes.wrap import LAYER_GZIP, MTIME, Files, Held, base, differing, members, packed
from fixtures import images as oci
from fixtures.causes.make import HERE
from fixtures.images import Item, Layer, image, index, layer, oci_archive
from fixtures.tar import END, Member, file, hardlink, opaque, tar, whiteout, xattr

IMAGES = HERE / "images"
T = ("2026-01-10T10:00:00.123456789Z", "2026-03-15T12:34:56.987654321Z")
UNIX = (1768039200, 1773578096)
HEX = ("3f4e5d6c7b8a" * 6, "9a8b7c6d5e4f" * 6)
UUIDS = ("8c2f7c1e-52b9-4be7-9d39-0a5b1f0f7d11", "1f4b9a70-3f4e-4c8e-8b1d-6f1f2f3a4b5c")

TREE: Files = {
    "usr/bin/app": Held(b"#!/bin/sh\nexec /usr/lib/app/main\n", 0o755),
    "usr/lib/app/main": Held(b"#!/bin/sh\necho app\n", 0o755),
    "usr/lib/app/data.txt": Held(b"".join(b"%d\n" % n for n in range(400))),
    "usr/share/doc/app/README": Held(b"An example.\n"),
    "etc/app/app.conf": Held(b"port=80\n"),
}


def tree() -> list[Member]:
    return members(TREE)


def of_layer(change: Callable[[list[Member], int], Iterable[Member] | bytes]) -> list[Item]:
    """Two images whose second layer is the tree with something changed on each side."""
    found = []
    for side in (0, 1):
        made = change(tree(), side)
        found.append(image([base(), packed(made if isinstance(made, bytes) else tar(made))]))
    return found


def of_config(change: Callable[[int], Mapping[str, Any]]) -> list[Item]:
    return [image([base(), packed(tar(tree()))], config=change(side)) for side in (0, 1)]


def of_packing(*ways: Callable[[bytes], Layer]) -> list[Item]:
    unpacked = tar(tree())
    return [image([base(), way(unpacked)]) for way in ways]


def every(**changes: tuple[Any, Any]) -> Callable[[list[Member], int], Iterable[Member]]:
    """All members with these fields of the side."""

    def change(these: list[Member], side: int) -> Iterable[Member]:
        return [one.but(**{key: value[side] for key, value in changes.items()}) for one in these]

    return change


def only(path: str, **changes: tuple[Any, Any]) -> Callable[[list[Member], int], Iterable[Member]]:
    def change(these: list[Member], side: int) -> Iterable[Member]:
        return [
            one.but(**{key: value[side] for key, value in changes.items()})
            if one.name == path.encode()
            else one
            for one in these
        ]

    return change


def history(key: str, values: tuple[str, str], side: int) -> list[dict[str, str]]:
    entries = [{"created": oci.EPOCH, "created_by": "COPY rootfs/ / # buildkit"} for _ in "12"]
    entries[1][key] = values[side]
    return entries


def gzipped(**options: Any) -> Callable[[bytes], Layer]:
    def way(unpacked: bytes) -> Layer:
        data = bytearray(gzip.compress(unpacked, options.get("level", 6), mtime=0))
        data[4:8] = options.get("mtime", 0).to_bytes(4, "little")
        name = options.get("name")
        if name:
            data[3] |= 8
            data[10:10] = name + b"\0"
        return layer(unpacked, bytes(data), LAYER_GZIP)

    return way


def zstded(unpacked: bytes) -> Layer:
    data = zstandard.ZstdCompressor(level=3).compress(unpacked)
    return layer(unpacked, data, f"{oci.LAYER}+zstd")


def plain(unpacked: bytes) -> Layer:
    return layer(unpacked)


def permuted(these: list[Member], side: int) -> list[Member]:
    directories = [one for one in these if one.type == b"5"]
    others = [one for one in these if one.type != b"5"]
    return directories + (others[2:] + others[:2] if side else others)


def umasked(these: list[Member], side: int) -> list[Member]:
    """As made under umask 022, or under 002."""
    return [one.but(mode=one.mode | 0o020) if side else one for one in these]


def linked(these: list[Member], side: int) -> list[Member]:
    twin = hardlink("usr/lib/app/twin", "usr/lib/app/data.txt").but(mtime=MTIME)
    copied = file("usr/lib/app/twin", TREE["usr/lib/app/data.txt"].content).but(mtime=MTIME)
    return [*these, copied if side else twin]


def labelled(these: list[Member], side: int) -> list[Member]:
    context = b"system_u:object_r:container_file_t:s0:c%d,c%d\0" % ((1, 2) if not side else (7, 9))
    return [one.but(pax=(xattr("security.selinux", context),)) for one in these]


def stamped(these: list[Member], side: int) -> list[Member]:
    records = ((b"atime", b"%d.5" % UNIX[side]), (b"ctime", b"%d.25" % UNIX[side]))
    return [one.but(pax=records) for one in these]


def subsecond(these: list[Member], side: int) -> list[Member]:
    record = (b"mtime", b"1." + (b"123456789", b"987654321")[side])
    return [one.but(pax=(record,)) for one in these]


def padded(these: list[Member], side: int) -> bytes:
    return tar(these, END if not side else bytes(10240))


def removal(change: Callable[[int], list[Member]]) -> list[Item]:
    """Two images whose third layer removes files of the second."""
    second = packed(tar(tree()))
    return [image([base(), second, packed(tar(change(side)))]) for side in (0, 1)]


def boundaries() -> list[Item]:
    these = tree()
    split = [packed(tar(these[:6])), packed(tar(these[6:]))]
    return [image([base(), *split]), image([base(), packed(tar(these))])]


def created_annotation(side: int) -> Item:
    notes = {"org.opencontainers.image.created": T[side]}
    return image([base(), packed(tar(tree()))], annotations=notes)


def attested(change: Callable[[int], Mapping[str, Any]], kind: str) -> list[Item]:
    subject = image([base(), packed(tar(tree()))])
    return [
        index(
            [
                subject,
                oci.attestation(
                    subject,
                    {
                        "_type": "https://in-toto.io/Statement/v0.1",
                        "predicateType": kind,
                        "subject": [{"name": "app", "digest": {"sha256": "0" * 64}}],
                        "predicate": change(side),
                    },
                ),
            ]
        )
        for side in (0, 1)
    ]


def provenance(side: int) -> Mapping[str, Any]:
    return {
        "builder": {"id": ""},
        "buildType": "https://mobyproject.org/buildkit@v1",
        "metadata": {
            "buildInvocationID": ("k1v9x2m4n6p8q0r2s4t6u8w0y", "z9y8x7w6v5u4t3s2r1q0p9o8n")[side],
            "buildStartedOn": T[side],
            "buildFinishedOn": T[side].replace(":00.", ":09.").replace(":56.", ":59."),
            "reproducible": False,
        },
    }


def spdx(side: int) -> Mapping[str, Any]:
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "app",
        "documentNamespace": f"https://example.org/spdx/app-{UUIDS[side]}",
        "creationInfo": {"creators": ["Tool: example-1"], "created": T[side][:19] + "Z"},
    }


def reordered() -> list[Item]:
    items = [
        image([base(), packed(tar(tree()))], where=oci.platform(name))
        for name in ("amd64", "arm64")
    ]
    return [index(items), index(reversed(items))]


def docker_types() -> list[Item]:
    layers = [base(), packed(tar(tree()))]
    return [image(layers), image(layers, docker=True)]


def labels(key: str, values: tuple[str, str]) -> list[Item]:
    return of_config(lambda side: {"config": {"WorkingDir": "/", "Labels": {key: values[side]}}})


def key_order() -> list[Item]:
    env = {"Env": ["PATH=/usr/bin"], "Labels": {"a": "1", "b": "2"}, "WorkingDir": "/"}
    return of_config(lambda side: {"config": dict(reversed(env.items())) if side else env})


def other_base() -> list[Item]:
    """Another release of the base image, and the same layer on it."""
    found = []
    for version in (b"1.0", b"1.1"):
        release = b'NAME="Example Linux"\nVERSION_ID="%s"\n' % version
        below = packed(tar(members({"etc/os-release": Held(release), "etc/libc": Held(version)})))
        found.append(image([below, packed(tar(tree()))]))
    return found


def other_package() -> list[Item]:
    """A package in another version."""
    found = []
    for version in ("7.88.1-10+deb12u5", "7.88.1-10+deb12u6"):
        status = f"Package: curl\nStatus: install ok installed\nVersion: {version}\n\n".encode()
        files = {
            "var/lib/dpkg/status": Held(status),
            "usr/bin/curl": Held(b"\x7fcurl" + version.encode(), 0o755),
        }
        found.append(image([base(), packed(tar(members(files)))]))
    return found


ALL = tuple(sorted({one.name.decode().rstrip("/") for one in tree()}))

Row = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], Callable[[], Sequence[Item]]]

ROWS: tuple[Row, ...] = (
    ("oci-config-created", ("oci-config-created",), (), (),
     lambda: of_config(lambda side: {"created": T[side]})),
    ("oci-config-created-seconds", ("oci-config-created",), (), (),
     lambda: of_config(lambda side: {"created": T[side][:19] + "Z"})),
    ("oci-history-created", ("oci-history-created",), (), (),
     lambda: of_config(lambda side: {"history": history("created", T, side)})),
    ("oci-history-created-by-arg", ("oci-history-created-by",), ("timestamp-in-text",), (),
     lambda: of_config(lambda side: {"history": history("created_by", (
         "|1 BUILD_DATE=2026-01-10 /bin/sh -c make", "|1 BUILD_DATE=2026-03-15 /bin/sh -c make",
     ), side)})),
    ("oci-history-created-by-copy", ("oci-history-created-by",), ("random-hex-token",), (),
     lambda: of_config(lambda side: {"history": history("created_by", (
         f"/bin/sh -c #(nop) COPY file:{HEX[0][:64]} in /app",
         f"/bin/sh -c #(nop) COPY file:{HEX[1][:64]} in /app",
     ), side)})),
    ("oci-layer-gzip-level", ("oci-layer-compression",), ("compression-level-or-implementation",),
     (), lambda: of_packing(gzipped(level=1), gzipped(level=9))),
    ("oci-layer-gzip-or-zstd", ("oci-layer-compression",),
     ("compression-level-or-implementation", "oci-media-type-schema"), (),
     lambda: of_packing(gzipped(), zstded)),
    ("oci-layer-plain-or-gzip", ("oci-layer-compression",),
     ("compression-level-or-implementation", "oci-media-type-schema"), (),
     lambda: of_packing(plain, gzipped())),
    ("oci-layer-gzip-mtime", ("gzip-header-mtime",), ("oci-layer-compression",), (),
     lambda: of_packing(gzipped(mtime=UNIX[0]), gzipped(mtime=UNIX[1]))),
    ("oci-layer-gzip-name", ("gzip-header-name",), ("oci-layer-compression",), (),
     lambda: of_packing(gzipped(name=b"layer1.tar"), gzipped(name=b"layer-build.tar"))),
    ("layer-mtime-all", ("tar-mtime",), (), ALL, lambda: of_layer(every(mtime=UNIX))),
    ("layer-mtime-one", ("tar-mtime",), (), ("usr/lib/app/main",),
     lambda: of_layer(only("usr/lib/app/main", mtime=UNIX))),
    ("layer-mtime-clamped", ("tar-mtime",), (), ("etc/app/app.conf",),
     lambda: of_layer(only("etc/app/app.conf", mtime=(1, UNIX[1])))),
    ("layer-mtime-subsecond", ("tar-mtime-subsecond",), ("tar-mtime",), ALL,
     lambda: of_layer(subsecond)),
    ("layer-uid-gid", ("tar-uid-gid",), (), ALL,
     lambda: of_layer(every(uid=(1000, 1001), gid=(1000, 1001)))),
    ("layer-uname", ("tar-uname-gname",), (), ALL,
     lambda: of_layer(every(uname=(b"root", b"builder"), gname=(b"root", b"builder")))),
    ("layer-umask", ("different-due-to-umask",), (), ALL, lambda: of_layer(umasked)),
    ("layer-member-order", ("archive-member-order",), (), (), lambda: of_layer(permuted)),
    ("layer-selinux", ("tar-xattrs",), (), ALL, lambda: of_layer(labelled)),
    ("layer-atime-ctime", ("tar-pax-atime-ctime",), (), ALL, lambda: of_layer(stamped)),
    ("layer-tar-format", ("tar-format",), (), (),
     lambda: of_layer(every(dialect=("ustar", "gnu")))),
    ("layer-hardlink-or-copy", ("hardlink-dedup",), (), ("usr/lib/app/twin",),
     lambda: of_layer(linked)),
    ("layer-padding", ("tar-trailing-padding",), (), (), lambda: of_layer(padded)),
    ("layer-whiteout-mtime", ("oci-whiteout-timestamp",), ("tar-mtime",), (),
     lambda: removal(lambda side: [whiteout("usr/lib/app/data.txt").but(mtime=UNIX[side])])),
    ("layer-opaque-or-not", ("oci-opaque-whiteout",), (), (),
     lambda: removal(lambda side: [] if side else [opaque("srv/empty").but(mtime=MTIME)])),
    ("layer-boundary", ("oci-layer-boundary",), (), (), boundaries),
    ("oci-annotation-created", ("oci-annotation-created",), (), (),
     lambda: [created_annotation(side) for side in (0, 1)]),
    ("oci-label-created", ("oci-annotation-created",), (), (),
     lambda: labels("org.opencontainers.image.created", T)),
    ("oci-label-build-date", ("oci-annotation-created",), (), (),
     lambda: labels("org.label-schema.build-date", (T[0][:19] + "Z", T[1][:19] + "Z"))),
    ("oci-label-revision", ("vcs-revision-stamp",), (), (),
     lambda: labels("org.opencontainers.image.revision", (HEX[0][:40], HEX[1][:40]))),
    ("oci-label-buildah", ("oci-builder-identity-label",), (), (),
     lambda: labels("io.buildah.version", ("1.28.2", "1.41.0"))),
    ("oci-hostname", ("oci-config-hostname-container-id",), (), (),
     lambda: of_config(lambda side: {"config": {"Hostname": HEX[side][:12], "WorkingDir": "/"}})),
    ("oci-container-id", ("oci-config-hostname-container-id",), (), (),
     lambda: of_config(lambda side: {"container": HEX[side][:64]})),
    ("oci-config-key-order", ("json-key-order",), (), (), key_order),
    ("oci-manifest-order", ("oci-manifest-order",), (), (), reordered),
    ("oci-media-types", ("oci-media-type-schema",), (), (), docker_types),
    ("oci-provenance", ("oci-provenance-attestation",), (), (),
     lambda: attested(provenance, "https://slsa.dev/provenance/v0.2")),
    ("oci-sbom-attestation", ("sbom-serial-and-timestamp",), ("oci-provenance-attestation",), (),
     lambda: attested(spdx, "https://spdx.dev/Document")),
)  # fmt: skip


TOOLS: Mapping[str, tuple[str, ...]] = {
    "buildah-naive": (
        "oci-config-created",
        "oci-history-created",
        "tar-mtime",
        "oci-outer-archive-metadata",
    ),
    "buildah-timestamp": ("oci-outer-archive-metadata",),
    "buildah-other-timestamp": ("oci-config-created", "oci-history-created", "tar-mtime"),
    "buildah-no-gzip": ("oci-layer-compression",),
    "skopeo-zstd": ("oci-layer-compression",),
    "umoci-layer-mtime": ("tar-mtime",),
}
"""What fixtures/causes/images.sh made with real tools, and what differs there."""


def of_tools(name: str, causes: tuple[str, ...]) -> Case:
    def build() -> Sides:
        a, b = ((IMAGES / name / f"{side}.tar").read_bytes() for side in "ab")
        return a, b

    return Case(name, "image", build, tuple(Expected((one,)) for one in causes))


def pairs() -> list[Case]:
    found = [of_tools(name, causes) for name, causes in TOOLS.items()]
    found += [
        Case(
            name,
            "image",
            lambda make=make: archives(*make()),  # type: ignore[misc]  # bound now, not at the end
            (Expected(right, accepted, paths),),
        )
        for name, right, accepted, paths, make in ROWS
    ]
    return [*found, Case("oci-outer-archive", "image", outer, OUTER)]


OUTER = (Expected(("oci-outer-archive-metadata",)),)


def outer() -> Sides:
    """The same blobs in archives of different times."""
    item = image([base(), packed(tar(tree()))])
    return oci_archive(item, mtime=UNIX[0]), oci_archive(item, mtime=UNIX[1])


def drift() -> list[Case]:
    return [
        Case("base-image-drift", DRIFT, lambda: archives(*other_base()),
             (Expected(("base-image-drift",)),)),
        Case("package-version-drift", DRIFT, lambda: archives(*other_package()),
             (Expected(("package-version-drift",)),)),
    ]  # fmt: skip


TEN = (
    ("elf-file-macro", "pyc-mtime", "gzip-mtime"),
    ("c-date-time-macro", "line-order-text", "zip-dostime"),
    ("iso8601-text",),
)
"""Recipes by layer; with the uuid of the third layer and what the config and headers have: ten."""


def ten() -> list[Case]:
    """Ten causes over three layers and two platforms."""
    platforms = ("amd64", "arm64")
    layers: list[tuple[Files, Files]] = []
    expected = [
        Expected(("oci-config-created",)),
        Expected(("oci-history-created",)),
        Expected(("tar-mtime",), (), ("usr/share/app3/id",)),
    ]
    for number, chosen in enumerate(TEN, 1):
        a: Files = {}
        b: Files = {}
        for name in chosen:
            recipe = by_id(name)
            one, other = sides(recipe, f"usr/share/app{number}/{len(a)}")
            a |= one
            b |= other
            paths = differing(one, other)
            expected += [
                Expected(
                    tuple(recipe["labels"]),
                    tuple(recipe["accept"]),
                    paths,
                    platform=f"linux/{system}",
                )
                for system in platforms
            ]
        layers.append((a, b))
    for side in (0, 1):
        layers[2][side]["usr/share/app3/id"] = Held(f"{UUIDS[side]}\n".encode())
    expected.append(Expected(("random-uuid",), (), ("usr/share/app3/id",)))

    def build() -> Sides:
        items = []
        for side in (0, 1):
            these = []
            for number, files in enumerate(layers):
                made = members(files[side])
                if number == 2:
                    made = [one.but(mtime=UNIX[side]) for one in made]
                these.append(packed(tar(made)))
            config = {
                "created": T[side],
                "history": [
                    {"created": T[side], "created_by": one.created_by} for one in [base(), *these]
                ],
            }
            items.append(
                index(
                    image([base(), *these], where=oci.platform(system), config=config)
                    for system in platforms
                )
            )
        return archives(*items)

    return [Case("ten causes, three layers, two platforms", "ten", build, tuple(expected))]
