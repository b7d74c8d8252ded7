"""Engines that compute a teacher's outputs instead of PyTorch, as recipes name them.

Each is an `edgekd.distill.teachers.engines.engine.Engine`: a file in
`edgekd/distill/teachers/engines/` and a line here. It is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["TEACHER_ENGINES", "TeacherEngine"]

TeacherEngine = Literal["torch", "openvino"]
"""Values of `teacher.engine`."""

TEACHER_ENGINES: Mapping[str, str] = {
    "openvino": "edgekd.distill.teachers.engines.openvino:OpenVinoEngine",
}
"""The place of each engine but PyTorch, as `module:attribute`."""
