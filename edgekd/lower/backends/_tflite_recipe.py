"""Quantisation by AI Edge Quantizer: its recipe for each precision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from edgekd.lower.backends._tflite_ranges import Statistics, every_tensor_kept
from edgekd.lower.backends.base import missing_tool

__all__ = ["quantise_activations", "quantise_weights"]

_NORMALISATION = r"^[\w.]*DeployGraph;\d*;$"
"""Scope of the operators that stand in DeployGraph itself and in none of its children."""

_SUMS = r"SubclassSums_class_logits;"
"""Part of the scope of the operators that sum up subclasses; they stay float."""

_OUTPUT = r"^serving_default_output"
"""Scope of the operator that writes the output, whose own scope is lost."""


def quantise_weights(content: bytes, precision: str) -> bytes:
    """`content` with the weights of its layers stored in fewer bits; it computes in float.

    Args:
        content: A float file.
        precision: `int8-weights` (per channel) or `fp16`.
    """
    aeq = _ai_edge_quantizer()
    quantizer = aeq.quantizer.Quantizer(content)
    if precision == "fp16":
        _cast_to_float16(quantizer, aeq)
    else:
        quantizer.load_quantization_recipe(aeq.recipe.weight_only_wi8_afp32())
    return bytes(quantizer.quantize().quantized_model)


def quantise_activations(
    content: bytes, statistics: Statistics, float_scopes: Sequence[str] = ()
) -> bytes:
    """`content` with int8 weights (per channel) and int8 activations.

    Input (uint8), cast, normalisation and output stay as they are: the normalised image is
    rounded once, not three times, and float is quicker than two requantising operators. The
    sums of subclasses stay float too.

    Args:
        content: A float file.
        statistics: Ranges of its activations.
        float_scopes: Scopes of operators that stay in float.
    """
    aeq = _ai_edge_quantizer()
    quantizer = aeq.quantizer.Quantizer(content)
    quantizer.load_quantization_recipe(aeq.recipe.static_wi8_ai8())
    operations = aeq.qtyping.TFLOperationName
    kept = [(".*", operations.INPUT), (".*", operations.OUTPUT)]
    kept += [(_NORMALISATION, operations.MUL), (_NORMALISATION, operations.ADD)]
    kept += [(_SUMS, operations.ALL_SUPPORTED), (_OUTPUT, operations.CONCATENATION)]
    kept += [(f"^{re.escape(scope)}$", operations.ALL_SUPPORTED) for scope in float_scopes]
    for scope, operation in kept:
        quantizer.update_quantization_recipe(
            regex=scope,
            operation_name=operation,
            algorithm_key=aeq.algorithm_manager.AlgorithmName.NO_QUANTIZE,
        )
    with every_tensor_kept():
        return bytes(quantizer.quantize(statistics).quantized_model)


def _ai_edge_quantizer() -> Any:
    """The package, with the modules that are used here."""
    try:
        import ai_edge_quantizer.quantizer
        import ai_edge_quantizer.recipe
    except ImportError as error:
        raise missing_tool(error, "quantise for TensorFlow Lite") from error
    return ai_edge_quantizer


def _cast_to_float16(quantizer: Any, aeq: Any) -> None:
    """Load a recipe for half precision, which the package has no function for."""
    types = aeq.qtyping
    half = types.TensorQuantizationConfig(num_bits=16, dtype=types.TensorDataType.FLOAT)
    quantizer.update_quantization_recipe(
        regex=".*",
        operation_name=types.TFLOperationName.ALL_SUPPORTED,
        op_config=types.OpQuantizationConfig(weight_tensor_config=half),
        algorithm_key=aeq.algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
