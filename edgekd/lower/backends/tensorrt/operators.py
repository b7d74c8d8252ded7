"""The operators that TensorRT's ONNX parser supports, with their types.

Source: the support matrix of onnx-tensorrt, `docs/operators.md`, as of TensorRT 10.15. Operators
that ONNX has only since opset 21 are left out, because JetPack 6 (TensorRT 10.3) lacks them.
"""

from __future__ import annotations

__all__ = ["OPERATOR_TYPES"]

_FLOATS = frozenset({"FLOAT", "FLOAT16", "BFLOAT16"})
_INTEGERS = frozenset({"INT32", "INT64"})
_NUMBERS = _FLOATS | _INTEGERS
_ALL = _NUMBERS | {"BOOL"}
_QUANTISED = frozenset({"INT8", "INT4", "FLOAT8E4M3FN"})

_OF_FLOATS = """
Acos Acosh Asin Asinh Atan Atanh AveragePool BatchNormalization BlackmanWindow Ceil Celu Clip Conv
ConvTranspose Cos Cosh CumSum DeformConv Dropout Einsum Elu Erf Exp Floor GRU Gemm
GlobalAveragePool GlobalLpPool GlobalMaxPool GridSample GroupNormalization HammingWindow HannWindow
HardSigmoid HardSwish Hardmax InstanceNormalization IsInf LRN LSTM LayerNormalization LeakyRelu Log
LogSoftmax LpNormalization LpPool MatMul MaxPool MeanVarianceNormalization Mish NonMaxSuppression
NonZero PRelu QuantizeLinear RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike
Reciprocal Resize RoiAlign Round STFT Scan Selu Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt
Tan Tanh ThresholdedRelu Upsample
"""
_OF_NUMBERS = """
Abs Add ArgMax ArgMin DepthToSpace Div Equal Gelu Greater GreaterOrEqual IsNaN Less LessOrEqual Max
Mean Min Mod Mul Neg Pad Pow Range ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Scatter ScatterElements ScatterND
Shrink Sign SpaceToDepth Sub Sum TopK
"""
_OF_ALL = """
Concat ConstantOfShape Expand EyeLike Flatten Gather GatherElements GatherND Identity If Loop OneHot
Reshape ReverseSequence Shape Size Slice Split Squeeze Tile Transpose Trilu Unsqueeze Where
"""
_OF_BOOLEANS = "And Not Or Xor"

OPERATOR_TYPES: dict[str, frozenset[str]] = {
    **dict.fromkeys(_OF_FLOATS.split(), _FLOATS),
    **dict.fromkeys(_OF_NUMBERS.split(), _NUMBERS),
    **dict.fromkeys(_OF_ALL.split(), _ALL),
    **dict.fromkeys(_OF_BOOLEANS.split(), frozenset({"BOOL"})),
    **dict.fromkeys(("Cast", "CastLike"), _ALL | {"UINT8"}),
    "Constant": _ALL | _QUANTISED | {"UINT8"},
    "DequantizeLinear": _QUANTISED,
}
"""Types of the first input by operator, as ONNX names them; an operator that is missing here is
one that TensorRT lacks. A `Constant` has no input: the types are those of its output."""
