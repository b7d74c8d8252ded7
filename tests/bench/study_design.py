"""A study of networks that train in a second, on painted images, and its scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

STUDY = Path(__file__).resolve().parents[2] / "benchmarks" / "study"


def importing() -> Iterator[Callable[[str], Any]]:
    """Imports modules of `benchmarks/study`, whose names are forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(STUDY))
        yield __import__
    for path in STUDY.glob("*.py"):
        sys.modules.pop(path.stem, None)


TEACHER = """\
name: tiny-teacher
image_size: 24
policy: none
data: {source: synthetic, images: 160, size: 32, seed: 7}
split: {validation: 0.25, test: 0.25}
augment: {margin: 1.25}
teacher:
  model: {arch: resnet10t, options: {channels: [8, 8, 16, 16], stem_width: 8}}
  fit: {epochs: 1, batch_size: 16}
trainer: {accelerator: cpu, precision: fp32}
"""
STUDENT = """\
name: tiny-student
image_size: 24
policy: none
data: {source: synthetic, images: 160, size: 32, seed: 7}
split: {validation: 0.25, test: 0.25}
augment: {margin: 1.25}
student:
  model: {arch: resnet10t, options: {channels: [4, 4, 8, 8], stem_width: 4, act_layer: relu6}}
  fit: {epochs: 1, batch_size: 16}
method: {name: none}
trainer: {accelerator: cpu, precision: fp32}
"""
TABLES = {
    "teachers": """\
title: Teachers
recipe: teacher
role: teacher
parts: [validation, test]
seeds: [0]
rows:
  one: {says: the first}
  two: {says: the second, set: {teacher.fit.learning_rate: 2.0e-3}}
  both: {says: both, of: [one, two], set: {teacher.views: 2}}
""",
    "screen": """\
title: Screen
recipe: student
role: student
parts: [validation]
seeds: [0]
control: none
rows:
  none: {says: without a teacher}
  kd: {says: taught by both, teacher: both, set: {method: {name: kd}, teacher.cache: {views: 2}}}
""",
    "main": """\
title: Main
recipe: student
role: student
parts: [validation, test]
seeds: [0, 1, 2]
control: none
rows:
  none: {says: without a teacher}
  at: {says: taught by one, teacher: one, set: {method: {name: at}}}
""",
    "labels": """\
title: Labels
recipe: student
role: student
parts: [validation, test]
seeds: [0]
rows:
  all: {says: as none of main}
  half:
    says: half of the lesions
    teacher: one
    teacher_set: {teacher.fit.epochs: 2}
    set: {split.train_share: 0.5, method: {name: kd}}
  nothing: {says: a start that is missing, set: {student.model.pretrained: nowhere.safetensors}}
""",
}


def write_design(folder: Path) -> Path:
    """Write the tables and recipes; returns the folder for `--design`."""
    for name, text in {"teacher": TEACHER, "student": STUDENT}.items():
        _write(folder / "recipes" / f"{name}.yaml", text)
    for name, text in TABLES.items():
        _write(folder / "tables" / f"{name}.yaml", text)
    return folder


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
