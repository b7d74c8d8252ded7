"""Interrupted runs come to the weights of uninterrupted ones."""

from __future__ import annotations

import pytest
from small_runs import SSD_KD, history, record_stages, run, same, weights

from edgekd.distill.training.module import StageModule

EVERYTHING = {
    "average": 0.9, "clip": 1.0, "schedule": "cosine", "layer_decay": 0.8, "image_sizes": [24, 32],
}  # fmt: skip
MIXED = {
    "augment": {
        "policy": "trivial", "margin": 1.25, "crop": 0.5, "erase": 0.5, "mixup": 0.4, "cutmix": 1.0,
    },
}  # fmt: skip
PLATEAU = {"optimizer": "sgd", "schedule": "plateau", "patience": 1, "learning_rate": 0.01}


def interrupt(monkeypatch: pytest.MonkeyPatch, stage: str, error: type[BaseException]) -> None:
    """The second epoch of a stage ends in an error."""
    begin = StageModule.on_train_epoch_start

    def broken(self: StageModule) -> None:
        if self.stage.name == stage and self.current_epoch == 1:
            raise error
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_epoch_start", broken)


@pytest.mark.parametrize(
    ("method", "fit", "stage", "error"),
    [
        ({"name": "kd", "weigh_classes": True}, MIXED, "student", RuntimeError),
        pytest.param({"name": "kd"}, {}, "student", RuntimeError, marks=pytest.mark.slow),
        ({"name": "kd"}, {}, "student", KeyboardInterrupt),
        # Chosen by the objective, which shows whatever was not continued.
        ({"name": "d_kd", "select": "objective"}, EVERYTHING, "student", RuntimeError),
        pytest.param(
            {"name": "d_kd", "select": "objective"},
            PLATEAU,
            "student",
            RuntimeError,
            marks=pytest.mark.slow,
        ),
        ({"name": "crckd", "start": 0}, {}, "student", KeyboardInterrupt),
        pytest.param(SSD_KD, {}, "teacher_head", RuntimeError, marks=pytest.mark.slow),
        (SSD_KD, {}, "student", KeyboardInterrupt),
    ],
)
def test_an_interrupted_run_comes_to_the_same_weights(
    taught, recipe, tmp_path, monkeypatch, method, fit, stage, error
):
    student = {"model": recipe().student.model, "fit": {"epochs": 2, "batch_size": 16, **fit}}
    augment = student["fit"].pop("augment", {"policy": "dermoscopy"})
    whole = taught(method=method, student=student, augment=augment)
    run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        interrupt(broken, stage, error)
        with pytest.raises(error):
            run(whole, tmp_path / "broken")
    assert not (tmp_path / "broken" / "student" / "model.json").exists()
    trained = record_stages(monkeypatch)
    run(whole, tmp_path / "broken")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    assert trained[0] == stage  # nothing before it was trained again
    histories = [history(tmp_path / name / "student") for name in ("whole", "broken")]
    assert histories[0] == histories[1]
