"""Losses are computed in float32 at least, whatever the precision of the networks.

Every method is run on layers that compute in float32 and hand over what half precision leaves of
it. Under autocast its terms must be those that the same numbers give in float32 without autocast.
There is no GPU here, but autocast's flag for GPUs is as it would be, and fake tensors go through
its rules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from typing import Any

import pytest
import torch
from tiny_methods import SUBCLASS_OF, make_context, prepared, terms_of
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from edgekd.distill import losses
from edgekd.distill.losses import wang2023
from edgekd.distill.methods import Method, Stage, method_names, resolve_method
from edgekd.distill.training.module import StageModule, total_of
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork
from edgekd.recipe import AugmentSection, FitSection

HALVES = pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
PRODUCTS = {"matmul", "__matmul__", "mm", "bmm", "addmm", "baddbmm", "einsum", "linear", "conv2d"}


@contextmanager
def autocast(half: torch.dtype) -> Iterator[None]:
    """On the CPU, and as on a GPU, where `torch.autocast` refuses if there is none."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", half)
    try:
        with torch.autocast("cpu", half):
            yield
    finally:
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])


# Every method ----------------------------------------------------------------------------------


def accepted(section: dict[str, Any]) -> bool:
    """Whether there is such a method for the networks below, which have no batch norm."""
    try:
        kind, _ = resolve_method(section)
    except InputError:
        return False
    return kind.needs_images


def variants() -> list[Any]:
    """Every method as it is, and those with a temperature also under each curriculum."""
    curricula = [{"temperature": {"curriculum": kind}} for kind in ("global", "instance")]
    every = [(name, more) for name in method_names() for more in ({}, *curricula)]
    return [
        pytest.param(name, more, id="-".join((name, *more.get("temperature", {}).values())))
        for name, more in every
        if accepted({"name": name, **more})
    ]


class Network(nn.Module):
    """A map, a pooled vector and logits, each the output of a layer."""

    num_features = 8

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 8, stride=8)
        self.neck = nn.Linear(8 * 16, 8)
        self.head = nn.Linear(8, outputs)

    def forward_features(self, pixels: Tensor) -> Tensor:
        return self.stem(pixels)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        pooled = self.neck(features.flatten(1))
        return pooled if pre_logits else self.head(pooled)

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, pixels: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(pixels))


def close_pair(name: str, options: dict[str, Any]) -> Method:
    """A method whose student is nearly its teacher: where low precision shows."""
    torch.manual_seed(0)
    kind, config = resolve_method({"name": name, **options})
    divided = SUBCLASS_OF if kind.learns_subclasses else ()
    plain = Network(len(divided) or 5)
    near = copy.deepcopy(plain)
    with torch.no_grad():
        for network in (plain, near):
            network.head.weight *= 8.0
        for parameter in near.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    student, teacher = (
        NormalisedNetwork(net, (0.5,) * 3, (0.5,) * 3, divided) for net in (plain, near)
    )
    made = kind(config, student, teacher if kind.needs_teacher else None, make_context())
    for assistant in getattr(made, "assistants", ()):
        assistant.network = copy.deepcopy(near)
    return made.requires_grad_(False).train()


@contextmanager
def layers_that_give(half: torch.dtype, handed_over: torch.dtype) -> Iterator[None]:
    """Layers compute in float32; what `half` leaves of their outputs comes in another type."""

    def rounded(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def give(self: nn.Module, features: Tensor) -> Tensor:
            with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
                return forward(self, features.float()).to(half).to(handed_over)

        return give

    with pytest.MonkeyPatch.context() as patched:
        for kind in LAYERS:
            patched.setattr(kind, "forward", rounded(kind.forward))
        yield


class NoProducts(TorchFunctionMode):
    """Refuses products, which a GPU's autocast takes to half precision, wherever it is on."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        assert name not in PRODUCTS or not torch.is_autocast_enabled("cuda"), name
        return function(*args, **(kwargs or {}))


def terms_and_gradients(
    name: str, options: dict[str, Any], surroundings: Callable[[], AbstractContextManager[Any]]
) -> dict[str, Tensor]:
    """Of every stage, in an epoch in which all terms count."""
    made, found = close_pair(name, options), {}
    for stage in map(prepared, made.stages()):
        for module in stage.optimised:
            module.requires_grad_(True)
        with surroundings():
            terms = terms_of(stage, 9, rate=0.0)
            if stage.objective is not None:
                total_of(terms, stage).backward()
        found |= {f"{stage.name}: {name}": term.detach() for name, term in terms.items()}
        gradients = [p.grad.flatten() for p in made.parameters() if p.grad is not None]
        if stage.objective is not None:
            found[f"{stage.name}: gradient"] = torch.cat(gradients)
        made.requires_grad_(False).zero_grad(set_to_none=True)
    return found


@HALVES
@pytest.mark.parametrize(("name", "options"), variants())
def test_a_method_under_autocast_computes_its_terms_in_float32(name, options, half):
    with layers_that_give(half, torch.float32):
        wanted = terms_and_gradients(name, options, nullcontext)
    with layers_that_give(half, half), NoProducts():
        found = terms_and_gradients(name, options, lambda: autocast(half))
    for key, value in wanted.items():
        assert found[key].dtype == torch.float32, key
        error = float((found[key] - value).norm() / value.norm().clamp(min=1e-9))
        # On its way back into a layer a gradient is rounded, and so is each sum of two of them.
        assert error < (0.01 if key.endswith("gradient") else 1e-5), (key, error)


def test_a_term_in_half_precision_is_refused():
    network = nn.Linear(1, 1)
    stage = Stage("student", (network,), lambda batch: {}, network)
    terms = {"ce": torch.tensor(1.0), "mine": torch.tensor(1.0, dtype=torch.bfloat16)}
    with pytest.raises(InputError, match="term mine of the stage student is bfloat16"):
        total_of(terms, stage)


@HALVES
@pytest.mark.parametrize("changes", [{"zoom": 0.2}, {"policy": "dermoscopy"}], ids=["zoom", "blur"])
def test_images_are_changed_in_float32(changes, half):
    made = close_pair("none", {})
    section = AugmentSection(**changes)
    module = StageModule(made, made.stages()[0], None, None, FitSection(), section, 0)
    images = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8)
    loaded = [images, torch.zeros(8, dtype=torch.int64), torch.arange(8)]
    kind = module.stage.samples
    expected = kind.batch(loaded, module._step_context(0)).pixels
    with autocast(half), NoProducts():
        pixels = kind.batch(loaded, module._step_context(0)).pixels
    assert not expected.equal(images.permute(0, 3, 1, 2) / 255)
    assert pixels.equal(expected)


# Every loss, as a GPU's autocast would have it --------------------------------------------------

OF_TENSORS = sorted(
    name
    for name in losses.__all__
    if any(
        "Tensor" in str(p.annotation) for p in signature(getattr(losses, name)).parameters.values()
    )
)
OF_VALUES = [name for name in OF_TENSORS if name not in ("kept_rows", "strata_of")]
LABELS, DRAWN = torch.arange(6) % 5, torch.arange(12).reshape(6, 2)
SIMILARITY = {"student": (6, 2), "teacher": (6, 2)}
FEATURES = {"student": (6, 5), "teacher": (6, 5)}
LABELLED = {**FEATURES, "targets": LABELS, "temperature": ()}
VIRTUAL = {
    "weights": (6, 2), "gradients": (6, 2, 5), "pooled": (6, 8), "held_out_pooled": (4, 8),
    "held_out_logits": (4, 5),
}  # fmt: skip
MAPS = {"student": (3, 5, 4, 4), "teacher": (3, 5, 4, 4)}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "adjusted_logits": {"logits": (6, 5), "adjustment": (5,)},
    "agreeing_divergence": FEATURES,
    "angle_relation": FEATURES,
    "attention_map": {"features": (3, 5, 4, 4)},
    "attention_transfer": MAPS,
    "balanced_teacher": {"teacher": (6, 5), "weights": (5,), "temperature": (6,)},
    "batch_statistics": {"features": (3, 5, 4, 4)},
    "binary_focal_loss": {"logits": (6, 5), "targets": (6, 5), "weights": (5,)},
    "bounded_temperature": {"raw": (6,)},
    "category_relation": {**FEATURES, "student_centroids": (5, 5), "teacher_centroids": (5, 5)},
    "channel_relation": MAPS,
    "class_centroids": {"bank": (6, 5), "labels": LABELS, "classes": 5},
    "class_imbalance": {"logits": (6, 5)},
    "class_log_prior": {"labels": LABELS, "classes": 5, "draws": (6,)},
    "contrast_scores": {"anchors": (6, 5), "bank": (12, 5), "drawn": DRAWN},
    "difficulty_of": {"logits": (6, 5), "targets": LABELS},
    "distance_relation": FEATURES,
    "finding_log_odds": {"present": (6, 5), "draws": (6,)},
    "focal_loss": {"logits": (6, 5), "targets": LABELS, "weights": (5,)},
    "hint": MAPS,
    "image_norm": {"images": (3, 5, 4, 4)},
    "instance_contrast": {"similarity": (6, 2)},
    "mixed_weights": {
        **VIRTUAL, "held_out_slope": lambda logits: logits, "rate": 0.1,
        "step": 1.0, "most": (2,),
    },
    "multi_weighted_binary_focal_loss": {
        "logits": (6, 5), "targets": (6, 5), "weights": (5,),
    },
    "multi_weighted_focal_loss": {"logits": (6, 5), "targets": LABELS, "weights": (5,)},
    "noise_contrast": {"scores": (6, 4), "positives": 2, "samples": 12},
    "non_target_kl": LABELLED,
    "reversed_gradient": {"value": (6,), "factor": -1.0},
    "sharpened_consistency": {
        "strong": (6, 5), "weak": (6, 5), "temperature": 0.7, "threshold": 0.2,
    },
    "similarity_transfer": SIMILARITY,
    "soft_cross_entropy": {"logits": (6, 5), "target": (6, 5), "temperature": 3.0},
    "softened_binary_kl": {**FEATURES, "temperature": (6,), "weights": (6, 5)},
    "softened_kl": {**FEATURES, "temperature": (6,), "weights": (6,)},
    "sources_of": {"similarity": (6, 2)},
    "statistics_distance": {
        "mean": (5,), "variance": (5,), "running_mean": (5,), "running_variance": (5,),
    },
    "target_kl": LABELLED,
    "total_variation": {"images": (3, 5, 4, 4)},
    "transformed_kl": {**FEATURES, "targets": LABELS},
    "virtual_logits": {**VIRTUAL, "rate": 0.1},
    "view_contrast": {"first": (4, 5), "second": (4, 5), "temperature": 0.5},
    "view_similarity": {"embedded": (8, 5)},
    "weighted_binary_cross_entropy": {"logits": (6, 5), "targets": (6, 5), "weights": (5,)},
    "weighted_cross_entropy": {"logits": (6, 5), "targets": LABELS, "weights": (5,)},
}  # fmt: skip


class Halves(TorchDispatchMode):
    """The operations that gave something in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = function(*args, **(kwargs or {}))
        if isinstance(given, Tensor) and given.dtype in (torch.bfloat16, torch.float16):
            self.found.append(str(function))
        return given


def on_a_fake_gpu(value: Any, half: torch.dtype) -> Any:
    """A shape becomes a tensor in half precision of that shape."""
    if isinstance(value, tuple):
        return torch.zeros(value, dtype=half, device="cuda")
    return (
        torch.zeros(value.shape, dtype=value.dtype, device="cuda")
        if isinstance(value, Tensor)
        else value
    )


def all_rows(scores: Tensor, answers: Tensor, ratio: float) -> Tensor:
    return torch.arange(len(scores), device=scores.device)


@HALVES
@pytest.mark.parametrize(
    "name", [name for name in OF_TENSORS if name not in ("kept_rows", "strata_of")]
)
def test_no_loss_does_anything_in_half_precision_on_a_gpu(name, half, monkeypatch):
    # It compares and counts, and fake tensors have no values.
    monkeypatch.setattr(wang2023, "kept_rows", all_rows)
    with FakeTensorMode(allow_non_fake_inputs=True), autocast(half):
        given = {key: on_a_fake_gpu(value, half) for key, value in ARGUMENTS[name].items()}
        with Halves() as halves:
            found = getattr(losses, name)(**given)
    for tensor in found if isinstance(found, tuple) else (found,):
        assert tensor.device.type == "cuda"
        assert tensor.dtype in (torch.float32, torch.int64)
    assert halves.found == []
