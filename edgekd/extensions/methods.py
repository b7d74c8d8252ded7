"""Methods of distillation: names and places, so that a recipe is checked before torch is imported.

A method is an `edgekd.distill.methods.Method`. Each of edgekd's own is a file in
`edgekd/distill/methods/` and a line here, a third party's is an entry point.
"""

from __future__ import annotations

from typing import Any

from edgekd.extensions.registry import Registry

__all__ = ["METHODS", "method_name"]

METHODS = Registry(
    "method",
    "edgekd.methods",
    {
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
        "cgdd": "edgekd.distill.methods.cgdd:ConditionalDataFree",
        "fastdfkd": "edgekd.distill.methods.fastdfkd:FastDataFree",
        "amal": "edgekd.distill.methods.amal:AdaptiveMixing",
        "smpl": "edgekd.distill.methods.smpl:SelfMetaPseudoLabels",
        "ces_kd": "edgekd.distill.methods.ces_kd:CurriculumExpertSelection",
        "assistants": "edgekd.distill.methods.assistants:TeachingAssistants",
        "ssl_kd": "edgekd.distill.methods.ssl_kd:SelfSupervisedStart",
        "meta_curriculum": "edgekd.distill.methods.meta_curriculum:MetaCurriculum",
        "born_again": "edgekd.distill.methods.born_again:BornAgain",
        "d_kd": "edgekd.distill.methods.d_kd:DiverseDistillation",
        "ssd_kd": "edgekd.distill.methods.ssd_kd:SelfSupervisedDiverseDistillation",
    },
    extra="distill",
)
"""edgekd's own methods, and those of entry points: each a subclass of `Method`."""


def method_name(section: dict[str, Any]) -> str:
    """The name in a recipe's `method` section.

    Raises:
        InputError: There is no such method.
    """
    name = str(section.get("name", ""))
    METHODS.check(name)
    return name
