"""Making the file of a teacher's outputs: killed, shared, damaged."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_methods import network

from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.distill.teachers import caching
from edgekd.distill.teachers.caching import SOFT_LABELS, CachePlan, make_soft_labels
from edgekd.distill.teachers.fixed_views import FixedViews
from edgekd.distill.teachers.serving import fixed_views_of
from edgekd.distill.teachers.soft_labels import SoftLabelFacts
from edgekd.distill.teachers.teacher import Teacher, TeacherSetup
from edgekd.models import pixels_of
from edgekd.recipe import CacheSection

CPU = torch.device("cpu")


class Counting(Teacher):
    """Counts its passes, and fails in a certain one."""

    passes = 0
    fails_in = 0

    def outputs(self, batch: Any, pixels: torch.Tensor | None = None) -> torch.Tensor:
        self.passes += 1
        if self.passes == self.fails_in:
            raise KeyboardInterrupt
        return super().outputs(batch, pixels)


@pytest.fixture
def samples(recipe) -> RunSamples:
    return load_samples(recipe())


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch, tmp_path):
    monkeypatch.setattr(caching, "_BLOCK", 8)
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))


def plan_of(recipe, samples: RunSamples, pooled: bool = False, views: int = 2) -> CachePlan:
    fixed = fixed_views_of(recipe(), CacheSection(views=views), len(samples.targets))
    facts = SoftLabelFacts(
        task="classification", classes=samples.classes, outputs=samples.classes,
        views={"number": views}, image_size=32, resize="rule", teacher={},
        data={"name": "x", "sha256": samples.content_sha256},
    )  # fmt: skip
    return CachePlan(samples, fixed, facts, pooled)


def teacher() -> Counting:
    return Counting(network(1, 4, 8, 8, 16).eval(), TeacherSetup("fp32"))


def live(plan: CachePlan, fixed: FixedViews, view: int) -> torch.Tensor:
    indices = torch.tensor(plan.indices)
    raw = pixels_of(torch.from_numpy(plan.samples.training_images[plan.indices]))
    return teacher().outputs(None, fixed.pixels(raw, indices, torch.full_like(indices, view)))


@pytest.mark.parametrize("pooled", [False, True])
def test_the_file_has_what_the_teacher_says_of_each_view(recipe, samples, pooled):
    plan = plan_of(recipe, samples, pooled)
    ticks: list[tuple[int, int]] = []
    labels = make_soft_labels(plan, teacher, CPU, lambda *tick: ticks.append(tick))
    assert labels.logits.shape[:2] == (len(plan.indices), 2)
    for view in range(2):
        torch.testing.assert_close(labels.logits[:, view], live(plan, plan.fixed, view))
    assert (labels.pooled is not None) == pooled
    assert labels.names[0] == samples.split.dataset.samples[plan.indices[0]].image
    assert ticks[-1] == (len(plan.indices), len(plan.indices))
    assert not plan.unfinished.exists()

    def never() -> Teacher:
        raise AssertionError("it is there already")

    again = make_soft_labels(plan, never, CPU)
    assert again.logits.equal(labels.logits)


def test_a_killed_build_continues(recipe, samples):
    plan, first, second = plan_of(recipe, samples), teacher(), teacher()
    first.fails_in = 6  # in the second view of the third block
    with pytest.raises(KeyboardInterrupt):
        make_soft_labels(plan, lambda: first, CPU)
    assert not plan.folder.exists()
    labels = make_soft_labels(plan, lambda: second, CPU)
    assert second.passes == 2 * (plan.blocks - 2)
    torch.testing.assert_close(labels.logits[:, 1], live(plan, plan.fixed, 1))


def test_two_share_the_work(recipe, samples):
    plan = plan_of(recipe, samples)
    teachers, labels = [teacher(), teacher()], []
    start = threading.Barrier(2)

    def take_part(number: int) -> None:
        torch.set_num_threads(1)
        start.wait()
        labels.append(make_soft_labels(plan, lambda: teachers[number], CPU))

    threads = [threading.Thread(target=take_part, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.passes for each in teachers) == 2 * plan.blocks  # none was computed twice
    assert labels[0].logits.equal(labels[1].logits)
    assert not plan.unfinished.exists()


def test_damaged_files_are_made_again(recipe, samples, caplog):
    plan = plan_of(recipe, samples)
    labels = make_soft_labels(plan, teacher, CPU)
    file = plan.folder / SOFT_LABELS
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(bytes(content))
    again = make_soft_labels(plan, teacher, CPU)
    assert "is not what was written" in caplog.text
    assert again.logits.equal(labels.logits)


def test_a_damaged_block_is_computed_again(recipe, samples):
    plan, first, second = plan_of(recipe, samples), teacher(), teacher()
    first.fails_in = 6
    with pytest.raises(KeyboardInterrupt):
        make_soft_labels(plan, lambda: first, CPU)
    block = plan.block(0)
    block.write_bytes(block.read_bytes()[:-1])
    make_soft_labels(plan, lambda: second, CPU)
    assert second.passes == 2 * (plan.blocks - 1)


def test_the_key_has_everything_that_the_numbers_depend_on(recipe, samples):
    plan = plan_of(recipe, samples)
    other_split = load_samples(recipe(split={"validation": 0.3, "test": 0.2}))
    other_images = replace(samples, content_sha256="other")
    keys = {
        plan.key,
        plan_of(recipe, other_split).key,
        plan_of(recipe, other_images).key,
        plan_of(recipe, samples, pooled=True).key,
        plan_of(recipe, samples, views=3).key,
    }
    assert len(keys) == 5
    assert plan_of(recipe, samples).key == plan.key
