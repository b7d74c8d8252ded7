"""The choice of a precision from what was measured, or from the processor alone."""

from __future__ import annotations

import pytest
import torch

from edgekd.distill.training import precision
from edgekd.distill.training.precision import (
    candidates_of,
    choose_precision,
    device_of,
    unmeasured_precision,
)
from edgekd.distill.training.step_trial import trial_steps
from edgekd.recipe import TrainerSection

CPU = TrainerSection(accelerator="cpu")
PAYS = 20 * trial_steps(2)


def instructions(monkeypatch: pytest.MonkeyPatch, *, amx: bool, avx512: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)


def never(_: object) -> dict[str, float]:
    pytest.fail("measured")


@pytest.mark.parametrize(
    ("bf16", "chosen"),
    [(0.5, "bf16"), (0.94, "bf16"), (0.96, "fp32"), (1.0, "fp32"), (2.0, "fp32")],
)
def test_the_faster_one_wins_unless_it_is_by_noise(monkeypatch, bf16, chosen):
    instructions(monkeypatch, amx=False, avx512=True)
    choice = choose_precision(CPU, PAYS, lambda tried: {"fp32": 1.0, "bf16": bf16})
    assert choice.precision == chosen
    assert choice.seconds == {"fp32": 1.0, "bf16": bf16}
    assert "fp32 1.000 s" in choice.reason
    assert f"{1 / bf16:.2f} ×" in choice.reason


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
    choice = choose_precision(gpu, PAYS, lambda tried: {tried[0]: 2.0, tried[1]: 1.0})
    assert (choice.precision, choice.device) == (lower, "Painted 1")
    assert unmeasured_precision(gpu) == ("bf16" if native else "fp32")


def test_the_module_names_its_processor():
    assert precision._name(torch.device("cpu")).startswith("CPU with ")
