"""Making the runs of a table: trained or taken from OUT, judged, recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from costs import cost_in, metered
from design import Job, with_teachers, written
from kept import keep, kept_network
from msgspec.structs import replace
from records import (
    Data,
    Judged,
    Network,
    Record,
    Taught,
    read_judged,
    read_record,
    scores_of,
    write_record,
)

from edgekd import __version__
from edgekd.data.decoded import content_of
from edgekd.distill.runs.pipeline import RunRequest, distill, train
from edgekd.distill.samples.run_samples import RunSamples, load_samples, load_split
from edgekd.distill.teachers.group import Teachers, gather_teachers
from edgekd.errors import InputError
from edgekd.files import sha256_of
from edgekd.models import load_checkpoint, logits_of, read_card
from edgekd.models.card import CARD, WEIGHTS, ModelCard
from edgekd.recipe import Recipe, TeacherSection

__all__ = ["BEGUN", "MISSING", "RECORDED", "STALE", "Place", "Study"]

_LIBRARIES = ("torch", "timm", "lightning", "numpy")
_FILE = ".safetensors"


@dataclass(frozen=True)
class Place:
    """What this machine adds to the recipes.

    Attributes:
        data: The folder of the images.
        weights: The folder of pretrained weights that recipes name as files.
        out: Folder of the runs.
        results: Folder of the records.
        threads: CPU threads; 0 for all cores.
    """

    data: Path
    weights: Path
    out: Path
    results: Path
    threads: int = 0

    def folder(self, job: Job) -> Path:
        """The folder of a run."""
        return self.out / job.table / job.name

    def checkpoint(self, job: Job) -> Path:
        """The folder of the network that a run trains, or the one that is kept of it."""
        return kept_network(self.results, job) or self.trained(job)

    def trained(self, job: Job) -> Path:
        """The folder of the network that a run trains."""
        return self.folder(job) / "student" if job.kind == "student" else self.folder(job)

    def cost(self, job: Job) -> Path:
        """The file of a run's cost."""
        return self.out / job.table / f"{job.name}.cost.json"

    def recipe(self, job: Job) -> Recipe:
        """The recipe of a run with this machine's paths."""
        recipe = with_teachers(job.recipe, [str(self.checkpoint(each)) for each in job.teachers])
        pretrained = self.start_of(job)
        return replace(
            recipe,
            data={**recipe.data, **self._folders(recipe.data)},
            trainer=replace(recipe.trainer, threads=self.threads),
            teacher=_started(recipe.teacher, pretrained if job.kind == "teacher" else None),
            student=_started(recipe.student, pretrained if job.kind == "student" else None),
        )

    def _folders(self, data: Mapping[str, Any]) -> dict[str, str]:
        """The folders of the images; further images lie beside DATA, under the recipe's name."""
        more = data.get("training_root")
        return {
            "root": str(self.data),
            **({"training_root": str(self.data.parent / more)} if more else {}),
        }

    def start_of(self, job: Job) -> Path | None:
        """The file of the weights that a run begins with; None where its recipe names none."""
        if job.start is not None:
            return self.checkpoint(job.start) / WEIGHTS
        section = job.recipe.student if job.kind == "student" else job.recipe.teacher
        pretrained = section.model.pretrained if section and section.model else ""
        return self.weights / pretrained if pretrained.endswith(_FILE) else None


RECORDED, STALE = "recorded", "recorded of another recipe or other data"
BEGUN, MISSING = "begun", "not run yet"


@dataclass(frozen=True)
class Study:
    """The runs on this machine.

    Attributes:
        place: What the machine adds to the recipes.
        say: Receives one line of progress.
    """

    place: Place
    say: Callable[[str], None]

    def state(self, job: Job) -> str:
        """Whether a run has its record, is begun in OUT, or neither."""
        known = read_record(self.place.results, job.table, job.name)
        if known is not None:
            return RECORDED if self._fits(known, job) else STALE
        return BEGUN if self.place.folder(job).is_dir() else MISSING

    def finish(self, job: Job) -> Record:
        """The record of a run, which is made first where there is none of its recipe and data.

        Raises:
            InputError: Its recipe or its data cannot be used.
            StoppedError: A signal ended its training, which can be continued.
        """
        known = read_record(self.place.results, job.table, job.name)
        if known is not None and self._fits(known, job):
            self.say(f"{job.table}/{job.name}: recorded already; not trained again")
            return known
        if known is not None:
            self.say(f"{job.table}/{job.name}: the record is of another recipe or other data")
        elsewhere = self._elsewhere(job)
        if elsewhere is None:
            self._make(job)
        return self._written(*(elsewhere or self._judged(job)))

    def keep(self, job: Job) -> Record:
        """Keep the network of a run that this machine trained, and write its record of that.

        Raises:
            InputError: It was not trained here.
        """
        if not (self.place.trained(job) / CARD).is_file():
            message = f"{self.place.trained(job)} holds no finished network"
            raise InputError(message, "remove its record to train it again")
        folder = keep(self.place.results, job, self.place.trained(job))
        self.say(f"{job.table}/{job.name}: kept in {folder}")
        return self._written(*self._judged(job, folder))

    def _written(self, record: Record, judged: dict[str, Judged]) -> Record:
        self.say(f"wrote {write_record(self.place.results, record, judged)}")
        return record

    def _fits(self, record: Record, job: Job) -> bool:
        if record.recipe_sha256 != job.recipe_sha256 or not set(job.parts) <= set(record.metrics):
            return False
        known = (record.data.split_sha256, record.data.content_sha256)
        return known == data_hashes(self.place.recipe(job))

    def _elsewhere(self, job: Job) -> tuple[Record, dict[str, Judged]] | None:
        """The same run as another table recorded it, with the parts that this table may see."""
        for file in sorted(self.place.results.glob(f"*/*-seed{job.seed}.json")):
            record = read_record(self.place.results, file.parent.name, file.stem)
            if record is None or not self._fits(record, job):
                continue
            judged = {part: read_judged(self.place.results, record, part) for part in job.parts}
            self.say(f"{job.table}/{job.name}: recorded already as {record.table}/{record.row}")
            metrics = {part: record.metrics[part] for part in job.parts}
            copied = replace(record, table=job.table, row=job.row, metrics=metrics)
            return replace(copied, same_as=f"{record.table}/{record.name}"), judged
        return None

    def _make(self, job: Job) -> None:
        """Train the teachers that are not there, then the run itself, or continue them."""
        for teacher in job.teachers:
            if not self._has_network(teacher):
                self._make(teacher)
            if teacher.derived and self.state(teacher) != RECORDED:
                self._written(*self._judged(teacher))
        if job.kind == "average":
            return
        if job.start is not None and not self._has_network(job.start):
            self._make(job.start)
        self.say(f"{job.table}/{job.name}: {self.place.folder(job)}")
        request = RunRequest(
            self.place.recipe(job), self.place.folder(job), self.say, evaluated=job.parts
        )
        self.place.folder(job).mkdir(parents=True, exist_ok=True)
        with metered(self.place.cost(job), self.place.trained(job) / CARD):
            if job.kind == "student":
                distill(request)
            else:
                train(request, "teacher")

    def _has_network(self, job: Job) -> bool:
        """Whether the network of a run is here: it is kept, or in OUT and the one on record."""
        record = read_record(self.place.results, job.table, job.name)
        folder = self.place.checkpoint(job)
        if record is None or record.recipe_sha256 != job.recipe_sha256:
            return False
        known = (folder / CARD).is_file()
        return known and read_card(folder).weights_sha256 == record.network.weights_sha256

    def _judged(self, job: Job, folder: Path | None = None) -> tuple[Record, dict[str, Judged]]:
        """The record of a finished run, and its logits of the parts that its table may see.

        Args:
            job: The run.
            folder: Its network; by default what it trained.
        """
        checkpoint = folder or self.place.trained(job)
        samples = load_samples(self.place.recipe(job))
        average = self._average(job, samples) if job.kind == "average" else None
        network: Any = average.network() if average else load_checkpoint(checkpoint).normalised()
        judged = {part: _judged_part(network, samples, part) for part in job.parts}
        dataset = samples.split.dataset
        card = read_card(self.place.checkpoint(job.teachers[0]) if average else checkpoint)
        record = Record(
            table=job.table,
            row=job.row,
            seed=job.seed,
            recipe_sha256=job.recipe_sha256,
            data=Data(
                name=dataset.name,
                classes=dataset.classes,
                images=samples.split.counts(),
                split_sha256=samples.split.sha256(),
                content_sha256=samples.content_sha256,
            ),
            recipe=written(job.recipe),
            network=_of_average(average) if average else self._network(job, card),
            method="" if average else card.training.method,
            teachers=tuple(self._taught(each) for each in job.teachers),
            epochs=0 if average else card.training.epochs,
            best_epoch=0 if average else card.training.best_epoch,
            precision=card.training.precision,
            metrics={part: scores_of(each, dataset.classes) for part, each in judged.items()},
            cost=cost_in(self.place.cost(job)),
            versions={"edgekd": __version__, **{n: metadata.version(n) for n in _LIBRARIES}},
            revision=card.training.git_revision,
        )
        return record, judged

    def _average(self, job: Job, samples: RunSamples) -> Teachers:
        members = [load_checkpoint(self.place.checkpoint(each)) for each in job.teachers]
        return gather_teachers(members, job.recipe.teacher or TeacherSection(), samples)

    def _network(self, job: Job, card: ModelCard) -> Network:
        file = self.place.start_of(job)
        return Network(
            arch=card.arch,
            image_size=card.image_size,
            params=card.params,
            macs=card.macs,
            weights_sha256=card.weights_sha256,
            pretrained_sha256=sha256_of(file) if file else "",
        )

    def _taught(self, job: Job) -> Taught:
        card = read_card(self.place.checkpoint(job))
        return Taught(
            run=f"{job.table}/{job.name}",
            recipe_sha256=job.recipe_sha256,
            weights_sha256=card.weights_sha256,
        )


def _of_average(teachers: Teachers) -> Network:
    cards = [member.card for member in teachers.members]
    return Network(
        arch=" + ".join(card.arch for card in cards),
        image_size=cards[0].image_size,
        params=sum(card.params for card in cards),
        macs=sum(card.macs for card in cards) * teachers.section.views,
        weights_sha256=teachers.sha256,
    )


def _judged_part(network: Any, samples: RunSamples, part: str) -> Judged:
    images, labels = samples.part(part)
    names = [sample.group for sample in samples.split.dataset.samples]
    _, numbers = np.unique(names, return_inverse=True)  # names could identify patients
    return Judged.of(logits_of(network, images), labels, numbers[samples.split.indices(part)])


def _started(section: Any, weights: Path | None) -> Any:
    """A role's section with the file of its first weights."""
    if weights is None:
        return section
    return replace(section, model=replace(section.model, pretrained=str(weights)))


def data_hashes(recipe: Recipe) -> tuple[str, str]:
    """Hash of the split, and hash of the image files, of a recipe."""
    known = msgspec.json.encode((recipe.data, recipe.split, recipe.task))
    if known not in _HASHES:
        split = load_split(recipe)
        _HASHES[known] = (split.sha256(), content_of(split.dataset).sha256)
    return _HASHES[known]


_HASHES: dict[bytes, tuple[str, str]] = {}
