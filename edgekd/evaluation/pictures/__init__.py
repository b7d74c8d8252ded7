"""The pictures of an external validation, as pure functions from numbers to SVG.

Colours are the page's; `edgekd.bench.report.pictures.paper.standalone` makes files of them.
"""

from edgekd.evaluation.pictures.confusion import confusion_picture
from edgekd.evaluation.pictures.coverage import coverage_picture
from edgekd.evaluation.pictures.curves import (
    DrawnCurve,
    OperatingMark,
    precision_recall_picture,
    roc_picture,
)
from edgekd.evaluation.pictures.decisions import decisions_picture
from edgekd.evaluation.pictures.maps import map_picture
from edgekd.evaluation.pictures.reliability import reliability_picture
from edgekd.evaluation.pictures.subgroups import SubgroupLine, subgroup_picture

__all__ = [
    "DrawnCurve",
    "OperatingMark",
    "SubgroupLine",
    "confusion_picture",
    "coverage_picture",
    "decisions_picture",
    "map_picture",
    "precision_recall_picture",
    "reliability_picture",
    "roc_picture",
    "subgroup_picture",
]
