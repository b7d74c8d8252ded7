"""A training that ends in the middle of an epoch, however it ends, continues as if it had not."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_runs import SSD_KD, Make, history, run, same, weights

from edgekd.cli import main
from edgekd.distill.runs import pipeline
from edgekd.distill.training import checkpoints
from edgekd.distill.training.module import StageModule
from edgekd.errors import StoppedError
from edgekd.recipe import Recipe

STEPS = 4  # of an epoch: 38 training images in batches of 8
LAST = ".training/student/last.ckpt"
Event = Callable[[], None]


def at_step(
    patch: pytest.MonkeyPatch, epoch: int, step: int, event: Event, stage: str = "student"
) -> None:
    """Do something within a training step."""
    train = StageModule.training_step

    def disturbed(self: StageModule, batch: Any, index: int) -> Any:
        if (self.stage.name, self.current_epoch, index) == (stage, epoch, step):
            event()
        return train(self, batch, index)

    patch.setattr(StageModule, "training_step", disturbed)


def in_validation(patch: pytest.MonkeyPatch, epoch: int, step: int, event: Event) -> None:
    """Do something in one of the two batches of an epoch's validation."""
    validate = StageModule.validation_step

    def disturbed(self: StageModule, batch: Any, index: int) -> Any:
        if (self.stage.name, self.current_epoch, index) == ("student", epoch, step):
            event()
        return validate(self, batch, index)

    patch.setattr(StageModule, "validation_step", disturbed)


def fail() -> None:
    raise RuntimeError("power cut")


def send(number: int = signal.SIGTERM) -> Event:
    """The signal's handler, as Python calls it; `test_stopping.py` sends real ones.

    Libraries that earlier tests of a process have loaded may have put their own below Python's.
    """

    def event() -> None:
        handler = signal.getsignal(number)
        assert callable(handler), "the signal would end the training at once"
        handler(number, None)

    return event


def steps_of(patch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Stage, epoch and index of each training step from now on."""
    taken: list[tuple[str, int, int]] = []
    train = StageModule.training_step

    def noted(self: StageModule, batch: Any, index: int) -> Any:
        taken.append((self.stage.name, self.current_epoch, index))
        return train(self, batch, index)

    patch.setattr(StageModule, "training_step", noted)
    return taken


@pytest.fixture
def short(taught: Make, recipe: Make) -> Make:
    """Recipes of three epochs of four steps; the student has dropout."""

    def make(method: str | dict[str, Any] = "kd", **changed: Any) -> Recipe:
        checkpoint = changed.pop("checkpoint", {"minutes": 0})
        model = {**recipe().student.model.options, "drop_rate": 0.3}
        student = {"model": {"arch": "resnet10t", "options": model}}
        fit = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3, **changed}
        return taught(
            method={"name": method} if isinstance(method, str) else method,
            student={**student, "fit": fit},
            augment={"policy": "dermoscopy"},
            trainer={"accelerator": "cpu", "precision": "fp32", "threads": 1,
                     "checkpoint": checkpoint},
        )  # fmt: skip

    return make


def histories(*runs: Path) -> list[list[dict[str, str]]]:
    return [history(out / "student") for out in runs]


PLATEAU = {"optimizer": "sgd", "schedule": "plateau", "patience": 1}
CASES = [
    ("kd", {}, 0, 3),
    ({"name": "kd", "temperature": {"curriculum": "instance"}}, {}, 1, 2),
    ("mean_teacher", {}, 0, 2),
    ({"name": "crckd", "start": 0}, PLATEAU, 1, 3),
    (SSD_KD, {}, 1, 2),
    ({"name": "d_kd", "select": "objective"}, {}, 2, 3),
]


@pytest.mark.parametrize(("method", "fit", "epoch", "step"), CASES)
def test_an_epoch_is_taken_up_in_its_middle(
    short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method, fit, epoch, step
) -> None:
    """Checkpoints of every second step: what came after the last one is trained again."""
    whole = short(method, **fit, checkpoint={"minutes": 0, "steps": 2})
    run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        at_step(broken, epoch, step, fail)
        with pytest.raises(RuntimeError, match="power cut"):
            run(whole, tmp_path / "broken")
    taken = steps_of(monkeypatch)
    run(whole, tmp_path / "broken")
    assert taken[0] == ("student", epoch, 2)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    one, other = histories(tmp_path / "whole", tmp_path / "broken")
    assert one == other


LEFT_OUT = {"source": "synthetic", "images": 140, "size": 32, "seed": 1,
            "unlabelled": {"left_out": True}}  # fmt: skip
NOTHING = {"source": "none", "classes": ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]}
GENERATOR = {"latent": 8, "width": 4}
SMALLER = {"arch": "resnet10t", "options": {"channels": [4, 4, 8, 8], "stem_width": 4}}
MADE = {"cgdd": {}, "fastdfkd": {"iterations": 2, "warmup": 1}}
SITUATIONS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "meta_curriculum": ({**GENERATOR, "classes": "rare"}, "student", {}),
    "meta_curriculum-network": ({**GENERATOR, "step_of": "network"}, "student", {}),
    "meta_curriculum-noise": ({**GENERATOR, "start": "noise"}, "student", {}),
    "smpl": ({"ratio": 2}, "student", LEFT_OUT),
    "ssl_kd-contrast": ({"ratio": 2}, "contrast", LEFT_OUT),
    "ssl_kd-finetune": ({"ratio": 2}, "finetune", LEFT_OUT),
    "ssl_kd-student": ({"ratio": 2}, "student", LEFT_OUT),
    "amal": ({"every": 0.3, "images": 7}, "student", {}),
    "assistants-first": ({"assistants": [SMALLER, SMALLER]}, "assistant_1", {}),
    "assistants-second": ({"assistants": [SMALLER, SMALLER]}, "assistant_2", {}),
    "assistants-student": ({"assistants": [SMALLER, SMALLER]}, "student", {}),
    "ces_kd-assistant": ({"assistants": [SMALLER]}, "assistant_1", {}),
    "ces_kd-student": ({"assistants": [SMALLER]}, "student", {}),
    **{
        name: ({**GENERATOR, "steps": 4, **more}, "student", NOTHING)
        for name, more in MADE.items()
    },
}  # fmt: skip
QUICK = ("meta_curriculum", "smpl")


def situation(taught: Make, recipe: Make, case: str) -> Recipe:
    """A recipe of three epochs whose checkpoints are written after every second step."""
    options, _, data = SITUATIONS[case]
    fit = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3}
    return taught(
        method={"name": case.partition("-")[0], **options},
        student={"model": {"arch": "resnet10t", "options": recipe().student.model.options},
                 "fit": fit},
        split={"validation": 0.25, "test": 0.2, "train_share": 0.5 if data is LEFT_OUT else 1.0},
        trainer={"accelerator": "cpu", "precision": "fp32", "threads": 1,
                 "checkpoint": {"minutes": 0, "steps": 2}},
        **({"data": data} if data else {}),
    )  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in SITUATIONS],
)
def test_every_situation_is_taken_up_in_the_middle_of_an_epoch(
    taught: Make, recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Players, generators, pools, weights of images, assistants: all that a run carries along."""
    whole, stage = situation(taught, recipe, case), SITUATIONS[case][1]
    run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        at_step(broken, 1, 3, fail, stage)
        with pytest.raises(RuntimeError, match="power cut"):
            run(whole, tmp_path / "broken")
    taken = steps_of(monkeypatch)
    run(whole, tmp_path / "broken")
    assert taken[0] == (stage, 1, 2)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    one, other = histories(tmp_path / "whole", tmp_path / "broken")
    assert one == other


def test_an_earlier_stage_is_taken_up_in_its_middle(
    short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = short(SSD_KD, checkpoint={"minutes": 0, "steps": 1})
    run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        at_step(broken, 1, 1, fail, stage="teacher_head")
        with pytest.raises(RuntimeError, match="power cut"):
            run(whole, tmp_path / "broken")
    taken = steps_of(monkeypatch)
    run(whole, tmp_path / "broken")
    assert taken[0] == ("teacher_head", 1, 1)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_the_networks_are_in_the_modes_of_an_undisturbed_run(
    short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[dict[str, bool]] = []

    def note(self: StageModule, batch: Any, index: int) -> Any:
        if (self.stage.name, self.current_epoch, index) == ("student", 1, 2):
            modes.append({name: part.training for name, part in self.method.named_modules()})
        return train(self, batch, index)

    train = StageModule.training_step
    monkeypatch.setattr(StageModule, "training_step", note)
    run(short(SSD_KD), tmp_path / "whole")
    with monkeypatch.context() as broken:
        at_step(broken, 1, 1, send())
        with pytest.raises(StoppedError):
            run(short(SSD_KD), tmp_path / "broken")
    run(short(SSD_KD), tmp_path / "broken")
    whole, broken_off = modes
    assert whole == broken_off
    assert not all(whole.values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_ends(
    short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    handler = signal.getsignal(number)
    whole = short("mean_teacher")
    run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        at_step(broken, 1, 1, send(number))
        with pytest.raises(StoppedError) as stopped:
            run(whole, tmp_path / "broken")
    assert stopped.value.exit_code == 128 + number
    name = signal.Signals(number).name
    assert stopped.value.message == (
        f"stopped by {name}: student is saved after 1 epochs and 2 steps; "
        "the same command continues there"
    )
    assert signal.getsignal(number) is handler
    taken = steps_of(monkeypatch)
    run(whole, tmp_path / "broken")
    assert taken[0] == ("student", 1, 2)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


@pytest.mark.parametrize(
    ("method", "epoch"), [("kd", 0), ({"name": "d_kd", "select": "objective"}, 1), ("kd", 2)]
)
def test_a_signal_in_validation_saves_what_was_trained(
    short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Any, epoch: int
) -> None:
    whole = short(method)
    run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        in_validation(broken, epoch, 0, send())
        with pytest.raises(StoppedError, match=f"after {epoch} epochs and {STEPS} steps"):
            run(whole, tmp_path / "broken")
    taken = steps_of(monkeypatch)
    run(whole, tmp_path / "broken")
    assert taken == [("student", later, n) for later in range(epoch + 1, 3) for n in range(STEPS)]
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    one, other = histories(tmp_path / "whole", tmp_path / "broken")
    assert one == other


def test_a_signal_in_the_last_batch_of_validation_ends_with_the_epoch(
    short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = short()
    with monkeypatch.context() as broken:
        in_validation(broken, 0, 1, send())
        with pytest.raises(StoppedError, match="student is saved after 1 epochs;"):
            run(whole, tmp_path)
    taken = steps_of(monkeypatch)
    run(whole, tmp_path)
    assert taken[0] == ("student", 1, 0)


def test_a_signal_before_the_first_step_has_nothing_to_save(
    short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = StageModule.on_train_epoch_start
    with monkeypatch.context() as broken:
        broken.setattr(StageModule, "on_train_epoch_start", lambda self: (send()(), begin(self))[1])
        with pytest.raises(StoppedError, match="student had not begun"):
            run(short(), tmp_path)
    assert not (tmp_path / "student" / LAST).exists()


def test_time_is_up(short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes after the last one a checkpoint is written before the next step."""
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    for step, moment in ((1, 599.0), (2, 600.0), (3, 1199.0)):
        at_step(monkeypatch, 0, step, lambda moment=moment: now.__setitem__(0, moment))
    saved = []
    save = checkpoints.TrainingCheckpoints._save

    def noted(self: Any, trainer: Any) -> None:
        saved.append((trainer.current_epoch, self._module.steps))
        save(self, trainer)

    monkeypatch.setattr(checkpoints.TrainingCheckpoints, "_save", noted)
    run(short(epochs=1, checkpoint={}), tmp_path)
    assert saved == [(0, 3), (0, 0)]


def test_begin_again(short: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--resume never` neither continues nor reuses."""
    whole = short()
    with monkeypatch.context() as broken:
        at_step(broken, 1, 2, send())
        with pytest.raises(StoppedError):
            run(whole, tmp_path)
    for _ in range(2):  # what is interrupted, then what is finished
        with monkeypatch.context() as watched:
            taken = steps_of(watched)
            pipeline.distill(pipeline.RunRequest(whole, tmp_path, resume=False))
        assert taken == [("student", epoch, n) for epoch in range(3) for n in range(STEPS)]
    taken = steps_of(monkeypatch)
    run(whole, tmp_path)
    assert taken == []


def test_an_end_by_signal_as_a_user_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [
        "data={source: synthetic, images: 70, size: 32, seed: 1}", "image_size=32",
        "trainer={accelerator: cpu, precision: fp32, threads: 1}",
        "student.model={arch: resnet10t, options: {channels: [4, 4, 8, 8], stem_width: 4}}",
        "student.fit={epochs: 2, batch_size: 8}",
    ]  # fmt: skip
    line = ["train", "demo", "--role", "student", "--out", str(tmp_path / "run")]
    line += [argument for setting in settings for argument in ("--set", setting)]
    with monkeypatch.context() as broken:
        at_step(broken, 1, 0, send(), stage="supervised")
        assert main(line) == 143
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith(
        "stopped by SIGTERM: supervised is saved after 1 epochs"
    )
    assert "Traceback" not in said
    assert main(line) == 0
    said = capsys.readouterr().err
    assert "resuming supervised where it was interrupted, after 1 epochs and 1 steps" in said
    assert main([*line, "--resume", "never"]) == 0
    assert "reused" not in capsys.readouterr().err
