"""The description of a search, which its workers read from the search's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from edgekd.errors import ArtefactError, InputError
from edgekd.files import pretty_json, write_atomically
from edgekd.recipe import Recipe, convert, fingerprint
from edgekd.tune.space import Space, space_of

__all__ = ["JOB", "LOCAL", "Cost", "Pruning", "TuneJob", "read_job", "write_job"]

JOB = "tune.json"
"""Name of the file in the folder of a search."""

LOCAL = "local"
"""The device that is this machine."""

Cost = Literal["macs", "params", "latency", "none"]
Pruning = Literal["median", "hyperband", "none"]

_EXTENT = ("trials", "workers", "format_version")
"""Fields in which the same search may differ from one call to the next."""


class TuneJob(msgspec.Struct, frozen=True, kw_only=True):
    """A search.

    Attributes:
        recipe: The recipe that trials change, with a trained teacher where its method needs one.
        space: The search space, as in its file.
        cost: The second objective; `none` maximises quality alone.
        lowered: Target whose int8 file is scored under the policy's gate; None scores the float
            student.
        device: The device that latency is measured on.
        pruning: How hopeless trials are ended early, where quality is the only objective.
        seed: Seed of the sampler.
        chance: Quality of a student that gives the same answer for every image.
        trials: Number of trials of the whole search.
        workers: Number of processes on this machine.
        format_version: Version of the file's format.
    """

    recipe: dict[str, Any]
    space: dict[str, Any]
    cost: Cost = "macs"
    lowered: str | None = None
    device: str = LOCAL
    pruning: Pruning = "median"
    seed: int = 0
    chance: float = 0.0
    trials: int = 20
    workers: int = 1
    format_version: int = 1

    @property
    def typed_recipe(self) -> Recipe:
        """The recipe."""
        return convert(self.recipe, Recipe, "the recipe of the search")

    @property
    def typed_space(self) -> Space:
        """The search space."""
        return space_of(self.space, self.typed_recipe, "the space of the search")

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """Directions of the objectives, quality first."""
        return ["maximize"] if self.cost == "none" else ["maximize", "minimize"]

    def facts(self) -> dict[str, Any]:
        """What must be equal for trials to be compared, on whatever machine they run."""
        # By JSON, in which what was read from a file equals what was written.
        facts: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        facts = {key: value for key, value in facts.items() if key not in _EXTENT}
        del facts["recipe"]["trainer"]["threads"]
        return facts

    def key(self) -> str:
        """Hash of the facts."""
        return fingerprint(self.facts())


def write_job(out: Path, job: TuneJob) -> Path:
    """Write a search's description into its folder.

    Raises:
        InputError: The folder belongs to another search.
    """
    file = out / JOB
    if file.is_file():
        _refuse_other(read_job(out), job, out)
    write_atomically(file, pretty_json(job))
    return file


def read_job(out: Path) -> TuneJob:
    """Read the description in a search's folder.

    Raises:
        ArtefactError: The file is missing or damaged.
    """
    file = out / JOB
    try:
        return msgspec.json.decode(file.read_bytes(), type=TuneJob)
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        message = f"{file} does not describe a search, or is damaged: {error}"
        raise ArtefactError(message, "choose another --out, or remove that folder") from error


def _refuse_other(before: TuneJob, job: TuneJob, out: Path) -> None:
    old, new = before.facts(), job.facts()
    different = [key for key in new if old.get(key) != new[key]]
    if different:
        message = f"{out} belongs to another search: it differs in {', '.join(different)}"
        raise InputError(message, "choose another --out, or give the same options as before")
