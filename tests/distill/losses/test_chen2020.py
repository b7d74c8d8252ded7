"""NT-Xent: its closed form, its own definition, and what it cannot compare."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from loss_checks import close, drawn

from edgekd.distill.losses import view_contrast
from edgekd.errors import InputError


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_two_images_with_identical_views_have_a_closed_form(temperature):
    views = torch.tensor([[2.0, 0.0], [0.3, 0.4]], dtype=torch.float64)  # cosine 0.6
    expected = log(1.0 + 2.0 * exp((0.6 - 1.0) / temperature))
    close(view_contrast(views, views, temperature), expected)


def test_it_is_the_formula_written_out():
    first, second = drawn(5, 4), drawn(5, 4, seed=1)
    views = torch.cat((first, second))
    total = 0.0
    for i in range(10):
        near = [float(torch.cosine_similarity(views[i], views[k], dim=0)) / 0.3 for k in range(10)]
        others = sum(exp(near[k]) for k in range(10) if k != i)
        total -= log(exp(near[(i + 5) % 10]) / others) / 10
    close(view_contrast(first, second, 0.3), total)


def test_the_length_of_embeddings_does_not_count():
    first, second = drawn(4, 3), drawn(4, 3, seed=1)
    close(view_contrast(7.0 * first, second, 0.5), view_contrast(first, second, 0.5))


def test_a_single_image_is_refused():
    with pytest.raises(InputError, match="two images in a batch"):
        view_contrast(drawn(1, 3), drawn(1, 3), 0.5)
