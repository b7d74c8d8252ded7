"""The supernet: one set of weights for all architectures of a search."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.func import functional_call

from edgekd.models.mobile import Mobile, MobileOptions, StageOptions
from edgekd.tune.supernet.choices import ArchitectureChoices

__all__ = ["Supernet", "recalibrated"]

_SKELETONS = 4096


class Supernet(nn.Module):
    """Weights of which every architecture takes the first channels.

    Depthwise convolutions, and their batch norm, have weights of their own for each kernel; all
    others are shared. The running statistics of batch norm are nobody's: `network` gives a network
    without any, see `recalibrated`.

    Args:
        choices: The architectures.
        classes: Number of outputs.
    """

    def __init__(self, choices: ArchitectureChoices, classes: int) -> None:
        super().__init__()
        self.choices, self.classes = choices, classes
        for kernel in choices.kernels:
            largest = _with_kernel(choices.largest, kernel)
            for name, weight in Mobile(largest, classes).named_parameters():
                key = _key(name, largest)
                if not hasattr(self, key):
                    self.register_parameter(key, nn.Parameter(weight.detach().clone()))

    def weights_of(self, options: MobileOptions) -> dict[str, Tensor]:
        """The parameters of an architecture by their names there: views of the shared ones."""
        shapes = _skeleton(options, self.classes).named_parameters()
        return {
            name: getattr(self, _key(name, options))[tuple(slice(side) for side in own.shape)]
            for name, own in shapes
        }

    def forward(self, options: MobileOptions, images: Tensor) -> Tensor:
        """Logits of an architecture for normalised images, by statistics of the batch itself."""
        network = _skeleton(options, self.classes)
        scratch = {
            name: torch.zeros(own.shape, dtype=own.dtype, device=images.device)
            for name, own in network.named_buffers()
        }
        logits: Tensor = functional_call(network, {**self.weights_of(options), **scratch}, images)
        return logits

    def network(self, options: MobileOptions) -> Mobile:
        """An architecture as a network of its own, with a copy of its weights."""
        network = Mobile(options, self.classes)
        with torch.no_grad():
            for name, weight in self.weights_of(options).items():
                network.get_parameter(name).copy_(weight)
        return network


def recalibrated(network: nn.Module, batches: list[Tensor]) -> nn.Module:
    """A network whose batch norm remembers the means over batches of images, in evaluation mode.

    The statistics of an architecture are not those of another one: without this none could be
    judged (Guo et al. 2020, "Single Path One-Shot Neural Architecture Search", section 3.4).

    Args:
        network: It is changed.
        batches: Images as the network takes them, [B, 3, S, S] each.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a mean over the batches, each as heavy
    network.train()
    with torch.no_grad():
        for images in batches:
            network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return network.eval()


@lru_cache(maxsize=_SKELETONS)
def _skeleton(options: MobileOptions, classes: int) -> Mobile:
    """An architecture without memory for its weights, in training mode."""
    with torch.device("meta"):
        return Mobile(options, classes)


def _key(name: str, options: MobileOptions) -> str:
    """The shared weight of a parameter of an architecture."""
    key = name.replace(".", "-")
    if ".depthwise." not in name:
        return key
    _, stage, block, *_ = name.split(".")
    return f"{key}-{options.stages[int(stage)].kernels[int(block)]}"


def _with_kernel(options: MobileOptions, kernel: int) -> MobileOptions:
    """An architecture all of whose blocks have one kernel."""
    stages = tuple(
        StageOptions(
            width=stage.width, kernels=(kernel,) * len(stage.kernels), stride=stage.stride,
            expansion=stage.expansion,
        )
        for stage in options.stages
    )  # fmt: skip
    return MobileOptions(
        stages=stages, stem=options.stem, stem_stride=options.stem_stride, head=options.head
    )
