"""Descriptors of tasks, and their layers, each imported when it is used."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod

import pytest

from edgekd.doctor.extensions import _LAYER_KINDS
from edgekd.errors import ArtefactError, InputError
from edgekd.extensions import tasks
from edgekd.extensions.registry import Registry, _object_at
from edgekd.extensions.tasks import LAYERS, TASKS, Layer, TaskDescriptor, load_layer, task_named


class Kind(ABC):
    """The abstract class of a layer."""

    @abstractmethod
    def answer(self) -> str:
        """The answer of the layer."""


class Sound(Kind):
    def answer(self) -> str:
        return "sound"


READY = Sound()
TWO_LAYERS = TaskDescriptor(
    "mine", "my task", {"data": f"{__name__}:Sound", "device": f"{__name__}:READY"}
)


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that has two layers, and no others."""
    registry = Registry("task", "edgekd.none", {"mine": f"{__name__}:TWO_LAYERS"})
    monkeypatch.setattr(tasks, "TASKS", registry)
    load_layer.cache_clear()


@pytest.mark.parametrize("name", TASKS.built_in)
def test_descriptor_has_the_name_and_every_layer(name: str) -> None:
    descriptor = task_named(name)
    assert descriptor.name == name
    assert descriptor.title
    assert tuple(descriptor.layers) == LAYERS


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", TASKS.built_in)
def test_every_layer_implements_its_abstract_class(name: str, layer: Layer) -> None:
    kind = _object_at(_LAYER_KINDS[layer])
    assert isinstance(load_layer(name, layer, kind), kind)


def test_unknown_task_comes_with_the_nearest() -> None:
    with pytest.raises(InputError, match="there is no task 'multilabl'") as caught:
        task_named("multilabl")
    assert caught.value.hint.startswith("did you mean 'multilabel'?")


@pytest.mark.usefixtures("mine")
def test_a_layer_is_a_class_to_call_or_a_ready_object() -> None:
    made = load_layer("mine", "data", Kind)
    assert made.answer() == "sound"
    assert load_layer("mine", "data", Kind) is made
    assert load_layer("mine", "device", Kind) is READY


@pytest.mark.usefixtures("mine")
def test_a_layer_that_a_task_lacks_is_named() -> None:
    with pytest.raises(ArtefactError, match="the task mine has no layer 'training'") as caught:
        load_layer("mine", "training", Kind)
    assert caught.value.hint


@pytest.mark.parametrize("name", TASKS.built_in)
def test_layers_of_a_device_import_nothing_of_training(name: str) -> None:
    code = (
        "import sys\n"
        "from edgekd.bundle.task import ManifestTask\n"
        "from edgekd.extensions.tasks import load_layer\n"
        "from edgekd.runtime.task import DeviceTask\n"
        f"load_layer({name!r}, 'manifest', ManifestTask)\n"
        f"load_layer({name!r}, 'device', DeviceTask)\n"
        "print(sorted({'torch', 'scipy', 'pandas', 'onnx', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
