"""docker-archives, right and wrong, hybrids, plain roots that look like one, and `dir:`."""

import gzip
import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sxdiff.image.graph import Input
from sxdiff.model import InputError

Sample = Callable[[str], str]
Open = Callable[..., Input]
TarOf = Callable[..., str]
Members = dict[str, Any]

HEX = "ab" * 32


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def saved(
    layers: dict[str, bytes], *, tags: Any = ("x:1",), config_name: str = "HEX.json", **config: Any
) -> Members:
    """The members of a docker-archive, manifest.json last."""
    diff_ids = [f"sha256:{digest(data)}" for data in layers.values()]
    value = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}, **config}
    raw = json.dumps(value).encode()
    name = config_name.replace("HEX", digest(raw))
    entry = {"Config": name, "RepoTags": tags, "Layers": list(layers)}
    return {**layers, name: raw, "manifest.json": json.dumps([entry]).encode()}


def refused(opened: Open, path: "str | Path") -> str:
    with pytest.raises(InputError) as caught:
        opened(path)
    assert str(caught.value).isprintable()
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("config_name", ["HEX.json", "sha256:HEX", "config.json", "any/name"])
def test_configs_under_any_name(config_name: str, tar_of: TarOf, opened: Open) -> None:
    found = opened(tar_of(saved({"l/layer.tar": b"1"}, config_name=config_name)))
    assert found.form == "docker-archive"
    image = found.images[0].platforms[0]
    assert image.config is not None
    assert image.config.digest == f"sha256:{digest(image.config.raw)}"
    assert found.images[0].names == ("x:1",)


def test_layers_under_any_name(tar_of: TarOf, opened: Open) -> None:
    layers = {"first.tar": b"1", "deep/er/second": b"2", f"{HEX}.tar.gz": gzip.compress(b"3")}
    found = opened(tar_of({**saved(layers), "more": b"else"}))
    assert [
        layer.blob.read() for layer in found.images[0].platforms[0].layers if layer.blob
    ] == list(layers.values())
    assert found.roles["deep/er/second"] == ("linux/amd64", "layer 2")


@pytest.mark.parametrize("tags", [None, [], ["a:1", "b"]])
def test_repo_tags(tags: Any, tar_of: TarOf, opened: Open) -> None:
    assert opened(tar_of(saved({}, tags=tags))).images[0].names == tuple(tags or ())


def test_the_same_layer_twice_is_a_link(tar_of: TarOf, opened: Open) -> None:
    """docker before 25: the second layer directory holds a symbolic or a hard link."""
    for kind, target in ((tarfile.SYMTYPE, "../A/layer.tar"), (tarfile.LNKTYPE, "A/layer.tar")):
        info = tarfile.TarInfo()
        info.type, info.linkname = kind, target
        members = saved({"A/layer.tar": b"1", "B/layer.tar": b"1"})
        found = opened(tar_of({**members, "B/layer.tar": info, "B/json": b"{}"}))
        layers = found.images[0].platforms[0].layers
        assert [layer.blob.read() for layer in layers if layer.blob] == [b"1", b"1"]
        assert found.roles["A/layer.tar"] == ("linux/amd64", "layer 1")
        assert found.roles["B/layer.tar"] == ("linux/amd64", "layer 2", "link")
        assert found.roles["B/json"] == ("linux/amd64", "layer 2", "json")


def test_entries_with_one_name_are_platforms_of_one_image(tar_of: TarOf, opened: Open) -> None:
    one, two = saved({"a.tar": b"1"}), saved({"b.tar": b"2"}, architecture="arm64")
    entries = json.loads(one["manifest.json"]) + json.loads(two["manifest.json"])
    members = {**one, **two, "manifest.json": json.dumps(entries).encode()}
    found = opened(tar_of(members))
    assert [[p.platform for p in image.platforms] for image in found.images] == [
        ["linux/amd64", "linux/arm64"]
    ]
    entries[1]["RepoTags"] = ["y:1"]
    members["manifest.json"] = json.dumps([*entries, entries[0]]).encode()
    assert [image.names for image in opened(tar_of(members)).images] == [("x:1",), ("y:1",)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Config": None}, "/0: has no 'Config'"),
        ({"Config": 7}, "/0: 'Config' is a number, not a string"),
        ({"Config": "gone.json"}, "missing blob: config gone.json"),
        ({"Config": "../x.json"}, "../x.json leads out of the archive"),
        ({"Config": "/etc/passwd"}, "/etc/passwd leads out of the archive"),
        ({"Layers": "x"}, "/0: 'Layers' is a string, not a list"),
        ({"Layers": [7]}, "/0/Layers/0: is a number, not a string"),
        ({"Layers": ["gone"]}, "missing blob: layer 1 gone"),
        ({"Layers": ["../../gone"]}, "leads out of the archive"),
        ({"Layers": []}, "has 1 diff_ids for 0 layers"),
        ({"Layers": ["l.tar", "l.tar"]}, "has 1 diff_ids for 2 layers"),
        ({"RepoTags": "x"}, "/0: 'RepoTags' is a string, not a list"),
        ({"layers": []}, "has 'layers', which some read as 'Layers'"),
    ],
)
def test_entries_of_the_wrong_shape(
    change: Members, words: str, tar_of: TarOf, opened: Open
) -> None:
    members = saved({"l.tar": b"1"})
    entry = {**json.loads(members["manifest.json"])[0], **change}
    members["manifest.json"] = json.dumps([entry]).encode()
    assert words in refused(opened, tar_of(members))


def test_a_config_that_is_not_what_its_name_says(tar_of: TarOf, opened: Open) -> None:
    members = saved({})
    name = next(name for name in members if name != "manifest.json")
    members[name] += b" "
    line = refused(opened, tar_of(members))
    assert line.startswith(f"{name}: its name promises sha256:{name[:64]}, found sha256:")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"manifest.json": b"[]"}, "manifest.json: lists no image"),
        ({"manifest.json": b"[7]"}, "manifest.json: /0: is a number, not an object"),
        ({"manifest.json": b"{}"}, "manifest.json: is neither a list of images nor a manifest"),
        ({"manifest.json": b"nonsense"}, "manifest.json: is not JSON"),
        ({f"{HEX}.json": b"{}"}, "but no manifest.json: is it truncated"),
        ({f"{HEX}/layer.tar": b""}, "but no manifest.json: is it truncated"),
        ({f"sha256:{HEX}": b"{}"}, "but no manifest.json: is it truncated"),
        ({"oci-layout": b"{}"}, "has oci-layout but no index.json"),
        ({f"blobs/sha256/{HEX}": b"{}"}, "but no index.json: is it truncated"),
        ({f"blobs/sha256/{HEX}": b"{}", "index.json": b"{"}, "index.json: is not JSON"),
    ],
)
def test_half_an_image_is_no_root(
    members: Members, words: str, tar_of: TarOf, opened: Open
) -> None:
    assert words in refused(opened, tar_of(members))


@pytest.mark.parametrize("text", [b"{}", b"[]", b"[1]", b"// no JSON", b'{"name": "app"}'])
def test_a_root_may_hold_a_manifest_json_of_its_own(
    text: bytes, tar_of: TarOf, opened: Open
) -> None:
    """Web sites have one, in the root directory of an image that only serves them."""
    members = {"manifest.json": text, "index.html": b"<p>", "index.json": b"[]"}
    assert opened(tar_of(members)).form == "root-tar"


def test_hybrids_that_disagree_are_noted(sample: Sample, opened: Open, tar_of: TarOf) -> None:
    with tarfile.open(sample("buildkit-docker-a")) as archive:
        members: Members = {}
        for info in archive:
            file = archive.extractfile(info)
            if info.isfile() and file:
                members[info.name] = file.read()
    found = opened(tar_of(members))
    assert (found.form, found.problems) == ("docker-oci-archive", ())
    entry = json.loads(members["manifest.json"])[0]
    changes: list[Members] = [
        {"Layers": []},
        {"Layers": [f"blobs/sha256/{HEX}"]},
        {"Config": f"blobs/sha256/{HEX}"},
    ]
    for change in changes:
        members["manifest.json"] = json.dumps([{**entry, **change}]).encode()
        found = opened(tar_of(members))
        assert [problem.kind for problem in found.problems] == ["hybrid"]
        assert found.images[0].root is not None
    members["manifest.json"] = json.dumps([{**entry, "RepoTags": ["foo/a:1", "other:2"]}]).encode()
    assert opened(tar_of(members)).images[0].names == ("docker.io/foo/a:1", "other:2")


def test_directories_that_are_no_image(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(opened, tmp_path / "empty") == "is an empty directory"
    out = tmp_path / "out"
    for stage in ("core-x", "core-y"):
        (out / stage).mkdir(parents=True)
        (out / stage / "oci-layout").write_text("{}")
    assert refused(opened, out) == "holds 2 image layouts, name one of them: core-x, core-y"
    (out / "notes").write_text("")
    assert opened(out).form == "root-directory"


def test_directory_transport_of_other_versions(opened: Open, tar_of: TarOf) -> None:
    layer = b"layer"
    config = json.dumps(
        {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [f"sha256:{HEX}"]}}
    ).encode()
    media = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": f"sha256:{digest(config)}",
            "size": len(config),
        },
        "layers": [{"digest": f"sha256:{digest(layer)}", "size": len(layer), "mediaType": "x"}],
    }
    raw = json.dumps(manifest).encode()
    for layer_name in (digest(layer), f"{digest(layer)}.tar", f"sha256-{digest(layer)}"):
        members = {digest(config): config, layer_name: layer, "manifest.json": raw}
        found = opened(tar_of({**members, "version": b"Directory Transport Version: 1.0\n"}))
        assert found.form == "dir"
        assert found.images[0].root == f"sha256:{digest(raw)}"
        assert found.roles[layer_name] == ("linux/amd64", "layer 1")
        assert found.roles["version"] == ("version",)
    assert refused(opened, tar_of({"manifest.json": raw})).startswith("missing blob: config")
