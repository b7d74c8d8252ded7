"""The deploy graph: the one network interface that every backend lowers."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgekd.models.features import features_of
from edgekd.models.subclasses import SubclassSums

__all__ = ["DeployGraph", "FeatureNetwork", "deploy_graph"]


class DeployGraph(nn.Module):
    """A network with cast, layout change and normalisation inside.

    The input is uint8 RGB [1, S, S, 3], the output float32 [1, …] of the shape that the task's
    device layer names. Where the network predicts subclasses, the outputs are the logits of the
    classes, by sums that every backend leaves in float.

    Args:
        network: Maps normalised float32 [N, 3, S, S] to outputs [N, …].
        mean: Mean per channel, for pixels in 0..1.
        std: Standard deviation per channel, for pixels in 0..1.
        subclass_of: Class index of each output, where the network predicts subclasses.
        trained_in_int8: Whether the weights were trained in simulated int8, so that their biases
            already make up for the rounding of weights.

    Raises:
        ValueError: `mean` or `std` has not three values, a `std` is not positive, or the subclasses
            are not in the order of their classes.
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        subclass_of: Sequence[int] = (),
        *,
        trained_in_int8: bool = False,
    ) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std need three values, std positive: {mean}, {std}")
        self.network = network
        self.trained_in_int8 = trained_in_int8
        self.class_logits = SubclassSums(subclass_of)
        # In float64 first, so that the folded constants are the nearest float32.
        deviation = torch.tensor(std, dtype=torch.float64)
        centre = torch.tensor(mean, dtype=torch.float64)
        self.register_buffer("scale", _per_channel(1.0 / (255.0 * deviation)))
        self.register_buffer("offset", _per_channel(-centre / deviation))

    def normalise(self, image: Tensor) -> Tensor:
        """The network's input, float32 [N, 3, S, S], of images uint8 [N, S, S, 3].

        (x/255 - mean)/std is folded into one multiply-add. The cast comes before the
        transpose, because TensorRT takes uint8 only as an input that is cast at once.
        """
        channels_first = image.to(torch.float32).permute(0, 3, 1, 2)
        return channels_first * self.scale + self.offset

    def forward(self, image: Tensor) -> Tensor:
        """Outputs [N, …] of uint8 RGB images [N, S, S, 3]; N is 1 in every lowered file."""
        outputs: Tensor = self.class_logits(self.network(self.normalise(image)))
        return outputs


class FeatureNetwork(nn.Module):
    """A network that gives the input of its classifier, to be lowered in its place.

    Args:
        network: Maps normalised float32 [N, 3, S, S] to outputs; see `features_of`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """The pooled features [N, F] of normalised images [N, 3, S, S]."""
        return features_of(self.network, images).pooled


def deploy_graph(
    network: nn.Module,
    mean: Sequence[float],
    std: Sequence[float],
    subclass_of: Sequence[int] = (),
    *,
    trained_in_int8: bool = False,
) -> DeployGraph:
    """The deploy graph of a copy of `network`, in eval mode, on the CPU, without gradients.

    The caller's network stays as it is. Arguments and errors: see `DeployGraph`.
    """
    graph = DeployGraph(
        copy.deepcopy(network), mean, std, subclass_of, trained_in_int8=trained_in_int8
    )
    return graph.cpu().eval().requires_grad_(False)


def _per_channel(values: Tensor) -> Tensor:
    return values.to(torch.float32).reshape(1, 3, 1, 1)
