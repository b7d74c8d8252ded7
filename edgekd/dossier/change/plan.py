"""A plan of changes, made before: what may change, and by how much figures may become worse."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgekd.bundle import Manifest
from edgekd.data.text import near_name
from edgekd.dossier.change.manifests import AREAS
from edgekd.errors import InputError
from edgekd.recipe.files import parse_yaml

__all__ = ["ChangePlan", "PlannedMargin", "plan_template", "read_plan"]

_BY_CLASS = ("sensitivity", "answered_wrong")


class PlannedMargin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much worse a figure may become on the same images, by its whole paired 95 % interval.

    Attributes:
        figure: The figure: `sensitivity`, `answered_wrong`, `not_answered`, or a metric with a
            paired difference.
        of: Class of `sensitivity` and `answered_wrong`; none for the others.
        worse: Largest allowed worsening, as a share: 0.02 is two points.
        images: Least number of images of the class, or of all.
    """

    figure: str
    of: str | None = None
    worse: float
    images: int = 1

    @property
    def title(self) -> str:
        """`sensitivity of mel`."""
        words = self.figure.replace("_", " ")
        return f"{words} of {self.of}" if self.of else words


class ChangePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan.

    Attributes:
        name: Its name, for the report.
        may_change: Areas, or fields of the manifest with all that is below them.
        margins: The margins that must hold whatever changes.
    """

    name: str
    may_change: list[str]
    margins: list[PlannedMargin]

    def allows(self, area: str, field: str) -> bool:
        """Whether a field may change."""
        return any(
            area == each or field == each or field.startswith(f"{each}.")
            for each in self.may_change
        )


_TEMPLATE = """\
# A plan of changes for `edgekd diff OLD NEW --plan plan.yaml`: written before the change is made.
name: retrained students of the same data
# Areas: {areas}. Or single fields of the manifest, as lineage.seed or decision.temperature.
may_change: [method, lowering, decision]
# How much worse a figure may become on the same images (`--csv`), by its whole paired 95 %
# interval: a margin without images, or with fewer than `images` of them, does not hold.
# Figures of all images: balanced_accuracy, not_answered; of a class: sensitivity, answered_wrong.
margins:
  - {{figure: balanced_accuracy, worse: 0.02, images: 300}}
  - {{figure: sensitivity, of: mel, worse: 0.02, images: 100}}
  - {{figure: answered_wrong, of: mel, worse: 0.02, images: 100}}
  - {{figure: not_answered, worse: 0.05}}
"""


def plan_template() -> str:
    """An example of a plan, with comments."""
    return _TEMPLATE.format(areas=", ".join(AREAS))


def read_plan(file: Path) -> ChangePlan:
    """The plan of a YAML file.

    Raises:
        InputError: It cannot be read, is no plan, or names an area or a class wrongly.
        MissingDependencyError: PyYAML is not installed.
    """
    where, hint = f"the plan {file}", "see `edgekd diff --plan-template`"
    try:
        raw = parse_yaml(file.read_bytes(), where)
        if not isinstance(raw, dict):
            raise InputError(f"{where} must be a mapping of keys to values", hint)
        plan = msgspec.convert(raw, ChangePlan)
    except OSError as error:
        raise InputError(f"cannot read {where}: {error.strerror}", hint) from error
    except msgspec.ValidationError as error:
        raise InputError(f"{where} is wrong: {error}", hint) from error
    for name in plan.may_change:
        if name not in AREAS and name.split(".")[0] not in Manifest.__struct_fields__:
            near = near_name(name, list(AREAS))
            message = f"{where} names {name[:80]!r}, which is no area and no field"
            raise InputError(message, f"{near}areas are: {', '.join(AREAS)}")
    for margin in plan.margins:
        _check_margin(margin, where)
    return plan


def _check_margin(margin: PlannedMargin, where: str) -> None:
    if (margin.of is not None) != (margin.figure in _BY_CLASS):
        kind = "needs a class" if margin.of is None else "is of all images"
        message = f"{where} has a margin for {margin.title}, which {kind}"
        raise InputError(message, f"write `of: CLASS` for {' and '.join(_BY_CLASS)} alone")
    if not 0.0 <= margin.worse < 1.0:
        message = f"{where} allows {margin.title} to be worse by {margin.worse:g}"
        raise InputError(message, "give a share from 0 to below 1: 0.02 is two points")
