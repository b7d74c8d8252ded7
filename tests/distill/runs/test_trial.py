"""What cannot be trained is refused before anything is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import torch
from small_runs import run

from edgekd.errors import InputError
from edgekd.models import build_network

VIT = {"arch": "vit_tiny_patch16_224", "options": {"img_size": 32, "depth": 1}}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"student": {"fit": {"batch_size": 1}}}, "the stage student normalises by batches"),
        ({"student": {"model": VIT}, "method": {"name": "fitnet"}}, "no feature map"),
        ({"teacher": {"model": VIT}, "method": {"name": "at"}}, "no feature map"),
        ({"student": {"model": VIT}, "method": {"name": "rkd"}}, "no feature map"),
        ({"student": {"pretrained": "no.safetensors"}}, "there are no pretrained weights"),
        ({"method": {"name": "skd"}}, "needs subclass labels"),
    ],
)
def test_what_cannot_be_trained_is_told_before_its_teacher_is(recipe, tmp_path, changed, wrong):
    raw = msgspec.to_builtins(recipe())
    for role in ("teacher", "student"):
        own = changed.get(role, {})
        raw[role]["model"] = own.get("model", raw[role]["model"])
        raw[role]["model"]["pretrained"] = own.get("pretrained", "none")
        raw[role]["fit"] |= own.get("fit", {})
    raw["method"] = changed.get("method", raw["method"])
    with pytest.raises(InputError, match=wrong):
        run(recipe(**raw), tmp_path)
    assert not list(tmp_path.iterdir())


def test_several_devices_do_not_wait_for_parameters_that_nothing_depends_on(
    recipe, tmp_path, monkeypatch
):
    def build(*args: Any) -> Any:
        built = build_network(*args)
        built.network.spare = torch.nn.Linear(2, 2)
        return built

    monkeypatch.setattr("edgekd.distill.runs.trial.build_network", build)
    trainer = msgspec.to_builtins(recipe().trainer) | {"devices": 2}
    with pytest.raises(InputError, match=r"2 parameters .*\(spare.weight first\)") as caught:
        run(recipe(trainer=trainer), tmp_path)
    assert "trainer.devices" in caught.value.hint
    run(recipe(method={"name": "none"}), tmp_path)  # alone it does
