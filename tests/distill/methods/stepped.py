"""A step of a stage that takes its steps itself, against the formulas in float64.

The players have their real optimisers. The images are augmented by a change that the reference can
repeat.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from composed import made
from torch import Tensor, nn

from edgekd.distill.methods import Method, Players, Stage, StepContext
from edgekd.distill.training.optimisation import make_optimizer
from edgekd.recipe import FitSection

BATCH = 8


def augmented(pixels: Tensor) -> Tensor:
    return 0.9 * pixels.flip(3)


class Loop:
    """What players need of a training loop: an optimiser for each, and no gradient scaler."""

    def __init__(self, stage: Stage, fit: FitSection) -> None:
        self.trainer = SimpleNamespace(precision_plugin=None)
        self._optimizers = [
            make_optimizer(player.modules, player.optimiser or fit)
            for player in stage.players.values()
        ]

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return self._optimizers


class Stepped:
    """A method before a step of its stage, and after it.

    Attributes:
        before: The method before.
        method: The method after.
        terms: What the step noted.
    """

    def __init__(self, method: Method, epoch: int = 0, steps: int = 1) -> None:
        fit = method.context.fit
        (stage,) = method.stages()
        stage.set_trainable(method)
        method.eval()
        for part in stage.updated:
            part.train()
        players: Any = Players(stage.players, Loop(stage, fit))  # type: ignore[arg-type]
        self.before, self.method = copy.deepcopy(method), method
        for step in range(steps):
            context = self.context(epoch, step)
            self.terms = stage.step(stage.samples.batch(step, context), players)

    @staticmethod
    def context(epoch: int = 0, step: int = 0) -> StepContext:
        drawn = torch.Generator().manual_seed(100 * epoch + step)
        return StepContext(BATCH, torch.device("cpu"), epoch, augmented, generator=drawn, step=step)


def in_float64(name: str, smoothing: float = 0.0, **options: Any) -> Method:
    """A method between the two networks of `composed`, whose batch norm remembers something."""
    fit = FitSection(
        epochs=10, batch_size=BATCH, label_smoothing=smoothing, optimizer="sgd",
        learning_rate=0.01, momentum=0.0, weight_decay=0.0, schedule="steps",
    )  # fmt: skip
    method = made(name, fit, options)
    torch.manual_seed(4)
    assert method.teacher is not None
    with torch.no_grad():
        for net in (method.student, method.teacher):  # so that they agree in many images
            net.network.fc.bias[2] += 3.0
    for layer in norms(method.teacher):
        layer.running_mean.normal_(0.0, 0.3)
        layer.running_var.uniform_(0.5, 2.0)
    return method.double()


def norms(network: nn.Module) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


def watched(network: nn.Module, look: Callable[[], Any]) -> tuple[Any, list[Tensor]]:
    """What `look` gives, and what batch norm receives while it does."""
    received: list[Tensor] = []
    handles = [
        layer.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
        for layer in norms(network)
    ]
    given = look()
    for handle in handles:
        handle.remove()
    return given, received


def moments(received: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Mean and biased variance of each channel."""
    found = []
    for maps in received:
        mean = maps.mean(dim=(0, 2, 3))
        squares = (maps - mean[None, :, None, None]) ** 2
        found.append((mean, squares.mean(dim=(0, 2, 3))))
    return found


def distance(network: nn.Module, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Σ ‖μ̂ − μ‖ + ‖v̂ − v‖, not squared."""
    total = torch.zeros((), dtype=torch.float64)
    for (mean, variance), layer in zip(pairs, norms(network), strict=True):
        total = total + ((mean - layer.running_mean) ** 2).sum() ** 0.5
        total = total + ((variance - layer.running_var) ** 2).sum() ** 0.5
    return total


def same_choice(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean KL(teacher ‖ student) over the batch, counted where both choose the same class."""
    p, q = teacher.softmax(1), student.softmax(1)
    rows = (p * (p / q).log()).sum(1)
    agree = torch.tensor(
        [int(a.argmax()) == int(b.argmax()) for a, b in zip(student, teacher, strict=True)]
    )
    return rows[agree].sum() / len(rows)


def close_terms(found: dict[str, Tensor], wanted: dict[str, Tensor], atol: float = 1e-9) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert abs(float(value.detach())) > 1e-6, f"{name} is next to nothing"
        torch.testing.assert_close(
            found[name].detach().double(), value.detach().double(), atol=atol, rtol=1e-6, msg=name
        )
