"""OCI graphs, right and wrong: what is refused, what is only noted (OCI image-spec v1.1)."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from sxdiff.image.graph import Input
from sxdiff.model import InputError, Limits

Open = Callable[..., Input]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


class Layout(Protocol):
    """The builder of conftest."""

    blobs: dict[str, bytes]
    files: dict[str, bytes]
    entries: list[dict[str, Any]]

    def blob(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]: ...
    def document(self, value: Any, media_type: str, **more: Any) -> dict[str, Any]: ...
    def config(self, diff_ids: list[str], **more: Any) -> dict[str, Any]: ...
    def layer(self, data: bytes = ...) -> dict[str, Any]: ...
    def manifest(
        self, layers: int = 1, entry: dict[str, Any] | None = None, **config: Any
    ) -> dict[str, Any]: ...
    def index(self, entries: list[dict[str, Any]], **more: Any) -> dict[str, Any]: ...
    def write(self, path: Path) -> str: ...


def platform(text: str) -> dict[str, Any]:
    keys = ("os", "architecture", "variant")
    return {"platform": dict(zip(keys, text.split("/"), strict=False))}


def named(descriptor: dict[str, Any], name: str) -> dict[str, Any]:
    return {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}


@pytest.fixture
def refused(layout: Layout, opened: Open, tmp_path: Path) -> Callable[[], str]:
    """Opens the layout, which has to fail with one line; the line without the path."""

    def line() -> str:
        path = layout.write(tmp_path / "x.tar")
        with pytest.raises(InputError) as caught:
            opened(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert message.isprintable()
        return message.removeprefix(f"{path}: ")

    return line


@pytest.fixture
def read(layout: Layout, opened: Open, tmp_path: Path) -> Callable[[], Input]:
    return lambda: opened(layout.write(tmp_path / "x.tar"))


Refused = Callable[[], str]
Read = Callable[[], Input]


def test_platforms_are_told_apart(layout: Layout, read: Read) -> None:
    """Platform of the descriptor, else of the config; v8 is what arm64 is anyway."""
    layout.entries = [
        layout.index(
            [
                layout.manifest(0, platform("linux/arm64/v8"), architecture="arm64"),
                layout.manifest(1, architecture="arm", variant="v7"),
                layout.manifest(2, platform("linux/amd64")),
                layout.manifest(3, platform("linux/amd64")),
                layout.manifest(
                    4,
                    {"platform": {"os": "windows", "architecture": "amd64", "os.version": "10.0"}},
                    os="windows",
                ),
            ]
        )
    ]
    image = read().images[0]
    assert [one.platform for one in image.platforms] == [
        "linux/arm64",
        "linux/arm/v7",
        "linux/amd64",
        "linux/amd64 #2",
        "windows/amd64 (10.0)",
    ]


def test_a_descriptor_and_a_config_that_disagree_are_noted(layout: Layout, read: Read) -> None:
    layout.entries = [layout.manifest(0, platform("linux/arm64"))]
    found = read()
    assert [problem.kind for problem in found.problems] == ["platform"]
    assert found.images[0].platforms[0].platform == "linux/arm64"


def test_indexes_nest(layout: Layout, opened: Open, tmp_path: Path) -> None:
    descriptor = layout.manifest()
    root = {}
    for depth in range(8):
        descriptor = layout.index([descriptor], annotations={"depth": str(depth)})
        root = descriptor
    layout.entries = [descriptor]
    path = layout.write(tmp_path / "x.tar")
    image = opened(path).images[0]
    assert image.root == root["digest"]
    assert len(image.indexes) == 9
    assert len(image.platforms) == 1
    with pytest.raises(InputError, match="nested deeper than 7 levels"):
        opened(path, Limits(index_depth=7))


def test_indexes_of_a_hundred_levels_are_refused(layout: Layout, refused: Refused) -> None:
    descriptor = layout.manifest()
    for _ in range(100):
        descriptor = layout.index([descriptor])
    layout.entries = [descriptor]
    assert "indexes are nested deeper than 8 levels" in refused()


def test_an_index_that_points_at_itself_is_refused(layout: Layout, refused: Refused) -> None:
    """No document holds its own digest, so its digest is wrong."""
    descriptor = layout.index([])
    layout.blobs[descriptor["digest"][7:]] = json.dumps({"manifests": [descriptor]}).encode()
    layout.entries = [descriptor]
    assert "promises" in refused()


def test_the_same_index_many_times_is_walked_once(layout: Layout, read: Read) -> None:
    descriptor = layout.manifest()
    for level in range(7):
        descriptor = layout.index([{**descriptor, "urls": [str(level)]}] * 500)
    layout.entries = [descriptor]
    assert len(read().images[0].platforms) == 1


def test_too_many_manifests_are_refused(layout: Layout, refused: Refused) -> None:
    layout.entries = [layout.index([layout.manifest()] * 10_000)]
    assert refused() == "more than 10000 manifests in its indexes"


def test_too_many_layers_are_refused(layout: Layout, refused: Refused) -> None:
    layer = layout.layer()
    layout.entries = [
        layout.document(
            {"config": layout.config([layer["digest"]] * 100_001), "layers": [layer] * 100_001},
            OCI_MANIFEST,
        )
    ]
    assert "100000 layers" in refused() or "beyond the limit" in refused()


def test_names_group_entries_into_images(layout: Layout, read: Read) -> None:
    one, two, three = (layout.manifest(n, platform(f"linux/{n}")) for n in range(3))
    layout.entries = [
        named(one, "a:1"),
        named(two, "b:1"),
        named(one, "a:latest"),
        {**three, "annotations": {"io.containerd.image.name": "docker.io/library/b:1"}},
        named(three, "b:1"),
    ]
    images = read().images
    assert [image.names for image in images] == [
        ("a:1", "a:latest"),
        ("b:1", "docker.io/library/b:1"),
    ]
    assert images[0].root == one["digest"]
    assert images[1].root is None
    assert [one.platform for one in images[1].platforms] == ["linux/1", "linux/2"]


def test_entries_without_names_are_one_image_rooted_in_index_json(
    layout: Layout, read: Read
) -> None:
    layout.entries = [layout.manifest(n, platform(f"linux/{n}")) for n in range(2)]
    image = read().images[0]
    assert image.names == ()
    assert image.root == image.indexes[0].digest
    raw = image.indexes[0].raw
    assert image.root == f"sha256:{hashlib.sha256(raw).hexdigest()}"


def test_one_entry_without_a_name_is_the_root(layout: Layout, read: Read) -> None:
    layout.entries = [layout.manifest()]
    assert read().images[0].root == layout.entries[0]["digest"]


def test_attestations_with_a_real_config(layout: Layout, read: Read) -> None:
    """BuildKit with oci-artifact=false, and attestations whose subject is not there."""
    subject = layout.manifest(1, platform("linux/amd64"))
    attestation = layout.manifest(2)
    layout.entries = [
        layout.index(
            [
                subject,
                {
                    **attestation,
                    **platform("unknown/unknown"),
                    "annotations": {
                        "vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": subject["digest"],
                    },
                },
                {**layout.manifest(3), **platform("unknown/unknown")},
            ]
        )
    ]
    image = read().images[0]
    assert [one.platform for one in image.platforms] == ["linux/amd64"]
    assert [one.platform for one in image.attestations] == ["linux/amd64", "unknown"]
    assert all(one.artifact for one in image.attestations)


def test_artifacts(layout: Layout, read: Read) -> None:
    """manifest.md, "Guidelines for Artifact Usage"."""
    empty = layout.blob(b"{}", "application/vnd.oci.empty.v1+json", data="e30=")
    chart = layout.blob(b"\xff\xfe no json", "application/vnd.example.config.v1")
    sbom = layout.blob(b"{ an SBOM }", "text/spdx+json")
    layer = layout.layer()
    layout.entries = [
        layout.document(
            {"artifactType": "text/x", "config": empty, "layers": [layer, layer]}, OCI_MANIFEST
        ),
        layout.document({"config": chart, "layers": [layer]}, OCI_MANIFEST),
        {**layer, "mediaType": "application/octet-stream"},
        {**sbom},
    ]
    platforms = read().images[0].platforms
    assert [one.platform for one in platforms] == [
        "artifact text/x",
        "artifact application/vnd.example.config.v1",
        "artifact application/octet-stream",
        "artifact text/spdx+json",
    ]
    assert all(one.artifact and one.present for one in platforms)
    assert [len(one.layers) for one in platforms] == [2, 1, 1, 1]
    assert platforms[1].config is not None
    assert platforms[1].config.value is None


def test_embedded_data_stands_for_a_missing_blob(layout: Layout, read: Read) -> None:
    data = b"a layer in the manifest"
    layer = layout.layer(data)
    layer["data"] = base64.b64encode(data).decode()
    config = layout.config([layer["digest"]])
    layout.entries = [layout.document({"config": config, "layers": [layer]}, OCI_MANIFEST)]
    del layout.blobs[layer["digest"][7:]]
    found = read().images[0].platforms[0].layers[0]
    assert found.blob is not None
    assert found.blob.read() == data
    assert found.blob_name == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (base64.b64encode(b"{ }").decode(), "embedded data: its descriptor promises 2 bytes"),
        (base64.b64encode(b"[]").decode(), "embedded data: its descriptor promises sha256:"),
        ("e30", "'data' is no base64"),
        ("e30=\n", "'data' is no base64"),
        (7, "'data' is a number, not a string"),
    ],
)
def test_embedded_data_is_verified(data: Any, words: str, layout: Layout, refused: Refused) -> None:
    empty = layout.blob(b"{}", "application/vnd.oci.empty.v1+json", data=data)
    layout.entries = [layout.document({"config": empty, "layers": []}, OCI_MANIFEST)]
    assert words in refused()


def test_absent_platforms_are_noted_unless_all_are(
    layout: Layout, read: Read, refused: Refused
) -> None:
    present = layout.manifest(1, platform("linux/amd64"))
    absent = {**layout.manifest(2), **platform("linux/s390x")}
    del layout.blobs[absent["digest"][7:]]
    layout.entries = [layout.index([present, absent])]
    found = read()
    assert [(p.where, p.kind) for p in found.problems] == [(("linux/s390x",), "absent")]
    gone = found.images[0].platforms[1]
    assert (gone.platform, gone.present, gone.manifest) == ("linux/s390x", False, None)
    assert gone.descriptor is not None
    assert gone.descriptor.digest == absent["digest"]
    del layout.blobs[present["digest"][7:]]
    assert refused() == f"missing blob: manifest {present['digest']}"


def test_missing_blobs(layout: Layout, refused: Refused) -> None:
    layout.entries = [layout.index([layout.manifest(2)])]
    whole = dict(layout.blobs)
    for digest in whole:
        layout.blobs = {key: data for key, data in whole.items() if key != digest}
        assert refused().startswith("missing blob: ")
        assert digest in refused()


def test_foreign_layers_may_be_absent(layout: Layout, read: Read, refused: Refused) -> None:
    """layer.md, "Non-Distributable Layers"; Docker's foreign layers have urls."""
    for change in (
        {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
        {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
        {"urls": ["https://example.org/layer"]},
    ):
        layer = layout.layer() | change
        config = layout.config([layer["digest"]])
        layout.entries = [layout.document({"config": config, "layers": [layer]}, OCI_MANIFEST)]
        del layout.blobs[layer["digest"][7:]]
        found = read().images[0].platforms[0].layers[0]
        assert found.blob is None
        assert found.absent_reason
    layer = layout.layer()
    layout.entries = [layout.document({"config": config, "layers": [layer]}, OCI_MANIFEST)]
    del layout.blobs[layer["digest"][7:]]
    assert refused().startswith("missing blob: layer 1 sha256:")


def test_the_size_of_a_layer_is_checked(layout: Layout, refused: Refused) -> None:
    layer = layout.layer()
    config = layout.config([layer["digest"]])
    layer["size"] += 1
    layout.entries = [layout.document({"config": config, "layers": [layer]}, OCI_MANIFEST)]
    assert refused().endswith("its descriptor promises 6 bytes, found 5")


def test_every_document_is_verified(layout: Layout, refused: Refused) -> None:
    layout.entries = [layout.index([layout.manifest(0)])]
    whole = dict(layout.blobs)
    for digest, data in whole.items():
        layout.blobs = {**whole, digest: data.replace(b"linux", b"Linux") + b" "}
        assert f"blobs/sha256/{digest}: its descriptor promises {len(data)} bytes" in refused()
        layout.blobs = {**whole, digest: data[:-1] + b" "}
        line = refused()
        assert f"blobs/sha256/{digest}: its descriptor promises sha256:{digest}" in line
        assert f"found sha256:{hashlib.sha256(layout.blobs[digest]).hexdigest()}" in line


def test_sha512_is_verified_too(layout: Layout, opened: Open, tmp_path: Path) -> None:
    descriptor = layout.manifest(0)
    data = layout.blobs.pop(descriptor["digest"][7:])
    digest = hashlib.sha512(data).hexdigest()
    layout.entries = [{**descriptor, "digest": f"sha512:{digest}"}]
    layout.files[f"blobs/sha512/{digest}"] = data
    assert opened(layout.write(tmp_path / "x.tar")).images[0].root == f"sha512:{digest}"
    layout.files[f"blobs/sha512/{digest}"] = data[:-1] + b" "
    with pytest.raises(InputError, match="promises sha512:"):
        opened(layout.write(tmp_path / "x.tar"))


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        ("sha256:abc", "is no sha256 digest"),
        ("sha256:" + "A" * 64, "is no sha256 digest"),
        ("sha256:" + "../" * 21 + "x", "is no digest"),
        ("sha256", "is no digest"),
        ("", "has no 'digest'"),
        (":" + "a" * 64, "is no digest"),
        ("sha256:" + "a" * 64 + "\n", "is no digest"),
        ("md5:" + "a" * 32, "digest algorithm 'md5' is not supported"),
        (None, "has no 'digest'"),
        (7, "'digest' is a number, not a string"),
        (["sha256:" + "a" * 64], "'digest' is a list, not a string"),
    ],
)
def test_malformed_digests(digest: Any, words: str, layout: Layout, refused: Refused) -> None:
    layout.entries = [{**layout.manifest(), "digest": digest}]
    if digest == "":
        words = "is no digest"
    assert words in refused()


@pytest.mark.parametrize("size", [-1, True, "5", 5.0, None, 1 << 70, [], {}])
def test_malformed_sizes(size: Any, layout: Layout, refused: Refused) -> None:
    layout.entries = [{**layout.manifest(), "size": size}]
    assert "size" in refused() or "promises" in refused()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "is a list, not an object"),
        (b"null", "is null, not an object"),
        (b"{}", "is no image index"),
        (b'{"manifests": []}', "lists no image"),
        (b'{"manifests": null}', "has no 'manifests'"),
        (b'{"manifests": {}}', "'manifests' is an object, not a list"),
        (b'{"manifests": [7]}', "/manifests/0: is a number, not an object"),
        (b'{"manifests": [], "layers": []}', "is an index and a manifest at once"),
        (b'{"manifests": [], "Manifests": []}', "has 'Manifests', which some read as 'manifests'"),
        (b'{"manifests": [], "manifests": []}', "the key 'manifests' occurs twice"),
        (b'{"manifests": NaN}', "NaN is no JSON number"),
        (b'{"manifests": -Infinity}', "-Infinity is no JSON number"),
        (b'{"manifests": ' + b"1" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"manifests": "\\ud800"}', "half a surrogate pair"),
        (b'{"\\udc00": 1}', "half a surrogate pair"),
        (b'{"manifests": "\xff"}', "no UTF-8"),
        (b'\xef\xbb\xbf{"manifests": []}', "is not JSON"),
        (b'{"manifests": []} x', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 64 levels"),
        (b"[" * 70 + b"]" * 70, "nested deeper than 64 levels"),
        (b'{"schemaVersion":1,"fsLayers":[]}', "is a Docker schema 1 manifest"),
    ],
)
def test_index_json_that_is_none(text: bytes, words: str, layout: Layout, refused: Refused) -> None:
    layout.files["index.json"] = text
    line = refused()
    assert line.startswith("index.json: ")
    assert words in line or (text.startswith(b"[[") and "nested deeper" in line)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config": None}, "has no 'config'"),
        ({"config": []}, "'config' is a list, not an object"),
        ({"layers": None}, "has no 'layers'"),
        ({"layers": {}}, "'layers' is an object, not a list"),
        ({"layers": [None]}, "layers/0: is null, not an object"),
        ({"layers": [{}]}, "layers/0: has no 'digest'"),
        ({"manifests": []}, "is an index and a manifest at once"),
        ({"mediaType": 7}, "'mediaType' is a number, not a string"),
        ({"Layers": []}, "has 'Layers', which some read as 'layers'"),
    ],
)
def test_manifests_of_the_wrong_shape(
    change: dict[str, Any], words: str, layout: Layout, refused: Refused
) -> None:
    value = {"schemaVersion": 2, "config": layout.config([]), "layers": []}
    layout.entries = [layout.document({**value, **change}, OCI_MANIFEST)]
    assert words in refused()


def test_a_manifest_that_is_nothing(layout: Layout, refused: Refused) -> None:
    layout.entries = [layout.document({"schemaVersion": 2}, OCI_MANIFEST)]
    assert "is neither an image index nor an image manifest" in refused()
    layout.entries = [layout.document([1], OCI_MANIFEST)]
    assert "is neither an image index nor an image manifest" in refused()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([], "is a list, not an object"),
        ({}, "has no 'rootfs'"),
        ({"rootfs": []}, "'rootfs' is a list, not an object"),
        ({"rootfs": {}}, "has no 'diff_ids'"),
        ({"rootfs": {"diff_ids": "x"}}, "'diff_ids' is a string, not a list"),
        ({"rootfs": {"diff_ids": [7]}}, "diff_ids/0: is a number, not a string"),
        ({"rootfs": {"diff_ids": ["x"]}}, "'x' is no digest"),
        ({"rootfs": {"diff_ids": []}}, "has 0 diff_ids for 1 layers"),
        ({"rootfs": {"diff_ids": ["sha256:" + "a" * 64] * 2}}, "has 2 diff_ids for 1 layers"),
        ({"os": 7}, "'os' is a number, not a string"),
        (
            {"rootfs": {"diff_ids": ["sha256:" + "a" * 64]}, "history": [7]},
            "history/0: is a number, not an object",
        ),
        (
            {"rootfs": {"diff_ids": ["sha256:" + "a" * 64]}, "history": [{"empty_layer": 1}]},
            "'empty_layer' is a number, not true or false",
        ),
    ],
)
def test_configs_of_the_wrong_shape(
    config: Any, words: str, layout: Layout, refused: Refused
) -> None:
    descriptor = layout.document(config, "application/vnd.oci.image.config.v1+json")
    manifest = {"config": descriptor, "layers": [layout.layer()]}
    layout.entries = [layout.document(manifest, OCI_MANIFEST)]
    assert words in refused()


def test_a_history_is_a_hint(layout: Layout, read: Read) -> None:
    steps = [{"created_by": "A"}, {"created_by": "B", "empty_layer": True}, {"created_by": "C"}]
    layout.entries = [layout.manifest(2, history=steps)]
    layers = read().images[0].platforms[0].layers
    assert [layer.created_by for layer in layers] == ["A", "C"]
    layout.entries = [layout.manifest(3, history=steps)]
    found = read()
    assert [layer.created_by for layer in found.images[0].platforms[0].layers] == [None] * 3
    assert [(p.where, p.kind) for p in found.problems] == [(("linux/amd64", "config"), "history")]


def test_media_types_that_lie_are_noted(layout: Layout, read: Read) -> None:
    manifest = {"config": layout.config([]), "layers": [], "mediaType": OCI_MANIFEST}
    layout.entries = [
        layout.document(manifest, "application/vnd.docker.distribution.manifest.v2+json")
    ]
    found = read()
    assert [problem.kind for problem in found.problems] == ["media-type"]
    assert len(found.images[0].platforms) == 1


def test_unknown_media_types_are_no_error(layout: Layout, read: Read) -> None:
    """image-index.md: implementations MUST NOT generate an error for an unknown mediaType."""
    layout.entries = [
        {**layout.manifest(1), "mediaType": "application/vnd.example.new+json"},
        {**layout.manifest(2), "mediaType": ""},
    ]
    platforms = read().images[0].platforms
    assert [one.platform for one in platforms] == ["linux/amd64", "linux/amd64 #2"]


def test_layouts_that_lack_something(layout: Layout, read: Read, refused: Refused) -> None:
    layout.entries = [layout.manifest()]
    version = layout.files.pop("oci-layout")
    found = read()
    assert found.form == "oci-archive"
    assert [problem.kind for problem in found.problems] == ["layout"]
    layout.files["oci-layout"] = version.replace(b"1.0.0", b"2.0.0")
    assert [problem.kind for problem in read().problems] == ["layout"]
    layout.files["oci-layout"] = b"nonsense"
    assert refused().startswith("oci-layout: is not JSON")


def test_no_mutation_of_a_document_is_a_crash(layout: Layout, opened: Open, tmp_path: Path) -> None:
    """Documents with single bytes changed, their digests put right again."""
    import random

    chance = random.Random(7)
    entry = {
        **platform("linux/amd64"),
        "annotations": {"org.opencontainers.image.ref.name": "x"},
    }
    steps = [{"created_by": "A"}, {"empty_layer": True}]
    original = layout.manifest(1, entry, history=steps)
    blobs = dict(layout.blobs)
    manifest_raw = blobs[original["digest"][7:]]
    manifest = json.loads(manifest_raw)
    config_raw = blobs[manifest["config"]["digest"][7:]]
    alphabet = b'{}[],:"\\019-.eEtfnu \n\x00\xff\xc3/'

    def mutated(raw: bytes) -> bytes:
        data = bytearray(raw)
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(len(data))
            how = chance.randrange(3)
            if how == 0:
                data[at] = chance.choice(alphabet)
            elif how == 1:
                del data[at]
            else:
                data.insert(at, chance.choice(alphabet))
        return bytes(data)

    accepted = 0
    for number in range(4000):
        layout.blobs = dict(blobs)
        layout.files.pop("index.json", None)
        part = number % 3
        if part == 0:
            config = layout.blob(mutated(config_raw), manifest["config"]["mediaType"])
            document = json.dumps({**manifest, "config": config}).encode()
            layout.entries = [{**entry, **layout.blob(document, OCI_MANIFEST)}]
        elif part == 1:
            layout.entries = [{**entry, **layout.blob(mutated(manifest_raw), OCI_MANIFEST)}]
        else:
            index = json.dumps({"schemaVersion": 2, "manifests": [original]}).encode()
            layout.files["index.json"] = mutated(index)
        path = layout.write(tmp_path / "x.tar")
        try:
            accepted += bool(opened(path).images)
        except InputError as error:
            line = str(error)
            assert line.startswith(f"{path}: ")
            assert line.isprintable()
            assert len(line) < 1000
    assert 100 < accepted < 3900
