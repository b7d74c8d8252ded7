"""A logger that keeps TensorRT's errors, since its functions return None and log the reason."""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["keeping_logger"]


@functools.cache
def keeping_logger(trt: Any) -> Any:
    """A logger with the `errors` so far; one per process, since TensorRT keeps the first one."""

    class KeepingLogger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))

    return KeepingLogger()
