"""Lightning's trainer for a recipe's section."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch

from edgekd.distill.training.interrupted import SealedCheckpoints
from edgekd.distill.training.trainer import make_trainer, quiet_lightning, set_threads
from edgekd.errors import InputError
from edgekd.recipe import FitSection, TrainerSection


def made(**keys):
    module = SimpleNamespace(fit=FitSection(epochs=3))
    section = TrainerSection(**{"accelerator": "cpu", **keys})
    with quiet_lightning():
        return make_trainer(section, module, [], SealedCheckpoints("key"))


@pytest.mark.parametrize(("precision", "name"), [("fp32", "32-true"), ("bf16", "bf16-mixed")])
def test_precisions_by_lightnings_names(precision, name):
    trainer = made(precision=precision)
    assert trainer.precision == name
    assert trainer.max_epochs == 3


def test_float16_on_a_processor_is_refused():
    """Lightning would train in bfloat16, and the card would say fp16."""
    with pytest.raises(InputError, match="does not train in fp16") as caught:
        made(precision="fp16")
    assert "bf16" in caught.value.hint


@pytest.mark.parametrize(("amx", "name"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_stage_outside_of_a_run_takes_the_precision_of_the_processor(monkeypatch, amx, name):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert made(precision="auto").precision == name


def test_threads(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    set_threads(TrainerSection(threads=1))
    assert torch.get_num_threads() == 1
    set_threads(TrainerSection(threads=64))
    assert torch.get_num_threads() == 2
    set_threads(TrainerSection(threads=0))
    assert torch.get_num_threads() == 2


def test_hardware_that_is_not_there_is_refused_in_one_line():
    if torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    with pytest.raises(InputError, match="cannot use this machine") as caught:
        made(accelerator="gpu")
    assert "\n" not in caught.value.message
    assert "trainer" in caught.value.hint


def test_lightnings_warnings_stay_out_of_the_output():
    with quiet_lightning():  # warnings are errors in tests
        warnings.warn_explicit("advice", UserWarning, "x.py", 1, module="lightning.pytorch.trainer")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("advice", UserWarning, "x.py", 1, module="another.package")
