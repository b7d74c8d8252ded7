"""A network of inverted residuals whose widths, depths and kernels a recipe writes out.

The blocks are those of MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381): 1×1 convolution to
more channels, depthwise convolution, 1×1 convolution to few, batch norm after each, ReLU6 after the
first two. There is no squeeze-and-excite, so that int8 engines run them whole.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from torch import Tensor, nn

from edgekd.recipe import Positive, Section

__all__ = ["Kernel", "Mobile", "MobileOptions", "StageOptions", "mobile_macs"]

Kernel = Annotated[int, Meta(ge=1, le=31)]


class StageOptions(Section, frozen=True, kw_only=True):
    """Blocks of one width.

    Attributes:
        width: Channels that each block gives.
        kernels: Side of the depthwise kernel of each block: there are as many blocks as kernels.
        stride: Stride of the first block.
        expansion: Channels inside of a block for each one that it receives.
    """

    width: Positive
    kernels: Annotated[tuple[Kernel, ...], Meta(min_length=1)]
    stride: Annotated[int, Meta(ge=1, le=2)] = 1
    expansion: Positive = 6

    def __post_init__(self) -> None:
        """Refuse kernels without a middle."""
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels {list(self.kernels)}: each is an odd number")


class MobileOptions(Section, frozen=True, kw_only=True):
    """Options of the architecture.

    Attributes:
        stages: The stages, in the order that an image goes through them.
        stem: Channels of the first convolution, 3×3.
        stem_stride: Its stride.
        head: Channels of the last convolution, 1×1; 0 leaves it out.
    """

    stages: Annotated[tuple[StageOptions, ...], Meta(min_length=1)]
    stem: Positive = 16
    stem_stride: Annotated[int, Meta(ge=1, le=2)] = 2
    head: Annotated[int, Meta(ge=0)] = 640

    @property
    def features(self) -> int:
        """Channels of the last map."""
        return self.head or self.stages[-1].width

    @property
    def plain(self) -> dict[str, Any]:
        """The options as a recipe has them."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain


class Mobile(nn.Module):
    """Takes normalised float32 [B, 3, S, S] and gives logits [B, K].

    Args:
        options: Its stages.
        classes: K.
    """

    def __init__(self, options: MobileOptions, classes: int) -> None:
        super().__init__()
        self.num_features = options.features
        self.stem = _convolution(3, options.stem, 3, options.stem_stride)
        stages, width = [], options.stem
        for stage in options.stages:
            stages.append(_stage(width, stage))
            width = stage.width
        self.stages = nn.Sequential(*stages)
        self.head = _convolution(width, options.head, 1) if options.head else nn.Identity()
        self.classifier = nn.Linear(options.features, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward_features(self, images: Tensor) -> Tensor:
        """The last map [B, C, H, W]."""
        features: Tensor = self.head(self.stages(self.stem(images)))
        return features

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of the last map; its means over positions with `pre_logits`."""
        pooled = features.mean(dim=(2, 3))
        return pooled if pre_logits else self.get_classifier()(pooled)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, K]."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.classifier


class InvertedResidual(nn.Module):
    """A block; what it receives is added to what it gives where both have the same shape.

    Args:
        received: Channels that it receives.
        width: Channels that it gives.
        kernel: Side of the depthwise kernel.
        stride: Stride of the depthwise convolution.
        expansion: Factor of the channels inside; at 1 the first convolution is left out.
    """

    def __init__(self, received: int, width: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = received * expansion
        self.expand = _convolution(received, inside, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(inside, inside, kernel, stride, groups=inside)
        self.project = _convolution(inside, width, 1, activation=False)
        self.adds = stride == 1 and received == width

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, C', H', W'] of maps [B, C, H, W]."""
        given: Tensor = self.project(self.depthwise(self.expand(maps)))
        return maps + given if self.adds else given


def _stage(received: int, stage: StageOptions) -> nn.Sequential:
    widths = [received, *[stage.width] * (len(stage.kernels) - 1)]
    strides = [stage.stride, *[1] * (len(stage.kernels) - 1)]
    return nn.Sequential(
        *(
            InvertedResidual(width, stage.width, kernel, stride, stage.expansion)
            for width, kernel, stride in zip(widths, stage.kernels, strides, strict=True)
        )
    )


def _convolution(
    received: int, width: int, kernel: int, stride: int = 1, groups: int = 1, *,
    activation: bool = True,
) -> nn.Sequential:  # fmt: skip
    convolution = nn.Conv2d(
        received, width, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if activation else []))


def mobile_macs(options: MobileOptions, classes: int, image_size: int) -> int:
    """Multiply-accumulates of one image, those of `count_macs` without running the network.

    Args:
        options: The network.
        classes: K.
        image_size: S.
    """
    side = -(-image_size // options.stem_stride)
    total, width = side**2 * 27 * options.stem, options.stem
    for stage in options.stages:
        for number, kernel in enumerate(stage.kernels):
            inside = width * stage.expansion
            total += side**2 * width * inside if stage.expansion > 1 else 0
            side = -(-side // (stage.stride if number == 0 else 1))
            total += side**2 * inside * (kernel**2 + stage.width)
            width = stage.width
    total += side**2 * width * options.head
    return total + options.features * classes
