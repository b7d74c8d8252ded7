"""The operators of a TensorFlow Lite file that compute a layer of the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.lowered_files import FLOAT_LAYERS
from backends.tflite_files import (
    LAYERS,
    WEIGHTED,
    assert_layers_are_told_apart,
    float_content,
    lower,
    noise,
    read,
    renewed,
    timm_graph,
)
from edgekd.errors import ArtefactError, InputError
from edgekd.lower.backends._tflite_layers import scopes_of
from edgekd.lower.precision import Variant

Lowered = Callable[[str], Path]


def test_exactly_the_named_layers_are_float(tflite_file: Lowered) -> None:
    operators = read(tflite_file("int8-mixed"))
    weighted = [one for one in operators if one.kind in WEIGHTED]
    # A chain of layers: the file has them in the network's order.
    found = {name: one.arithmetic for name, one in zip(LAYERS, weighted, strict=True)}
    assert found == {name: "float32" if name in FLOAT_LAYERS else "int8" for name in LAYERS}
    assert all(one.weight == one.arithmetic for one in weighted)


@pytest.mark.parametrize("layer", LAYERS)
def test_one_float_layer(layer: str, student: Any, tmp_path: Path) -> None:
    wanted = Variant(precision="int8-mixed", float_layers=(layer,))
    file = lower(student.graph, wanted, student.calibration, tmp_path)
    weighted = [one.arithmetic for one in read(file) if one.kind in WEIGHTED]
    assert weighted == ["float32" if name == layer else "int8" for name in LAYERS]


@pytest.mark.parametrize("layer", ["stem.1", "blocks", "conv_stem"])
def test_names_that_are_no_layer(layer: str, student: Any, tmp_path: Path) -> None:
    wanted = Variant(precision="int8-mixed", float_layers=("stem.0", layer))
    with pytest.raises(InputError, match=f"no convolution or linear layer '{layer}'"):
        lower(student.graph, wanted, student.calibration, tmp_path)
    assert not list(tmp_path.iterdir())


def test_layer_without_an_operator_is_refused(student: Any) -> None:
    with pytest.raises(ArtefactError, match=r"no operator .* has the weights of 'stem.0'"):
        scopes_of(float_content(student), renewed(student, "stem.0"), ["stem.0"])


def test_layers_with_the_same_weights_are_refused_unless_both_are_named(student: Any) -> None:
    network = renewed(student, "blocks.1.body.0")
    network.get_submodule("blocks.1.body.0").weight.data.copy_(
        -2 * network.get_submodule("blocks.0.body.0").weight
    )
    content = float_content(student)
    with pytest.raises(ArtefactError, match=r"'blocks.0.body.0' and 'blocks.1.body.0'"):
        scopes_of(content, network, ["blocks.0.body.0"])
    assert len(scopes_of(content, network, ["blocks.0.body.0", "blocks.1.body.0"])) == 1


@pytest.mark.slow
def test_residual_branches_are_told_apart(tmp_path: Path) -> None:
    """In the file the shortcut's convolution comes after those of the other branch."""
    graph = timm_graph("resnet10t")
    assert_layers_are_told_apart(graph, 15)
    shortcut = "layer3.0.downsample.1"
    wanted = Variant(precision="int8-mixed", float_layers=(shortcut, "fc"))
    file = lower(graph, wanted, noise(), tmp_path)
    kept = [one.weights for one in read(file) if one.kind in WEIGHTED and one.weight == "float32"]
    assert sorted(array.shape for array in kept) == [(4, 512), (256, 1, 1, 128)]
    filters = kept[0].reshape(256, 128)
    known = graph.network.get_submodule(shortcut).weight.numpy().reshape(256, 128)
    cosines = (filters * known).sum(1) / np.linalg.norm(filters, axis=1)
    assert np.allclose(np.abs(cosines / np.linalg.norm(known, axis=1)), 1, atol=1e-5)
