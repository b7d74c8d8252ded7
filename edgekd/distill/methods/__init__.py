"""Methods: one file each, found by name, third parties' through `edgekd.methods` entry points."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import entry_points
from typing import Any

from edgekd.distill.methods.base import Batch, Method, MethodContext, Stage, Terms
from edgekd.errors import InputError
from edgekd.recipe import Section, convert

__all__ = ["Batch", "Method", "MethodContext", "Stage", "Terms", "method_names", "resolve_method"]

_METHODS = {
    "none": "edgekd.distill.methods.none:Supervised",
    "kd": "edgekd.distill.methods.kd:ClassicDistillation",
    "dkd": "edgekd.distill.methods.dkd:DecoupledDistillation",
    "fitnet": "edgekd.distill.methods.fitnet:HintedDistillation",
    "at": "edgekd.distill.methods.at:AttentionTransfer",
    "rkd": "edgekd.distill.methods.rkd:RelationalDistillation",
    "mean_teacher": "edgekd.distill.methods.mean_teacher:MeanTeacher",
    "crckd": "edgekd.distill.methods.crckd:CategoryRelationPreserving",
    "crckd_cross": "edgekd.distill.methods.crckd_cross:CategoryRelationTransfer",
    "subclass": "edgekd.distill.methods.subclass:SubclassSupervised",
    "skd": "edgekd.distill.methods.skd:SubclassDistillation",
    "d_kd": "edgekd.distill.methods.d_kd:DiverseDistillation",
    "ssd_kd": "edgekd.distill.methods.ssd_kd:SelfSupervisedDiverseDistillation",
}


def method_names() -> list[str]:
    """Names of all methods, edgekd's own first."""
    return [*_METHODS, *(point.name for point in entry_points(group="edgekd.methods"))]


def resolve_method(section: dict[str, Any]) -> tuple[type[Method], Section]:
    """Class and validated config of a recipe's `method` section.

    Raises:
        InputError: The method is unknown, or one of its keys is wrong.
    """
    options = dict(section)
    name = str(options.pop("name", ""))
    kind = _find(name)
    return kind, convert(options, kind.Config, f"method {name}")


def _find(name: str) -> type[Method]:
    if name in _METHODS:
        module, attribute = _METHODS[name].split(":")
        kind: type[Method] = getattr(importlib.import_module(module), attribute)
        return kind
    for point in entry_points(group="edgekd.methods", name=name):
        loaded: type[Method] = point.load()
        return loaded
    near = difflib.get_close_matches(name, method_names(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    message = f"there is no method {name!r}"
    raise InputError(message, f"{hint}`method.name` is one of: {', '.join(method_names())}")
