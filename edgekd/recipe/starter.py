"""The text of a first recipe, with comments on what to change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Starter", "starter_text"]

_PLAIN = re.compile(r"[A-Za-z_./~][\w./~ -]*")
_RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "y", "n", "~"}


@dataclass(frozen=True)
class Starter:
    """What a first recipe is made of.

    Attributes:
        name: Name of the recipe.
        file: Where it will lie, for the commands in its comments.
        data: The section `data`.
        comments: A sentence on keys of that section.
        policy: The policy.
        teacher: The section of the teacher's network: `checkpoint`, or `arch` and `pretrained`;
            None without one.
        student: The section of the student's network.
        target: The targets, as `edgekd build` takes them.
        image_size: S in pixels.
    """

    name: str
    file: str
    data: Mapping[str, Any]
    comments: Mapping[str, str]
    policy: str
    teacher: Mapping[str, str] | None
    student: Mapping[str, str]
    target: str
    image_size: int = 224


def starter_text(starter: Starter) -> str:
    """The recipe as YAML."""
    run = f"runs/{starter.name}"
    return "\n".join([
        f"# Made by `edgekd init`. Look at the data, then distil, then lower to {starter.target}:",
        f"#   edgekd data inspect {starter.file} --sheet sheet.png",
        f"#   edgekd distill {starter.file} --out {run} --dry-run     and then without --dry-run",
        f"#   edgekd build --target {starter.target} --model {run} --out {run}/bundles",
        "# Every key is described by `edgekd schema recipe` and in docs/reference/recipe.md.",
        f"name: {_value(starter.name)}",
        *_policy(starter.policy),
        f"image_size: {starter.image_size} # side of the square that the networks see, in pixels",
        "data:",
        *_section(starter.data, starter.comments),
        "# By lesion or patient, stratified by class; the seed fixes which.",
        "split: {validation: 0.15, test: 0.2, seed: 0}",
        "# Photos may be turned and mirrored here; where not, flip and quarter_turns are false.",
        "augment: {flip: true, quarter_turns: true, zoom: 0.1}",
        *_teacher(starter.teacher),
        "# ReLU6 and no squeeze-and-excitation: int8 runs whole on every device.",
        "student:",
        f"  model: {_flow(starter.student)}",
        "  fit: {epochs: 20, batch_size: 32, learning_rate: 1.0e-3, class_sampling: sqrt, "
        "class_weights: none}",
        "# How the student learns: docs/methods.md compares them.",
        "method: {name: kd, temperature: 4.0, weight: 0.7}"
        if starter.teacher else "method: {name: none} # no teacher: supervised by the labels alone",
        "",
    ])  # fmt: skip


def _policy(policy: str) -> list[str]:
    comment = {
        "dermoscopy": "melanoma and other cancers must not be lost",
        "fundus": "grades that need treatment must not be lost",
    }.get(policy, "names no critical class: write one of your own for patients (docs/gate.md)")
    return [f"policy: {policy} # what every lowered file must prove: {comment}"]


def _teacher(teacher: Mapping[str, str] | None) -> list[str]:
    if teacher is None:
        return []
    if "checkpoint" in teacher:
        return [f"teacher: {_flow(teacher)}"]
    return [
        "# `pretrained`: package (ImageNet weights as a Python package), hub (downloaded), none or",
        "# a .safetensors file. A teacher that is trained already is {checkpoint: FOLDER}.",
        "teacher:",
        f"  model: {_flow(teacher)}",
        "  fit: {epochs: 12, batch_size: 32, learning_rate: 1.0e-3, class_weights: sqrt}",
    ]


def _section(section: Mapping[str, Any], comments: Mapping[str, str]) -> list[str]:
    lines = []
    for key, value in section.items():
        comment = f" # {comments[key]}" if key in comments else ""
        lines.append(f"  {key}: {_value(value)}{comment}")
    return lines


def _flow(values: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{key}: {_value(value)}' for key, value in values.items())}}}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text == text.strip() and text.casefold() not in _RESERVED
    return text if plain else json.dumps(text, ensure_ascii=False)
