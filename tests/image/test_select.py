"""Which image of an input is meant, and which images are compared with which."""

from pathlib import Path

import pytest

from sxdiff.image.graph import Image, Input
from sxdiff.image.oci import pair_images, select
from sxdiff.image.store import Store
from sxdiff.model import InputError


def holding(*names: "str | tuple[str, ...]") -> Input:
    """An input with one image for each name or tuple of names."""
    images = tuple(
        Image((name,) if isinstance(name, str) else name, None, (), (), ()) for name in names
    )
    return Input("oci-archive", Store("x.tar", (), size=0), images, (), None, {})


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("docker.io/library/core-x:latest", 0),
        ("core-x:latest", 0),
        ("core-x", 0),
        ("latest", 0),
        ("docker.io/foo/bar:1", 1),
        ("foo/bar:1", 1),
        ("bar:1", 1),
        ("1", 1),
        ("127.0.0.1:5055/sx/a:2", 2),
        ("sx/a:2", 2),
        ("other:3", 2),
    ],
)
def test_a_reference_names_one_image(reference: str, number: int) -> None:
    opened = holding(
        "docker.io/library/core-x:latest",
        "docker.io/foo/bar:1",
        ("127.0.0.1:5055/sx/a:2", "other:3"),
    )
    assert select(opened, reference) is opened.images[number]


def test_a_reference_that_names_none_or_several() -> None:
    opened = holding(*(f"registry/image-{n}:1" for n in range(12)))
    with pytest.raises(InputError) as caught:
        select(opened, "image")
    names = ", ".join(f"registry/image-{n}:1" for n in range(10))
    assert str(caught.value) == f"x.tar: no image is named 'image': it has {names} and 2 more"
    with pytest.raises(InputError, match="several images are named '1': it has registry/image-0"):
        select(opened, "1")
    with pytest.raises(InputError, match="its images have no names"):
        select(holding(()), "1")


def test_one_image_a_side_is_a_pair_whatever_their_names() -> None:
    a, b = holding("a:1"), holding("b:1")
    assert pair_images(a, b) == ([(a.images[0], b.images[0])], "")


def test_images_pair_by_name_then_by_position() -> None:
    a = holding("docker.io/library/x:latest", "y:1", "z:1", "w:1")
    b = holding("other:1", "y:1", "x")
    pairs, said = pair_images(a, b)
    assert pairs == [
        (a.images[0], b.images[2]),
        (a.images[1], b.images[1]),
        (a.images[2], b.images[0]),
        (a.images[3], None),
    ]
    assert said == "images are paired: 2 by name, 1 by position, 1 without a counterpart"
    pairs, said = pair_images(b, a)
    assert said == "images are paired: 2 by name, 1 by position, 1 without a counterpart"
    assert pairs[-1] == (None, a.images[3])


def test_a_plain_root_has_no_images(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert pair_images(holding(), holding("x")) == (
        [(None, holding("x").images[0])],
        "images are paired: 1 without a counterpart",
    )
