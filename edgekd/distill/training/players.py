"""Players: the optimisers of a stage that takes its steps itself.

A step updates each player by a loss of its own, as often as it likes. Gradients are computed for
the parameters of that player alone, so that a generator's loss may run through the student without
leaving a gradient there, and are averaged over the processes before the optimiser sees them. With
several processes an inner update (one that gradients flow through) uses the images of its own
process; the outer gradient is the mean over processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from edgekd.distill.losses.precision import refuse_half_precision
from edgekd.distill.training.processes import average_in_place
from edgekd.errors import InputError
from edgekd.recipe import OptimiserSection

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule

__all__ = ["Player", "Players"]


@dataclass(frozen=True)
class Player:
    """Modules with an optimiser and a learning-rate schedule of their own.

    Schedules advance with the training steps of the stage, however often a player is updated in
    one: `one_cycle` spans the steps of the stage, `plateau` follows its validation score, and
    `steps` counts its epochs.

    Attributes:
        modules: What the optimiser updates.
        optimiser: Optimiser and schedule; None for those of the stage's `fit`.
        clip: Largest norm of the gradient, to which a longer one is scaled down; None for `clip` of
            the optimiser's section.
    """

    modules: tuple[nn.Module, ...]
    optimiser: OptimiserSection | None = None
    clip: float | None = None

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that are trained, each once, in the order of the modules."""
        every = (p for module in self.modules for p in module.parameters() if p.requires_grad)
        return list(dict.fromkeys(every))


class Players:
    """The players of a running stage, by name.

    Args:
        players: The players that the stage declares.
        module: The training module, whose optimisers are in the order of the players.
    """

    def __init__(self, players: Mapping[str, Player], module: LightningModule) -> None:
        optimizers = module.optimizers()
        several = optimizers if isinstance(optimizers, list) else [optimizers]
        self._players = players
        self._optimizers: dict[str, Any] = dict(zip(players, several, strict=True))
        self._scaler = getattr(module.trainer.precision_plugin, "scaler", None)  # float16 has one

    def parameters(self, name: str) -> list[nn.Parameter]:
        """The parameters of a player, in the order in which `apply` takes their gradients."""
        return self._player(name).parameters()

    def rate(self, name: str) -> float:
        """The learning rate of a player in this step, for inner updates of its parameters."""
        self._player(name)
        return float(self._optimizers[name].param_groups[0]["lr"])

    def update(self, name: str, loss: Tensor, *, retain_graph: bool = False) -> None:
        """Take one step of a player's optimiser, down the gradient of a loss.

        Args:
            name: The player.
            loss: A scalar, in float32.
            retain_graph: Keep the graph for another loss that shares a part of it.

        Raises:
            InputError: There is no such player, the loss is in half precision, or it does not
                depend on one of the player's parameters.
        """
        player = self._player(name)
        refuse_half_precision(loss, f"the loss of the player {name}")
        parameters = player.parameters()
        gradients = torch.autograd.grad(
            self._scaled(loss), parameters, retain_graph=retain_graph, allow_unused=True
        )
        reached = [gradient for gradient in gradients if gradient is not None]
        if len(reached) < len(parameters):
            raise _unreached(name, player, gradients)
        self._take_step(name, parameters, reached)

    def apply(self, name: str, gradients: Sequence[Tensor]) -> None:
        """Take one step of a player's optimiser along gradients that the method computed.

        For gradients that no single loss has: sums over an inner loop (first-order MAML), or the
        difference between a slow copy of the weights and a fast one (Reptile).

        Args:
            name: The player.
            gradients: Gradients in the order of `parameters(name)`.

        Raises:
            InputError: There is no such player.
        """
        parameters = self._player(name).parameters()
        self._take_step(name, parameters, [self._scaled(each.detach()) for each in gradients])

    def _player(self, name: str) -> Player:
        if name not in self._players:
            message = f"the stage has no player {name!r}"
            raise InputError(message, f"its players are: {', '.join(self._players)}")
        return self._players[name]

    def _scaled(self, value: Tensor) -> Tensor:
        """`value` times the factor that keeps float16 gradients from vanishing.

        The factor is removed before the step.

        Source: Micikevicius et al. 2018, "Mixed Precision Training" (ICLR), section 3.2.
        """
        scaled: Tensor = value if self._scaler is None else self._scaler.scale(value)
        return scaled

    def _take_step(
        self, name: str, parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor]
    ) -> None:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
        average_in_place([parameter.grad for parameter in parameters if parameter.grad is not None])
        self._optimizers[name].step()
        for parameter in parameters:
            parameter.grad = None


def _unreached(name: str, player: Player, gradients: Sequence[Tensor | None]) -> InputError:
    """The error of a loss that does not depend on all parameters of its player."""
    missing = {
        id(parameter)
        for parameter, gradient in zip(player.parameters(), gradients, strict=True)
        if gradient is None
    }
    first = next(
        path
        for module in player.modules
        for path, parameter in module.named_parameters()
        if id(parameter) in missing
    )
    message = (
        f"the loss of the player {name} does not depend on {len(missing)} of its parameters "
        f"({first} first)"
    )
    return InputError(message, "add them to `Stage.idle`, or to another player")
