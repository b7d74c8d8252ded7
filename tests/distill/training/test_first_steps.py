"""The first steps of a stage, timed."""

from __future__ import annotations

from edgekd.distill.runs.pipeline import training_plan
from edgekd.distill.runs.trial import method_of
from edgekd.distill.samples.run_samples import load_samples
from edgekd.distill.training.first_steps import STEPS, StageTimes, time_stage
from edgekd.distill.training.module import StageModule
from edgekd.metrics.task import metrics_task


def test_a_few_steps_and_one_batch_of_validation(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where Lightning would put what it writes
    made = recipe(student={"model": recipe().student.model, "fit": {"epochs": 9, "batch_size": 4}})
    samples = load_samples(made)
    plan = training_plan(made, "student", samples.split)
    method = method_of(plan, samples)
    (stage,) = method.stages()
    taken = []
    step = StageModule.training_step
    monkeypatch.setattr(
        StageModule, "training_step", lambda self, *a: taken.append(1) or step(self, *a)
    )
    module = StageModule(
        method, stage, samples, metrics_task(made.task), plan.section.fit, made.augment, 0
    )
    times = time_stage(module, made.trainer)
    assert len(taken) == STEPS
    assert times.step > 0
    assert times.validation > 0
    assert times.steps == len(samples.split.indices("train")) // 4
    assert times.batches == -(-len(samples.split.indices("validation")) // 8)
    assert not list(tmp_path.iterdir())


def test_seconds_of_an_epoch():
    times = StageTimes(step=2.0, validation=1.0, steps=10, batches=3)
    assert times.epoch() == 23.0
    assert times.epoch(0.25) == 8.0
