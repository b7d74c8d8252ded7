"""What each kind of samples loads, and what an objective gets of it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from method_share import EPOCHS, FIT, SIDE, Watched, made, samples
from torch import Tensor

from edgekd.distill.methods import Stage
from edgekd.distill.samples.batches import Batch, StepContext, SynthesisedBatch, UnlabelledBatch
from edgekd.distill.samples.run_samples import Share
from edgekd.distill.samples.sample_kinds import (
    Labelled,
    LoaderSetup,
    NoSamples,
    Redrawn,
    SampleKind,
    Several,
    Synthesised,
    Unlabelled,
    UnlabelledPool,
)
from edgekd.distill.training.fit import fit_stage
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.task import metrics_task
from edgekd.recipe import AugmentSection, TrainerSection

GIVEN = np.random.default_rng(0).integers(0, 256, (21, SIDE, SIDE, 3), dtype=np.uint8)

ALONE = Share()

AGAIN = Redrawn(lambda data: None)


def setup(epoch: int = 0, share: Share = ALONE, done: int = 0) -> LoaderSetup:
    return LoaderSetup(samples(False), FIT, 3, lambda: epoch, share, done)


def context(size: int = 4) -> StepContext:
    return StepContext(size, torch.device("cpu"), 2, generator=torch.Generator().manual_seed(1))


def batches(kind: SampleKind, *args: Any) -> list[Any]:
    return [kind.batch(loaded, context()) for loaded in kind.loader(setup(*args))]


def make(context: StepContext) -> SynthesisedBatch:
    raw = torch.rand(context.size, 3, SIDE, SIDE, generator=context.generator)
    return context.batch(raw, torch.zeros(context.size, dtype=torch.int64))


def positions(drawn: list[Any]) -> list[int]:
    return [index for batch in drawn for index in batch.indices.tolist()]


def test_labelled_images_come_with_their_own_targets():
    data = samples(False)
    drawn = batches(Labelled())
    assert all(type(batch) is Batch and len(batch.raw) == FIT.batch_size for batch in drawn)
    for batch in drawn:
        assert batch.targets.tolist() == data.targets[batch.indices].tolist()
        pixels = torch.from_numpy(data.images[batch.indices]).permute(0, 3, 1, 2) / 255
        torch.testing.assert_close(batch.raw, pixels)
    assert set(positions(drawn)) <= set(data.split.indices("train"))


def test_a_second_draw_is_another_one_by_weights_of_its_own():
    data, rare = samples(False), 3
    assert set(positions(batches(AGAIN))) <= set(data.split.indices("train"))
    assert positions(batches(AGAIN)) != positions(batches(Labelled()))
    kind = Redrawn(lambda data: torch.from_numpy(data.part("train")[1] == rare).double())
    assert {int(label) for batch in batches(kind) for label in batch.targets} == {rare}


def test_an_unlabelled_batch_has_no_targets_at_all():
    drawn = batches(Unlabelled())
    assert all(type(batch) is UnlabelledBatch for batch in drawn)
    assert not hasattr(drawn[0], "targets")
    assert "targets" not in {field.name for field in fields(drawn[0])}
    loaded = next(iter(Unlabelled().loader(setup())))
    assert [tensor.dtype for tensor in loaded] == [torch.uint8, torch.int64]
    assert set(positions(drawn)) <= set(samples(False).split.indices("train"))
    assert len(set(positions(drawn))) == len(positions(drawn))


def test_unlabelled_images_of_the_method():
    drawn = batches(Unlabelled(GIVEN))
    assert len(drawn) == len(GIVEN) // FIT.batch_size
    for batch in drawn:
        pixels = torch.from_numpy(GIVEN[batch.indices]).permute(0, 3, 1, 2) / 255
        torch.testing.assert_close(batch.raw, pixels)


@pytest.mark.parametrize("kind", [Labelled(), AGAIN, Unlabelled(), Unlabelled(GIVEN)])
def test_the_order_is_that_of_seed_and_epoch(kind):
    assert positions(batches(kind)) == positions(batches(kind))
    assert positions(batches(kind)) != positions(batches(kind, 1))


@pytest.mark.parametrize("kind", [Labelled(), AGAIN, Unlabelled(), Unlabelled(GIVEN)])
def test_processes_share_an_epoch(kind):
    parts = [positions(batches(kind, 0, Share(rank, 2))) for rank in range(2)]
    assert len(parts[0]) == len(parts[1]) > 0
    assert not set(parts[0]) & set(parts[1])


@pytest.mark.parametrize(
    ("steps", "processes", "count"), [(7, 1, 7), (7, 2, 7), (0, 1, 4), (0, 3, 1)]
)
@pytest.mark.parametrize("kind", [lambda steps: Synthesised(make, steps), NoSamples])
def test_steps_without_images_of_the_data_set(kind, steps, processes, count):
    """Unless the method says how many: as many as the 36 training images fill with batches of 8."""
    assert len(batches(kind(steps), 0, Share(0, processes))) == count


def test_what_the_method_makes_is_what_the_objective_gets():
    (batch,) = batches(Synthesised(make, 1))
    assert type(batch) is SynthesisedBatch
    assert batch.raw.shape == (4, 3, SIDE, SIDE)
    assert batch.epoch == 2
    assert not hasattr(batch, "targets")
    assert not hasattr(batch, "indices")
    (given,) = batches(NoSamples(1))
    assert type(given) is StepContext
    assert given.size == 4


def test_batch_sizes():
    assert Labelled().batch_size(FIT, 36, 1) == 8
    assert Labelled().batch_size(FIT, 36, 9) == Unlabelled().batch_size(FIT, 36, 9) == 4
    assert Unlabelled(GIVEN).batch_size(FIT, 36, 7) == 3
    assert Synthesised(make).batch_size(FIT, 36, 9) == NoSamples().batch_size(FIT, 36, 9) == 8


def train(stage: Stage, method: Any, work: Path) -> Watched:
    module = Watched(
        method, stage, samples(False), metrics_task(DEFAULT_TASK), FIT, AugmentSection(), 0
    )
    section = TrainerSection(accelerator="cpu", precision="fp32", threads=1)
    fit_stage(module, section, work, "key")
    return module


@pytest.mark.parametrize(
    "kind", [Unlabelled(), Unlabelled(GIVEN), Synthesised(make, 2), NoSamples(2)]
)
def test_a_stage_trains_on_any_kind_and_is_validated_on_labels(kind, tmp_path):
    """By the teacher's outputs alone; the score is that of the labelled validation part."""
    method: Any = made("kd", samples(False))
    seen: list[type] = []

    def objective(batch: Any) -> dict[str, Tensor]:
        seen.append(type(batch))
        pixels = make(batch).raw if isinstance(batch, StepContext) else batch.pixels
        teacher = method.teacher(pixels)
        return {"logits": (method.student(pixels) - teacher.detach()).square().mean()}

    before = method.student.state_dict()["network.conv1.0.weight"].clone()
    module = train(
        Stage("student", (method.student,), objective, method.student, samples=kind),
        method, tmp_path,
    )  # fmt: skip
    assert len(set(seen)) == 1
    assert all(row["logits"] > 0 for row in module.history)
    validated = len(samples(False).split.indices("validation"))
    assert module.judged == EPOCHS * validated > 0
    assert all(score == pytest.approx(alone) for score, alone in module.compared)
    assert not method.student.state_dict()["network.conv1.0.weight"].equal(before)


@pytest.mark.parametrize(("images", "steps"), [(GIVEN, 4), (np.tile(GIVEN, (2, 1, 1, 1)), 5)])
def test_several_kinds_in_every_step(images, steps, tmp_path):
    """The epoch is that of the kind with the most batches; the other one begins again."""
    method: Any = made("none", samples(False))
    kinds = {"labelled": Labelled(), "unlabelled": Unlabelled(images)}
    received: list[dict[str, Any]] = []

    def objective(batch: dict[str, Any]) -> dict[str, Tensor]:
        received.append(batch)
        labelled, unlabelled = (batch[name] for name in kinds)
        outputs = method.student(unlabelled.pixels)
        return {
            "ce": method.hard_label(method.student(labelled.pixels), labelled.targets),
            "entropy": -(outputs.softmax(1) * outputs.log_softmax(1)).sum(1).mean(),
        }

    module = train(
        Stage("student", (method.student,), objective, method.student, samples=Several(kinds)),
        method, tmp_path,
    )  # fmt: skip
    assert len(received) == EPOCHS * steps
    assert all(type(batch["labelled"]) is Batch for batch in received)
    assert all(type(batch["unlabelled"]) is UnlabelledBatch for batch in received)
    first = received[:steps]
    assert set(positions([batch["unlabelled"] for batch in first])) <= set(range(len(images)))
    longest = "labelled" if steps == 4 else "unlabelled"
    drawn = positions([batch[longest] for batch in first])
    assert len(set(drawn)) == len(drawn)
    assert all(row["entropy"] > 0 for row in module.history)


def test_an_objective_that_reads_targets_which_are_withheld_fails(tmp_path):
    method: Any = made("none", samples(False))
    (stage,) = method.stages()
    unlabelled = Stage("student", stage.trained, stage.objective, method.student,
                       samples=Unlabelled())  # fmt: skip
    with pytest.raises(AttributeError, match="'UnlabelledBatch' object has no attribute 'targets'"):
        train(unlabelled, method, tmp_path)


def test_too_few_images_of_the_method_are_refused(tmp_path):
    method: Any = made("kd", samples(False))
    stage = Stage("student", (method.student,), lambda batch: {}, method.student,
                  samples=Unlabelled(GIVEN[:1]))  # fmt: skip
    with pytest.raises(InputError, match="normalises by batches"):
        train(stage, method, tmp_path)


@pytest.mark.parametrize("done", [1, 2, 3])
def test_an_epoch_is_taken_up_behind_the_batches_that_are_done(done: int) -> None:
    """Of a kind that is repeated beside a longer one, behind those of its present round."""
    few = np.zeros((17, SIDE, SIDE, 3), np.uint8)  # two batches of eight
    kind = Several({"labelled": Labelled(), "few": Unlabelled(few)})

    def drawn(loader: Any) -> list[dict[str, list[int]]]:
        return [{name: each[-1].tolist() for name, each in batch.items()} for batch in loader]

    whole = drawn(kind.loader(setup()))
    assert len(whole) > 3
    resumed = kind.loader(setup(0, ALONE, done))
    assert len(resumed) == len(whole)  # an epoch has as many steps as ever
    assert drawn(resumed) == whole[done:]
    assert drawn(resumed) == whole  # the epoch after it is whole


def test_the_recipes_unlabelled_images_have_batches_of_their_own_size():
    """Beside labelled ones of another size, which are repeated until all of them were seen."""
    pool = UnlabelledPool(len(samples(False).unlabelled), 1)
    drawn = batches(pool)
    assert all(type(batch) is UnlabelledBatch for batch in drawn)
    assert not hasattr(drawn[0], "targets")
    for batch in drawn:
        rows = samples(False).unlabelled[batch.indices]
        pixels = torch.from_numpy(rows).permute(0, 3, 1, 2) / 255
        torch.testing.assert_close(batch.raw, pixels)
    assert len(set(positions(drawn))) == len(positions(drawn))
    assert pool.batch_size(FIT, 36, 1) == min(FIT.batch_size, pool.images)
    assert UnlabelledPool(100, 3).batch_size(FIT, 36, 2) == 3 * FIT.batch_size
    both = batches(Several({"labelled": Labelled(), "unlabelled": pool}))
    assert len(both) == max(len(drawn), len(batches(Labelled())))
