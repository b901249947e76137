"""Every form, as real tools wrote it; digests as skopeo tells them."""

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sxdiff.image.graph import Input, PlatformImage
from sxdiff.model import Limits
from tests.tools import need, unpack

Sample = Callable[[str], str]
Open = Callable[..., Input]

CONFIG_1 = "sha256:f830521d2c80465a14ea4eab39087768f79c243b5c418563d09976b906d1ce5f"
CONFIG_2 = "sha256:f5dbbc42c5cd1477db266de279a368fa830598626ed0068ed875602950f0585a"
BUILDAH = "sha256:aa8bd6ba31bbf0af38a8faf87bc66f562b4c01e01c1963f65a8f4c8129f1edce"
B = "sha256:8e318279c8b7d5e139210e68087bf54a8e9b469c680efb40a24958dd42c59897"
ESTARGZ = "sha256:19e7c7a8e0de21dc71ea44c39cb15db98c8237c93c56872879898d5499b01193"
THREE = "sha256:fe3d8afa72f127bdbf60744b4f3d0e5e5ecc407ccab4f77ca1b09824294a86b2"

FORMS = {
    # name: form, names, platforms, configs, attestations
    "buildah-docker-archive": ("docker-archive", ["localhost/xa:latest"], BUILDAH),
    "buildah-oci-archive": ("oci-archive", ["xa"], BUILDAH),
    "buildkit-docker-a": ("docker-oci-archive", ["docker.io/foo/a:1"], CONFIG_1),
    "buildkit-docker-two-tags": (
        "docker-oci-archive",
        ["docker.io/foo/bar:1", "docker.io/foo/baz:2"],
        CONFIG_2,
    ),
    "buildkit-oci-default": ("oci-archive", ["docker.io/foo/bar:1"], CONFIG_2),
    "buildkit-oci-docker-media-types": ("oci-archive", ["docker.io/foo/bar:1"], CONFIG_2),
    "buildkit-oci-estargz": ("oci-archive", ["docker.io/foo/bar:1"], ESTARGZ),
    "buildkit-oci-provenance": ("oci-archive", ["docker.io/foo/bar:1"], CONFIG_2),
    "buildkit-oci-uncompressed": ("oci-archive", ["docker.io/foo/bar:1"], CONFIG_2),
    "buildkit-oci-zstd": ("oci-archive", ["docker.io/foo/bar:1"], CONFIG_2),
    "buildkit-stagex-a": ("oci-archive", ["docker.io/library/core-x:latest"], CONFIG_1),
    "buildkit-stagex-a-again": ("oci-archive", ["docker.io/library/core-x:latest"], CONFIG_1),
    "buildkit-stagex-a-other-deflate": (
        "oci-archive",
        ["docker.io/library/core-x:latest"],
        CONFIG_1,
    ),
    "buildkit-stagex-b": ("oci-archive", ["docker.io/library/core-x:latest"], B),
    "buildkit-three-layers": ("oci-archive", ["docker.io/library/m:latest"], THREE),
    "crane-legacy": ("docker-archive", ["127.0.0.1:5055/sx/a:1"], CONFIG_1),
    "crane-tarball": ("docker-archive", ["127.0.0.1:5055/sx/a:1"], CONFIG_1),
    "skopeo-docker-archive": ("docker-archive", ["docker.io/foo/bar:1"], CONFIG_1),
}


@pytest.fixture
def needs_skopeo() -> None:
    need("skopeo")


def skopeo(*arguments: str) -> bytes:
    command = ["skopeo", "--insecure-policy", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def only(opened: Input) -> PlatformImage:
    assert len(opened.images) == 1
    assert len(opened.images[0].platforms) == 1
    return opened.images[0].platforms[0]


@pytest.mark.parametrize("name", FORMS)
def test_what_a_real_tool_wrote(name: str, sample: Sample, opened: Open) -> None:
    form, names, config = FORMS[name]
    found = opened(sample(name))
    image = only(found)
    assert (found.form, list(found.images[0].names)) == (form, names)
    assert found.problems == ()
    assert found.plain_root is None
    assert image.platform == "linux/amd64"
    assert image.present
    assert not image.artifact
    assert image.config is not None
    assert image.config.digest == config
    for number, layer in enumerate(image.layers, 1):
        assert layer.number == number
        assert layer.blob is not None
        assert layer.blob.size == layer.size
        assert layer.diff_id is not None
        assert layer.created_by
        assert layer.absent_reason is None
    if form == "docker-archive":
        assert (image.manifest, image.descriptor, found.images[0].root) == (None, None, None)
    else:
        assert image.manifest is not None
        assert image.descriptor is not None
        assert image.manifest.digest == image.descriptor.digest
        assert found.images[0].indexes[0].blob_name == "index.json"


@pytest.mark.usefixtures("needs_skopeo")
@pytest.mark.parametrize("name", FORMS)
def test_skopeo_finds_the_same_documents(name: str, sample: Sample, opened: Open) -> None:
    found = opened(sample(name))
    image = only(found)
    assert image.config is not None
    if found.form == "docker-archive":
        reference = f"docker-archive:{sample(name)}"
    else:
        reference = f"oci-archive:{sample(name)}"
        if len(found.images[0].names) > 1:
            reference += ":1"
        raw = skopeo("inspect", "--raw", reference)
        nested = [document.raw for document in found.images[0].indexes[1:]]
        assert image.manifest is not None
        assert raw in (image.manifest.raw, *nested)
    assert skopeo("inspect", "--config", "--raw", reference) == image.config.raw


def test_attestations_are_kept_apart(sample: Sample, opened: Open) -> None:
    found = opened(sample("buildkit-oci-sbom-provenance-multi")).images[0]
    platforms = ["linux/amd64", "linux/arm64", "linux/riscv64"]
    assert [image.platform for image in found.platforms] == platforms
    assert [image.platform for image in found.attestations] == platforms
    assert all(image.artifact and image.present for image in found.attestations)
    layers = [layer for image in found.attestations for layer in image.layers]
    assert {layer.media_type for layer in layers} == {"application/vnd.in-toto+json"}
    assert all(json.loads(layer.blob.read())["_type"] for layer in layers if layer.blob)
    assert found.root == found.indexes[1].digest
    assert [document.role for document in found.indexes] == ["index.json", "index"]


def test_a_manifest_is_the_same_with_and_without_provenance(sample: Sample, opened: Open) -> None:
    plain, attested = (
        opened(sample(f"buildkit-oci-{name}")).images[0] for name in ("default", "provenance")
    )
    assert plain.platforms[0].manifest == attested.platforms[0].manifest or (
        plain.platforms[0].manifest is not None
        and attested.platforms[0].manifest is not None
        and plain.platforms[0].manifest.raw == attested.platforms[0].manifest.raw
    )
    assert plain.root != attested.root


def test_several_images_in_one_archive(sample: Sample, opened: Open) -> None:
    found = opened(sample("podman-multi-image"))
    assert [image.names for image in found.images] == [
        ("localhost/xa:latest",),
        ("localhost/xb:latest",),
    ]
    assert found.roles["manifest.json"] == ("manifest.json",)
    assert len({route[0] for route in found.roles.values()}) == 4  # two images, two files


def test_layers_of_a_docker_archive_may_be_packed(sample: Sample, opened: Open) -> None:
    layer = only(opened(sample("crane-tarball"))).layers[0]
    assert layer.media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip"
    assert (layer.digest, layer.size) == (None, 10958)
    layer = only(opened(sample("crane-legacy"))).layers[0]
    assert layer.media_type == "application/vnd.docker.image.rootfs.diff.tar"


def test_a_root_file_system_without_an_image(sample: Sample, opened: Open, tmp_path: Path) -> None:
    found = opened(sample("buildkit-rootfs"))
    assert (found.form, found.images, found.roles) == ("root-tar", (), {})
    assert found.plain_root == found.store.archive
    unpack(sample("buildkit-rootfs"), tmp_path / "root")
    found = opened(tmp_path / "root")
    assert (found.form, found.plain_root) == ("root-directory", str(tmp_path / "root"))


def test_every_archive_unpacked_is_the_same_image(
    sample: Sample, opened: Open, tmp_path: Path
) -> None:
    for name, (form, names, config) in FORMS.items():
        directory = tmp_path / name
        unpack(sample(name), directory)
        found = opened(directory)
        assert found.form == form.replace("archive", "layout")
        assert list(found.images[0].names) == names
        image = only(found)
        assert image.config is not None
        assert image.config.digest == config
        assert found.roles.items() >= opened(sample(name)).roles.items()


def test_a_directory_may_hold_more_than_the_layout(
    sample: Sample, opened: Open, tmp_path: Path
) -> None:
    """`buildx type=oci,tar=false` leaves an empty `ingest` behind."""
    unpack(sample("buildkit-stagex-a"), tmp_path / "core-x")
    (tmp_path / "core-x" / "ingest").mkdir()
    (tmp_path / "core-x" / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"not referenced")
    found = opened(tmp_path / "core-x")
    assert found.form == "oci-layout"
    assert found.problems == ()
    assert "ingest" not in found.roles


@pytest.mark.usefixtures("needs_skopeo")
def test_the_directory_transport(sample: Sample, opened: Open, tmp_path: Path) -> None:
    source = f"oci-archive:{sample('buildkit-oci-sbom-provenance-multi')}"
    skopeo("copy", "--all", source, f"dir:{tmp_path / 'all'}")
    found = opened(tmp_path / "all")
    assert found.form == "dir"
    image = found.images[0]
    expected = opened(sample("buildkit-oci-sbom-provenance-multi")).images[0]
    assert image.root == expected.root
    assert [p.descriptor for p in image.platforms] == [p.descriptor for p in expected.platforms]
    assert [document.role for document in image.indexes] == ["index"]
    source = f"oci-archive:{sample('buildkit-stagex-a')}"
    skopeo("copy", source, f"dir:{tmp_path / 'one'}")
    found = opened(tmp_path / "one")
    manifest = only(found).manifest
    assert manifest is not None
    assert found.images[0].root == manifest.digest
    assert found.roles["manifest.json"] == ("linux/amd64", "manifest")
    assert len(found.roles) == 4


@pytest.mark.usefixtures("needs_skopeo")
@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive", "dir"])
@pytest.mark.parametrize("name", ["buildkit-stagex-a", "crane-legacy", "buildkit-three-layers"])
def test_what_skopeo_copies(
    form: str, name: str, sample: Sample, opened: Open, tmp_path: Path
) -> None:
    source = "docker-archive" if FORMS[name][0] == "docker-archive" else "oci-archive"
    target = f"{form}:{tmp_path / 'copy'}" + (":example.org/x:1" if form != "dir" else "")
    skopeo("copy", f"{source}:{sample(name)}", target)
    image = only(opened(tmp_path / "copy"))
    before = only(opened(sample(name)))
    assert [layer.diff_id for layer in image.layers] == [layer.diff_id for layer in before.layers]


def test_an_image_without_layers(opened: Open, tmp_path: Path) -> None:
    need("umoci")
    where = str(tmp_path / "empty")
    subprocess.run(["umoci", "init", "--layout", where], check=True)
    subprocess.run(["umoci", "new", "--image", f"{where}:tag"], check=True)
    found = opened(where)
    assert found.images[0].names == ("tag",)
    assert only(found).layers == ()


def test_compressed_archives(sample: Sample, opened: Open, tmp_path: Path) -> None:
    import bz2
    import lzma

    import zstandard

    raw = Path(sample("buildkit-stagex-a")).read_bytes()
    half = len(raw) // 2
    packed = {
        "gzip": gzip.compress(raw),
        "zstd": zstandard.compress(raw),
        "xz": lzma.compress(raw),
        "bzip2": bz2.compress(raw),
    }
    parts = {
        "gzip": gzip.compress(raw[:half]) + gzip.compress(raw[half:]),
        "zstd": zstandard.compress(raw[:half]) + zstandard.compress(raw[half:]),
        "xz": lzma.compress(raw[:half]) + lzma.compress(raw[half:]),
        "bzip2": bz2.compress(raw[:half]) + bz2.compress(raw[half:]),
    }
    for compression, whole in packed.items():
        for data in (whole, parts[compression]):
            path = tmp_path / "packed"
            path.write_bytes(data)
            found = opened(path)
            assert found.form == "oci-archive"
            assert found.store.compression == compression
            assert found.store.size == len(data)
            assert found.images[0].root == opened(sample("buildkit-stagex-a")).images[0].root


def test_limits_on_documents(sample: Sample, opened: Open) -> None:
    from sxdiff.model import InputError

    for limits, words in (
        (Limits(document_bytes=400), "beyond the limit"),
        (Limits(document_depth=2), "nested deeper"),
        (Limits(index_depth=0), "nested deeper"),
    ):
        with pytest.raises(InputError, match=words):
            opened(sample("buildkit-stagex-a"), limits)
