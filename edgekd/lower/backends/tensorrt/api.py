"""The part of TensorRT's Python module that edgekd uses, for the type checker.

The module is a parameter everywhere, since there are two: TensorRT on a device, and TensorRT-RTX
on a host. The types are those of TensorRT 10.13 (tensorrt-stubs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import tensorrt

__all__ = ["TensorRt"]


class _Checked(Protocol):
    @property
    def Builder(self) -> type[tensorrt.Builder]: ...  # noqa: N802
    @property
    def OnnxParser(self) -> type[tensorrt.OnnxParser]: ...  # noqa: N802
    @property
    def BuilderFlag(self) -> type[tensorrt.BuilderFlag]: ...  # noqa: N802
    @property
    def MemoryPoolType(self) -> type[tensorrt.MemoryPoolType]: ...  # noqa: N802
    @property
    def IProgressMonitor(self) -> type[tensorrt.IProgressMonitor]: ...  # noqa: N802
    @property
    def NetworkDefinitionCreationFlag(  # noqa: N802
        self,
    ) -> type[tensorrt.NetworkDefinitionCreationFlag]: ...
    @property
    def ReduceOperation(self) -> type[tensorrt.ReduceOperation]: ...  # noqa: N802
    @property
    def Dims(self) -> type[tensorrt.Dims]: ...  # noqa: N802
    @property
    def uint8(self) -> tensorrt.DataType: ...
    @property
    def float32(self) -> tensorrt.DataType: ...


class TensorRt(_Checked, Protocol):
    """`tensorrt`, or a module with the same interface."""

    # mypy does not see a module's own name and version as members of it.
    @property
    def __name__(self) -> str: ...
    @property
    def __version__(self) -> str: ...
    def __hash__(self) -> int: ...


if TYPE_CHECKING:
    _REAL: _Checked = tensorrt  # the type checker's proof that the real module has all this
