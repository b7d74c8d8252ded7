from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from edgekd.errors import InputError
from edgekd.models.foreign.base import ForeignNetwork, InputShape, image_shape


class Means(ForeignNetwork):
    """Notes how many images each pass has."""

    title = "a test"

    def __init__(self, batch: int | None) -> None:
        super().__init__(InputShape("NCHW", None, batch), Path("a.test"))
        self.passes: list[int] = []

    def infer(self, images: Tensor) -> Tensor:
        self.passes.append(len(images))
        return images.mean((2, 3))


@pytest.mark.parametrize(("batch", "passes"), [(None, [5]), (1, [1] * 5), (2, [2] * 3), (8, [8])])
def test_a_fixed_batch_is_filled(batch: int | None, passes: list[int]) -> None:
    network, images = Means(batch), torch.rand(5, 3, 4, 4)
    assert network(images).equal(images.mean((2, 3)))
    assert network.passes == passes


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ((None, 3, 64, 64), InputShape("NCHW", 64, None)),
        ((1, 64, 64, 3), InputShape("NHWC", 64, 1)),
        ((4, 3, None, None), InputShape("NCHW", None, 4)),
        ((None, 3, None, 32), InputShape("NCHW", 32, None)),
    ],
)
def test_the_images_of_an_input(sizes: tuple[int | None, ...], shape: InputShape) -> None:
    assert image_shape("x", sizes) == shape


@pytest.mark.parametrize("sizes", [(None, 1, 64, 64), (1, 3, 64, 48), (1, 100), ()])
def test_inputs_that_are_no_images(sizes: tuple[int | None, ...]) -> None:
    with pytest.raises(InputError, match="not square RGB images"):
        image_shape("x", sizes)
