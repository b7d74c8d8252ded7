"""Methods for few labels demand images without any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_methods import make_context

from edgekd.distill.methods.few_labels import required_unlabelled
from edgekd.errors import InputError


def test_the_pool_has_its_own_size_of_batch() -> None:
    pool = required_unlabelled("smpl", make_context(), 3)
    fit = make_context().fit
    assert pool.batch_size(fit, 8, 1) == 40  # all there are
    assert pool.batch_size(fit, 8, 2) == 20
    small = make_context(type(fit)(batch_size=4))
    assert pool.batch_size(small.fit, 8, 1) == 12


def test_a_run_without_unlabelled_images_is_refused() -> None:
    with pytest.raises(InputError, match="smpl learns from unlabelled images") as caught:
        required_unlabelled("smpl", replace(make_context(), unlabelled_images=0), 1)
    assert "data: {unlabelled:" in caught.value.hint


def test_labels_of_one_class_alone_are_refused() -> None:
    context = replace(make_context(), class_counts=(0, 12, 0))
    with pytest.raises(InputError, match="all labelled training images are of one"):
        required_unlabelled("smpl", context, 1)
