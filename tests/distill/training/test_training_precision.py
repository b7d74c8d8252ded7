"""The choice of a precision from what was measured, or from the processor alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from edgekd.distill.training import precision
from edgekd.distill.training.precision import (
    candidates_of,
    choose_precision,
    device_of,
    unmeasured_precision,
)
from edgekd.distill.training.step_trial import StepSeconds, trial_steps
from edgekd.recipe import TrainerSection

CPU = TrainerSection(accelerator="cpu")
PAYS = 20 * trial_steps(2)


def instructions(monkeypatch: pytest.MonkeyPatch, *, amx: bool, avx512: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)


def _half_the_time(tried: Sequence[str]) -> dict[str, StepSeconds]:
    return {tried[0]: StepSeconds(2.0), tried[1]: StepSeconds(1.0)}


def never(_: object) -> dict[str, float]:
    pytest.fail("measured")


@pytest.mark.parametrize(
    ("bf16", "chosen"),
    [(0.5, "bf16"), (0.94, "bf16"), (0.96, "fp32"), (1.0, "fp32"), (2.0, "fp32")],
)
def test_the_faster_one_wins_unless_it_is_by_noise(monkeypatch, bf16, chosen):
    instructions(monkeypatch, amx=False, avx512=True)
    measured = {"fp32": StepSeconds(1.0), "bf16": StepSeconds(bf16)}
    choice = choose_precision(CPU, PAYS, lambda tried: measured)
    assert (choice.precision, choice.teacher) == (chosen, None)
    assert choice.seconds == {"fp32": 1.0, "bf16": bf16}
    assert choice.reason == f"measured a step: student fp32 1.000 s, bf16 {bf16:.3f} s"


@pytest.mark.parametrize(
    ("student", "teacher", "chosen"),
    [((0.38, 0.46), (0.56, 0.32), ("fp32", "bf16")), ((0.4, 0.2), (0.3, 0.3), ("bf16", "fp32"))],
)
def test_student_and_teacher_are_chosen_apart(monkeypatch, student, teacher, chosen):
    instructions(monkeypatch, amx=False, avx512=True)
    parts = zip(("fp32", "bf16"), student, teacher, strict=True)
    measured = {name: StepSeconds(*seconds) for name, *seconds in parts}
    choice = choose_precision(CPU, PAYS, lambda tried: measured)
    assert (choice.precision, choice.teacher) == chosen
    assert choice.teacher_seconds == dict(zip(("fp32", "bf16"), teacher, strict=True))
    assert "; teacher fp32 0." in choice.reason


@pytest.mark.parametrize(("amx", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_a_short_run_is_not_measured(monkeypatch, amx, chosen):
    instructions(monkeypatch, amx=amx, avx512=True)
    choice = choose_precision(CPU, PAYS - 1, never)
    assert choice.precision == chosen == unmeasured_precision(CPU)
    assert f"not measured: the run has {PAYS - 1} steps" in choice.reason
    assert choice.seconds == {}


def test_a_processor_without_bfloat16_is_not_measured(monkeypatch):
    instructions(monkeypatch, amx=False, avx512=False)
    choice = choose_precision(CPU, 10**6, never)
    assert choice.precision == "fp32"
    assert "without instructions" in choice.reason


@pytest.mark.parametrize(("native", "lower"), [(True, "bf16"), (False, "fp16")])
def test_an_accelerator_tries_what_it_has(monkeypatch, native, lower):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Painted 1")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    gpu = TrainerSection(accelerator="gpu")
    assert device_of(gpu).type == "cuda"
    assert device_of(CPU).type == "cpu"
    assert candidates_of(device_of(gpu)) == ("fp32", lower)
    choice = choose_precision(gpu, PAYS, _half_the_time)
    assert (choice.precision, choice.device) == (lower, "Painted 1")
    assert unmeasured_precision(gpu) == ("bf16" if native else "fp32")


def test_the_module_names_its_processor():
    assert precision._name(torch.device("cpu")).startswith("CPU with ")
