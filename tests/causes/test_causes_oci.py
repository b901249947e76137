"""What a builder writes into an image's documents and packing: explained where nothing else is."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import (
    LAYER,
    Item,
    Layer,
    attestation,
    image,
    index,
    layer,
    oci_archive,
    platform,
)
from fixtures.packing import gzip, zstd
from fixtures.recipes.base import root
from fixtures.tar import directory, file, tar
from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.model import Difference, Value
from sxdiff.work.diagnosis import explained
from tests.images import Told, causes, roots, roots_of

PAIRS = Path(__file__).parents[2] / "fixtures/causes/images"
ONE, TWO = "2026-01-10T10:00:00Z", "2026-03-15T12:34:56.123456789Z"
ID = "p9avtuit87a24efiy4qncgy27", "x1sk7cy25wbyjh4hbfhyqtvmh"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "buildah-naive",
            {
                "oci-outer-archive-metadata",
                "oci-config-created",
                "oci-history-created",
                "tar-mtime",
            },
        ),
        ("buildah-timestamp", {"oci-outer-archive-metadata"}),
        ("buildah-other-timestamp", {"oci-config-created", "oci-history-created", "tar-mtime"}),
        ("buildah-no-gzip", {"oci-layer-compression"}),
        ("skopeo-zstd", {"oci-layer-compression"}),
        ("umoci-layer-mtime", {"tar-mtime"}),
    ],
)
def test_images_by_real_builders(name: str, expected: set[str]) -> None:
    assert causes(roots_of(*(str(PAIRS / name / f"{side}.tar") for side in "ab"))) == expected


SETTINGS = {"Env": ["PATH=/bin"], "Labels": {"x": "1"}, "WorkingDir": "/"}


def plain(**parts: Any) -> Item:
    return image([layer(tar(root()))], **parts)


def compared(tmp_path: Path, a: Item, b: Item) -> list[Told]:
    return roots(tmp_path, oci_archive(a), oci_archive(b))


def configs(tmp_path: Path, a: Mapping[str, Any], b: Mapping[str, Any]) -> set[str]:
    return causes(compared(tmp_path, plain(config=a), plain(config=b)))


def history(**entry: Any) -> dict[str, Any]:
    return {"history": [{"created": ONE, "created_by": "COPY . / # buildkit"} | entry]}


def labels(**named: str) -> dict[str, Any]:
    return {"config": {"Labels": {"x": "1"} | {k.replace("_", "."): v for k, v in named.items()}}}


SHA = "1" * 64, "2" * 64


@pytest.mark.parametrize(
    ("a", "b", "cause"),
    [
        ({"created": ONE}, {"created": TWO}, "oci-config-created"),
        ({"created": ONE}, {"created": "0001-01-01T00:00:00Z"}, "oci-config-created"),
        ({"created": ONE}, {"created": "yesterday"}, ""),
        (history(created=ONE), history(created=TWO), "oci-history-created"),
        (history(created=ONE), history(created=TWO, author="x"), ""),
        (
            labels(org_opencontainers_image_created=ONE),
            labels(org_opencontainers_image_created=TWO),
            "oci-annotation-created",
        ),
        (labels(build_date="20260110"), labels(build_date="20260315"), "oci-annotation-created"),
        (labels(build_date=ONE), labels(build_date=f"{TWO} v2"), ""),
        (labels(created_by="2026"), labels(created_by="2027"), ""),
        (
            labels(io_buildah_version="1.28.2"),
            labels(io_buildah_version="1.41.0"),
            "oci-builder-identity-label",
        ),
        (labels(), labels(io_buildah_version="1.41.0"), "oci-builder-identity-label"),
        (labels(version="1.28.2"), labels(version="1.41.0"), ""),
        (labels(io_buildah_version="1.28.2"), labels(io_buildah_version="1.28.2 and more"), ""),
        (
            history(comment="buildkit.dockerfile.v0"),
            history(),
            "oci-builder-identity-label",
        ),
        (history(comment="buildkit.dockerfile.v0"), history(comment="by hand"), ""),
        (
            history(created_by='CMD ["x"]'),
            history(created_by='/bin/sh -c #(nop)  CMD ["x"]'),
            "oci-history-created-by",
        ),
        (
            history(created_by="RUN /bin/sh -c make # buildkit"),
            history(created_by="/bin/sh -c make"),
            "oci-history-created-by",
        ),
        (
            history(created_by=f"/bin/sh -c #(nop) COPY dir:{SHA[0]} in /app "),
            history(created_by=f"/bin/sh -c #(nop) COPY dir:{SHA[1]} in /app "),
            "oci-history-created-by",
        ),
        (
            history(created_by=f"/bin/sh -c #(nop) COPY dir:{SHA[0]} in /app "),
            history(created_by=f"/bin/sh -c #(nop) COPY dir:{SHA[1]} in /opt "),
            "",
        ),
        (
            history(created_by=f"RUN |1 BUILD_DATE={ONE} /bin/sh -c make # buildkit"),
            history(created_by="RUN |1 BUILD_DATE=2026-03-15T12:34:56Z /bin/sh -c make # buildkit"),
            "oci-history-created-by",
        ),
        (
            history(created_by=f"RUN |1 BUILD_DATE={ONE} /bin/sh -c make # buildkit"),
            history(created_by="RUN |1 VERSION=2 /bin/sh -c make # buildkit"),
            "",
        ),
        (
            {"config": {"Hostname": "3f4e8a7c9b21"}},
            {"config": {"Hostname": "a1b2c3d4e5f6"}},
            "oci-config-hostname-container-id",
        ),
        ({"container": SHA[0]}, {"container": SHA[1]}, "oci-config-hostname-container-id"),
        ({"config": {"Hostname": "one"}}, {"config": {"Hostname": "two"}}, ""),
        ({"docker_version": "20.10.7"}, {"docker_version": "24.0.5"}, "oci-builder-identity-label"),
        ({"config": {"User": "1000"}}, {"config": {"User": "0"}}, ""),
        ({"config": {"Env": ["A=2026-01-10"]}}, {"config": {"Env": ["A=2"]}}, ""),
        ({"config": {"Entrypoint": ["/a"]}}, {"config": {"Entrypoint": ["/b"]}}, ""),
        ({"os.version": "10.0.1"}, {"os.version": "10.0.2"}, ""),
    ],
)
def test_values_of_the_config(
    tmp_path: Path, a: Mapping[str, Any], b: Mapping[str, Any], cause: str
) -> None:
    """Explained by `cause` alone; something stays unexplained where that is ""."""
    found = configs(tmp_path, a, b)
    assert cause in found
    assert found == {cause} or not cause


def test_a_long_value_is_told_in_part_and_not_explained() -> None:
    """Of a value with a digest only the beginning is known: what comes after it may differ."""
    a, b = (
        Value(f"{stamp} {'x' * 1000}"[:1000], size=2000, digest=f"sha256:{stamp}")
        for stamp in ("2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z")
    )
    found = Difference("config.value", a, b, ("/config/Labels/created",))
    assert explained(found, ("linux/amd64", "config"), "config", None).claims == ()


def test_annotations(tmp_path: Path) -> None:
    key = "org.opencontainers.image.created"
    a, b = (plain(annotations={key: stamp}) for stamp in (ONE, TWO))
    assert causes(compared(tmp_path, a, b)) == {"oci-annotation-created"}
    a, b = (plain(annotations={"org.opencontainers.image.revision": one}) for one in SHA)
    assert "oci-annotation-created" not in causes(compared(tmp_path, a, b))


def packed(data: bytes, kind: str, packed_bytes: bytes) -> Item:
    return image([Layer(data, packed_bytes, LAYER + kind)])


def test_compression(tmp_path: Path) -> None:
    data = tar(root())
    a = packed(data, "+gzip", gzip(data))
    for other in (
        packed(data, "+zstd", zstd(data)),
        packed(data, "+gzip", gzip(data, mtime=1_768_039_200, os=3)),
        packed(data, "+gzip", gzip(data[:1024]) + gzip(data[1024:])),
        packed(data, "+gzip", gzip(data) + bytes(8)),
        packed(data, "", data),
    ):
        assert causes(compared(tmp_path, a, other)) == {"oci-layer-compression"}


def test_what_hides_in_the_packing(tmp_path: Path) -> None:
    data = tar(root())
    a = packed(data, "+gzip", gzip(data))
    assert "" in causes(compared(tmp_path, a, packed(data, "+gzip", gzip(data) + b"hidden!!")))


@pytest.mark.parametrize("kind", ["layer.gzip.extra", "layer.gzip.comment", "layer.zstd.skippable"])
def test_fields_that_may_hold_anything(kind: str) -> None:
    assert diagnose(Site(kind, "00", "01", where=("linux/amd64", "layer 1"))) is None


def test_keys_in_another_order(tmp_path: Path) -> None:
    a, b = ({"config": dict(some)} for some in (SETTINGS.items(), reversed(SETTINGS.items())))
    told = compared(tmp_path, plain(config=a), plain(config=b))
    assert causes(told) == {"json-key-order"}
    b["config"]["User"] = "1"
    assert "" in causes(compared(tmp_path, plain(config=a), plain(config=b)))


def test_the_same_files_in_other_layers(tmp_path: Path) -> None:
    base, rest = layer(tar([directory("a"), file("a/b", b"1")])), [file("c", b"2"), file("d", b"3")]
    one = image([base, layer(tar(rest))])
    # a directory again, as it was
    two = image([base, layer(tar([directory("a"), *rest[:1]])), layer(tar(rest[1:]))])
    assert causes(compared(tmp_path, one, two)) == {"oci-layer-boundary"}
    hidden = (
        ([file("c", b"2"), file("d", b"secret")], rest[1:]),  # below the last one
        ([file("c", b"2"), file("e", b"secret")], [file(".wh.e", b""), *rest[1:]]),
        ([directory("a").but(mode=0o700), *rest[:1]], [directory("a"), *rest[1:]]),
    )
    for under, above in hidden:
        other = image([base, layer(tar(under)), layer(tar(above))])
        assert "" in causes(compared(tmp_path, one, other))
        assert "" in causes(compared(tmp_path, other, one))


def test_docker_and_oci(tmp_path: Path) -> None:
    layers = [layer(tar(root()))]
    told = compared(tmp_path, image(layers), image(layers, docker=True))
    assert causes(told) == {"oci-media-type-schema"}
    told = compared(tmp_path, image(layers), image(layers, docker=True, config={"os": "plan9"}))
    assert "" in causes(told)


def test_an_index_more(tmp_path: Path) -> None:
    """An index around the manifests says nothing by itself; its annotations do."""
    assert causes(compared(tmp_path, plain(), index([plain()]))) == {"oci-media-type-schema"}
    assert "" in causes(compared(tmp_path, plain(), index([plain()], {"x": "1"})))


def test_order_of_platforms(tmp_path: Path) -> None:
    items = [image([layer(tar(root()))], where=platform(name)) for name in ("amd64", "arm64")]
    told = compared(tmp_path, index(items), index(items[::-1]))
    assert causes(told) == {"oci-manifest-order"}


def test_the_outer_archive(tmp_path: Path) -> None:
    a, b = (oci_archive(plain(), mtime=stamp) for stamp in (0, 1_768_039_200))
    assert causes(roots(tmp_path, a, b)) == {"oci-outer-archive-metadata"}
    assert causes(roots(tmp_path, a, a + bytes(4096))) == {"oci-outer-archive-metadata"}
    assert causes(roots(tmp_path, a, b + b"hidden".ljust(512, b"\0"))) == {
        "oci-outer-archive-metadata",
        "",
    }


def attested(item: Item, **said: Any) -> Item:
    metadata = {"invocationId": ID[0], "startedOn": ONE, "finishedOn": ONE}
    return index(
        [
            item,
            attestation(
                item,
                {
                    "_type": "https://in-toto.io/Statement/v1",
                    "predicateType": "https://slsa.dev/provenance/v1",
                    "subject": [{"name": "x", "digest": {"sha256": _digest(item)}}],
                    "predicate": {
                        "buildDefinition": {"buildType": "x", **said.pop("definition", {})},
                        "runDetails": {"metadata": metadata | said},
                    },
                },
            ),
        ]
    )


def _digest(item: Item) -> str:
    found: str = item.descriptor["digest"]
    return found.partition(":")[2]


OTHERWISE = {
    "invocationId": ID[1],
    "startedOn": "2026-03-15T12:34:56Z",
    "finishedOn": "2026-03-15T12:35:01Z",
}


def test_provenance(tmp_path: Path) -> None:
    """Times and the random identifier are the build's; what was built from is not."""
    told = compared(tmp_path, attested(plain()), attested(plain(), **OTHERWISE))
    assert causes(told) == {"oci-provenance-attestation"}
    materials = {"resolvedDependencies": [{"uri": "pkg:docker/x", "digest": {"sha256": SHA[0]}}]}
    told = compared(
        tmp_path, attested(plain()), attested(plain(), definition=materials, **OTHERWISE)
    )
    assert "" in causes(told)


def test_provenance_of_another_image(tmp_path: Path) -> None:
    """The subject's digest follows from the image's manifest."""
    other = plain(config={"created": TWO})
    told = compared(tmp_path, attested(plain(config={"created": ONE})), attested(other))
    assert causes(told) == {"oci-config-created"}


def test_provenance_on_one_side(tmp_path: Path) -> None:
    told = compared(tmp_path, index([plain()]), attested(plain()))
    assert causes(told) == {"oci-provenance-attestation"}


def _copied(side: int, text: str, to: str = "/app ") -> Item:
    """What buildah makes of a COPY: its step names a digest of what was copied."""
    step = f"/bin/sh -c #(nop) COPY dir:{SHA[side]} in {to}"
    made = replace(layer(tar([file("app/x", text)])), created_by=step)
    return image([made])


def test_a_digest_of_what_was_copied_follows_from_the_layer(tmp_path: Path) -> None:
    """Where the layer differs; another instruction does not follow, and without another layer it
    is what the builder wrote."""
    a, changed = oci_archive(_copied(0, "one")), oci_archive(_copied(1, "two"))
    assert [one.place for one in roots(tmp_path, a, changed)] == ["app/x"]
    same = roots(tmp_path, a, oci_archive(_copied(1, "one")))
    assert [one.causes for one in same] == [("oci-history-created-by",)]
    moved = roots(tmp_path, a, oci_archive(_copied(1, "two", "/opt ")))
    assert [one.place for one in moved if not one.causes] == ["/history/0/created_by", "app/x"]
