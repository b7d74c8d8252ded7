"""ONNX's operators in PyTorch, as far as lowered students have them.

A translation takes the inputs of a node in their order and its attributes by keyword, and returns
the output, or a tuple of outputs. An attribute that it does not have is one that it does not know.

Source: ONNX operator schemas of opsets 13 to 20, https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["TRANSLATIONS", "Translation"]

_TYPES = {
    1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 10: torch.float16,
}  # fmt: skip
"""Types by their number in `onnx.TensorProto.DataType`."""


@dataclass(frozen=True)
class Translation:
    """An operator in PyTorch.

    Attributes:
        compute: Function of inputs (positional; None where one is absent) and attributes.
        numbers: Positions of the inputs that are constants and read as numbers or lists of them.
    """

    compute: Callable[..., Any]
    numbers: tuple[int, ...] = ()


# ---- layers ----


def _conv(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel_shape: Sequence[int] = (),
    strides: Sequence[int] = (),
    pads: Sequence[int] = (),
    dilations: Sequence[int] = (),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> Tensor:
    del kernel_shape  # that of the weight
    _require_explicit(auto_pad)
    features, padding = _padded(features, pads, 0.0)
    convolve: Any = (F.conv1d, F.conv2d, F.conv3d)[features.ndim - 3]
    result: Tensor = convolve(
        features, weight, bias, list(strides) or 1, padding, list(dilations) or 1, group
    )
    return result


def _gemm(
    left: Tensor,
    right: Tensor,
    bias: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    left = left.t() if transA else left
    if transB and alpha == 1.0 and (bias is None or (beta == 1.0 and bias.ndim == 1)):
        return F.linear(left, right, bias)
    product = alpha * (left @ (right.t() if transB else right))
    return product if bias is None else product + beta * bias


def _batch_norm(
    features: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Tensor:
    del momentum
    if training_mode:
        raise ValueError("it is in training mode")
    return F.batch_norm(features, mean, variance, scale, bias, eps=epsilon)


def _layer_norm(
    features: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Tensor:
    del stash_type
    return F.layer_norm(features, features.shape[axis:], scale, bias, epsilon)


def _instance_norm(
    features: Tensor, scale: Tensor, bias: Tensor, *, epsilon: float = 1e-5
) -> Tensor:
    return F.instance_norm(features, weight=scale, bias=bias, eps=epsilon)


def _max_pool(
    features: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] = (),
    pads: Sequence[int] = (),
    dilations: Sequence[int] = (),
    ceil_mode: int = 0,
    auto_pad: str = "NOTSET",
    storage_order: int = 0,
) -> Tensor:
    del storage_order  # of indices, which no student uses
    _require_explicit(auto_pad)
    features, padding = _padded(features, pads, -math.inf)
    pool: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[features.ndim - 3]
    steps, gaps = list(strides) or 1, list(dilations) or 1
    up = bool(ceil_mode) and _is_rounded(features, kernel_shape, steps, padding, gaps)
    result: Tensor = pool(features, list(kernel_shape), steps, padding, gaps, up)
    return result


def _average_pool(
    features: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] = (),
    pads: Sequence[int] = (),
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    auto_pad: str = "NOTSET",
) -> Tensor:
    _require_explicit(auto_pad)
    if not count_include_pad and not _symmetric(pads):
        raise ValueError("it leaves out a padding that differs from side to side")
    features, padding = _padded(features, pads, 0.0)
    pool: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[features.ndim - 3]
    steps = list(strides) or 1
    up = bool(ceil_mode) and _is_rounded(features, kernel_shape, steps, padding, 1)
    result: Tensor = pool(features, list(kernel_shape), steps, padding, up, bool(count_include_pad))
    return result


def _is_rounded(
    features: Tensor,
    kernel: Sequence[int],
    steps: Sequence[int] | int,
    padding: Sequence[int] | int,
    gaps: Sequence[int] | int,
) -> bool:
    """Whether the windows leave a rest on any axis, so that rounding up or down is a difference.

    torch-tensorrt converts no pooling that rounds up, and the shortcuts of ResNet-D ask for it on
    sizes that divide evenly.
    """
    axes = len(kernel)
    step, pad, gap = ([v] * axes if isinstance(v, int) else v for v in (steps, padding, gaps))
    sizes = features.shape[-axes:]
    return any(
        (sizes[i] + 2 * pad[i] - gap[i] * (kernel[i] - 1) - 1) % step[i] for i in range(axes)
    )


def _require_explicit(auto_pad: str) -> None:
    if auto_pad not in ("NOTSET", "VALID"):
        raise ValueError(f"its padding is {auto_pad}")


def _symmetric(pads: Sequence[int]) -> bool:
    half = len(pads) // 2
    return list(pads[:half]) == list(pads[half:])


def _padded(features: Tensor, pads: Sequence[int], value: float) -> tuple[Tensor, Any]:
    """The features and the padding that the layer itself adds on both sides.

    Args:
        features: [N, C, …].
        pads: ONNX's order: the begins of all spatial axes, then the ends.
        value: What an explicit padding is filled with.
    """
    half = len(pads) // 2
    if _symmetric(pads):
        return features, list(pads[:half]) or 0
    return F.pad(features, _torch_order(pads), value=value), 0


def _torch_order(pads: Sequence[int]) -> list[int]:
    """The begin and end of each axis, the last axis first, as `torch.nn.functional.pad` has it."""
    half = len(pads) // 2
    return [side for axis in reversed(range(half)) for side in (pads[axis], pads[half + axis])]


# ---- shapes ----


def _reshape(features: Tensor, shape: Sequence[int], *, allowzero: int = 0) -> Tensor:
    kept = shape if allowzero else [side or features.shape[i] for i, side in enumerate(shape)]
    return features.reshape(list(kept))


def _flatten(features: Tensor, *, axis: int = 1) -> Tensor:
    return features.reshape(math.prod(features.shape[:axis]), -1)


def _transpose(features: Tensor, *, perm: Sequence[int] = ()) -> Tensor:
    return features.permute(list(perm) or list(reversed(range(features.ndim))))


def _squeeze(features: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    return features.squeeze() if axes is None else features.squeeze(tuple(axes))


def _unsqueeze(features: Tensor, axes: Sequence[int]) -> Tensor:
    rank = features.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        features = features.unsqueeze(axis)
    return features


def _concat(*parts: Tensor, axis: int) -> Tensor:
    return torch.cat(parts, axis)


def _split(
    features: Tensor,
    sizes: Sequence[int] | None = None,
    *,
    axis: int = 0,
    num_outputs: int | None = None,
) -> tuple[Tensor, ...]:
    if sizes is not None:
        return tuple(torch.split(features, list(sizes), axis))
    if num_outputs is None:
        raise ValueError("it does not say into how many parts")
    return tuple(torch.split(features, math.ceil(features.shape[axis] / num_outputs), axis))


def _slice(
    features: Tensor,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> Tensor:
    steps = [1] * len(starts) if steps is None else steps
    if min(steps) < 1:
        raise ValueError("it goes backwards")
    index: list[slice] = [slice(None)] * features.ndim
    for axis, start, end, step in zip(axes or range(len(starts)), starts, ends, steps, strict=True):
        index[axis] = slice(start, min(end, features.shape[axis]), step)
    return features[tuple(index)]


def _gather(features: Tensor, indices: Tensor | int, *, axis: int = 0) -> Tensor:
    if not isinstance(indices, Tensor):
        return features.select(axis, indices)
    axis %= features.ndim
    picked = features.index_select(axis, indices.flatten())
    return picked.reshape(*features.shape[:axis], *indices.shape, *features.shape[axis + 1 :])


def _expand(features: Tensor, shape: Sequence[int]) -> Tensor:
    broadcast: Any = torch.broadcast_shapes
    return features.expand(broadcast(features.shape, tuple(shape)))


def _tile(features: Tensor, repeats: Sequence[int]) -> Tensor:
    return features.repeat(list(repeats))


def _pad(
    features: Tensor,
    pads: Sequence[int],
    value: float | None = None,
    axes: Sequence[int] | None = None,
    *,
    mode: str = "constant",
) -> Tensor:
    if axes is not None or mode != "constant":
        raise ValueError(f"it pads in mode {mode!r}, or along axes that it names")
    return F.pad(features, _torch_order(pads), value=value or 0.0)


# ---- values ----


def _clip(features: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    return features if low is None and high is None else torch.clamp(features, low, high)


def _cast(features: Tensor, *, to: int, saturate: int = 1) -> Tensor:
    del saturate
    return features.to(_TYPES[to])


def _hard_sigmoid(features: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return F.hardsigmoid(features)
    return torch.clamp(alpha * features + beta, 0.0, 1.0)


def _leaky_relu(features: Tensor, *, alpha: float = 0.01) -> Tensor:
    return F.leaky_relu(features, alpha)


def _elu(features: Tensor, *, alpha: float = 1.0) -> Tensor:
    return F.elu(features, alpha)


def _prelu(features: Tensor, slope: Tensor) -> Tensor:
    return F.prelu(features, slope.flatten())


def _softmax(features: Tensor, *, axis: int = -1) -> Tensor:
    return torch.softmax(features, axis)


def _log_softmax(features: Tensor, *, axis: int = -1) -> Tensor:
    return torch.log_softmax(features, axis)


def _einsum(*operands: Tensor, equation: str) -> Tensor:
    return torch.einsum(equation, *operands)


def _sum(*operands: Tensor) -> Tensor:
    return functools.reduce(operator.add, operands)


def _minimum(*operands: Tensor | float) -> Tensor | float:
    return functools.reduce(lambda a, b: _extreme(a, b, torch.minimum, "max"), operands)


def _maximum(*operands: Tensor | float) -> Tensor | float:
    return functools.reduce(lambda a, b: _extreme(a, b, torch.maximum, "min"), operands)


def _extreme(
    left: Tensor | float, right: Tensor | float, of_tensors: Callable[..., Tensor], limit: str
) -> Tensor:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return of_tensors(left, right)
    features, number = (left, right) if isinstance(left, Tensor) else (right, left)
    clamp: Any = torch.clamp
    clamped: Tensor = clamp(features, **{limit: number})
    return clamped


# ---- reductions ----


def _reduction(reduce: Callable[..., Tensor]) -> Translation:
    def compute(
        features: Tensor,
        axes: Sequence[int] | None = None,
        *,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Tensor:
        if not axes and noop_with_empty_axes:
            return features
        chosen = tuple(axes or range(features.ndim))
        return reduce(features, dim=chosen, keepdim=bool(keepdims))

    return Translation(compute, numbers=(1,))


def _spatial(reduce: Callable[..., Tensor]) -> Translation:
    """The reduction of all axes behind those of images and channels."""
    return Translation(lambda x: reduce(x, dim=tuple(range(2, x.ndim)), keepdim=True))


_BY_NAME: dict[str, Callable[..., Any]] = {
    # By Python's operators where the left side may be a number.
    "Add": operator.add, "Div": operator.truediv, "Mul": operator.mul, "Pow": operator.pow,
    "Sub": operator.sub,
    "Abs": torch.abs, "And": torch.logical_and, "Ceil": torch.ceil, "Cos": torch.cos,
    "Equal": torch.eq, "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor,
    "Greater": torch.gt, "GreaterOrEqual": torch.ge, "Less": torch.lt, "LessOrEqual": torch.le,
    "Log": torch.log, "MatMul": torch.matmul, "Neg": torch.neg, "Not": torch.logical_not,
    "Or": torch.logical_or, "Reciprocal": torch.reciprocal, "Round": torch.round,
    "Sigmoid": torch.sigmoid, "Sign": torch.sign, "Sin": torch.sin, "Sqrt": torch.sqrt,
    "Tanh": torch.tanh, "Where": torch.where,
    "HardSwish": F.hardswish, "Mish": F.mish, "Relu": F.relu, "Selu": F.selu,
    "Softplus": F.softplus, "Softsign": F.softsign,
    "AveragePool": _average_pool, "BatchNormalization": _batch_norm, "Cast": _cast,
    "Concat": _concat, "Conv": _conv, "Einsum": _einsum, "Elu": _elu, "Flatten": _flatten,
    "Gather": _gather, "Gemm": _gemm, "HardSigmoid": _hard_sigmoid,
    "InstanceNormalization": _instance_norm, "LayerNormalization": _layer_norm,
    "LeakyRelu": _leaky_relu, "LogSoftmax": _log_softmax, "Max": _maximum, "MaxPool": _max_pool,
    "Min": _minimum, "PRelu": _prelu, "Softmax": _softmax, "Sum": _sum, "Transpose": _transpose,
}  # fmt: skip

TRANSLATIONS: Mapping[str, Translation] = {
    **{name: Translation(compute) for name, compute in _BY_NAME.items()},
    "Clip": Translation(_clip, numbers=(1, 2)),
    "Dropout": Translation(lambda features, *ignored, seed=0: features),
    "Expand": Translation(_expand, numbers=(1,)),
    "GlobalAveragePool": _spatial(torch.mean),
    "GlobalMaxPool": _spatial(torch.amax),
    "Identity": Translation(lambda features: features),
    "Pad": Translation(_pad, numbers=(1, 2, 3)),
    "ReduceL2": _reduction(torch.linalg.vector_norm),
    "ReduceMax": _reduction(torch.amax),
    "ReduceMean": _reduction(torch.mean),
    "ReduceMin": _reduction(torch.amin),
    "ReduceSum": _reduction(torch.sum),
    "Reshape": Translation(_reshape, numbers=(1,)),
    "Slice": Translation(_slice, numbers=(1, 2, 3, 4)),
    "Split": Translation(_split, numbers=(1,)),
    "Squeeze": Translation(_squeeze, numbers=(1,)),
    "Tile": Translation(_tile, numbers=(1,)),
    "Unsqueeze": Translation(_unsqueeze, numbers=(1,)),
}
"""Translations by the operator's name; Q/DQ are translated in pairs, see `program`."""
