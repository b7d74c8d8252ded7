"""Image classifiers of Hugging Face's transformers, which is an extra of edgekd.

Their configuration is the options of the architecture. Code from a model's own folder
(`trust_remote_code`) is never run.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from edgekd.errors import InputError, MissingDependencyError

__all__ = ["LogitsOf", "create"]

_SUFFIX = "ForImageClassification"


class LogitsOf(nn.Module):
    """A classifier of transformers, giving its logits alone.

    Args:
        network: Takes `pixel_values` and gives a structure with `logits`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, K] of normalised images [B, 3, S, S]."""
        logits: Tensor = self.network(pixel_values=images).logits
        return logits


def create(name: str, classes: int, options: dict[str, Any]) -> nn.Module:
    """A classifier with random weights; see `Library.create`.

    Args:
        name: Its class in transformers, `…ForImageClassification`.
        classes: Number of outputs.
        options: Its configuration, with `model_type`.

    Raises:
        MissingDependencyError: transformers is not installed.
        InputError: There is no such class, or it refuses the configuration.
    """
    transformers = _transformers()
    kind = getattr(transformers, name, None) if name.endswith(_SUFFIX) else None
    if kind is None:
        message = f"transformers has no image classifier {name!r}"
        raise InputError(message, f"write its class, such as ResNet{_SUFFIX}")
    try:
        return LogitsOf(kind(_config(transformers, classes, options)))
    except Exception as error:  # its constructors raise exceptions of many types
        why = " ".join(str(error).split()) or type(error).__name__
        message = f"{name} cannot be made by its configuration: {why}"
        hint = "check config.json, or install the transformers that wrote it"
        raise InputError(message, hint) from error


def _config(transformers: Any, classes: int, options: dict[str, Any]) -> Any:
    own = {key: value for key, value in options.items() if key != "model_type"}
    labels = {number: str(number) for number in range(classes)}
    own |= {"id2label": labels, "label2id": {label: number for number, label in labels.items()}}
    return transformers.AutoConfig.for_model(options.get("model_type", ""), **own)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        purpose = "build a classifier of Hugging Face's transformers"
        raise MissingDependencyError("transformers", "transformers", purpose) from error
    return transformers
