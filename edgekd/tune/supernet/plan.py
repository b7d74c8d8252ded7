"""What a search by a supernet does: its architectures and its numbers, as a YAML file.

space:
  stages:
    - {widths: [8, 12, 16], depths: [1], kernels: [3], stride: 1, expansion: 1}
    - {widths: [16, 24, 32], depths: [1, 2, 3], kernels: [3, 5]}
synthesis: {images: 2048, rounds: 3}
supernet: {steps: 4000}
evolution: {generations: 20}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edgekd.distill.synthesis.inversion import InversionSettings
from edgekd.errors import InputError
from edgekd.recipe import Positive, Section, convert
from edgekd.recipe.files import parse_yaml
from edgekd.tune.supernet.choices import ArchitectureChoices
from edgekd.tune.supernet.evolution import EvolutionSettings
from edgekd.tune.supernet.training import SupernetSettings

__all__ = ["SupernetPlan", "load_plan"]


class SupernetPlan(Section, frozen=True, kw_only=True):
    """The file of `--space` with `--search supernet`; every section may be left out.

    Attributes:
        space: The architectures.
        synthesis: How images are made without data.
        held_out: Share of the images that were made which judge networks.
        supernet: How the supernet is trained.
        recalibrating: Images by which batch norm's statistics are found for each network.
        evolution: How architectures are searched.
    """

    space: ArchitectureChoices = ArchitectureChoices()
    synthesis: InversionSettings = InversionSettings()
    held_out: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    supernet: SupernetSettings = SupernetSettings()
    recalibrating: Positive = 512
    evolution: EvolutionSettings = EvolutionSettings()


def load_plan(file: str | None) -> SupernetPlan:
    """Read the plan of a search; without a file its defaults.

    Raises:
        InputError: There is no such file, it is not YAML, or a key or value is wrong.
    """
    if file is None:
        return SupernetPlan()
    path = Path(file)
    if not path.is_file():
        message = f"there is no file {file!r} of a search by a supernet"
        raise InputError(message, "give a YAML file, or leave --space out for the built-in space")
    return convert(parse_yaml(path.read_bytes(), str(path)) or {}, SupernetPlan, str(path))
