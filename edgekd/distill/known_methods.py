"""The names of all methods, without any of their code: a typo is told before torch is imported.

Third parties add a method through the entry-point group `edgekd.methods`.
"""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points
from typing import Any

from edgekd.errors import InputError

__all__ = ["GROUP", "METHODS", "method_name", "method_names"]

GROUP = "edgekd.methods"
METHODS = {
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
"""Where edgekd's own are."""


def method_names() -> list[str]:
    """Names of all methods, edgekd's own first."""
    return [*METHODS, *(point.name for point in entry_points(group=GROUP))]


def method_name(section: dict[str, Any]) -> str:
    """The name in a recipe's `method` section.

    Raises:
        InputError: There is no such method.
    """
    name = str(section.get("name", ""))
    known = method_names()
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        f"there is no method {name!r}", f"{hint}`method.name` is one of: {', '.join(known)}"
    )
