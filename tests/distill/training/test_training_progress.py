"""What a training says on stderr: lines for a log, a bar for a terminal."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from edgekd.distill.training import progress
from edgekd.distill.training.progress import ProgressOutput, ProgressReporter


class Screen(io.StringIO):
    """A terminal, or what a shell redirects to."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def module(*rows: dict[str, float], stop_reason: str | None = None, steps: int = 0) -> Any:
    return SimpleNamespace(
        stage=SimpleNamespace(name="student"), history=list(rows), score_name="balanced accuracy",
        stop_reason=stop_reason, steps=steps,
    )  # fmt: skip


def trainer(rank: int = 0) -> Any:
    return SimpleNamespace(
        is_global_zero=rank == 0, current_epoch=1, max_epochs=8, num_training_batches=4
    )


def reporter(monkeypatch: pytest.MonkeyPatch, made: Any, *, terminal: bool = False) -> Any:
    """The reporter and what it has written to."""
    screen = Screen(terminal)
    monkeypatch.setattr(
        progress,
        "Console",
        lambda **options: Console(file=screen, force_terminal=terminal, width=90,
                                  **{k: v for k, v in options.items() if k != "stderr"}),
    )  # fmt: skip
    return ProgressReporter(made), screen


def test_an_epoch_of_minutes_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reporting, screen = reporter(monkeypatch, module(steps=2))
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    reporting.on_train_epoch_start(trainer(), None)
    for moment in (1059.0, 1060.0, 1061.0, 1119.0, 1120.0):
        now[0] = moment
        reporting.on_train_batch_end(trainer(), None)
    assert screen.getvalue() == 2 * "  student epoch 2/8  step 2 of 4\n"


def test_lines_go_where_the_output_says_and_the_bar_only_where_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = {"epoch": 2, "waiting": 0.0, "score": 0.5}
    _, screen = reporter(monkeypatch, module(row), terminal=True)
    lines: list[str] = []
    silent = ProgressReporter(module(row), ProgressOutput(lines.append, bar=False))
    silent.on_train_epoch_start(trainer(), None)
    assert silent._bar is None
    silent.on_validation_end(trainer(), None)
    assert len(lines) == 1
    assert "validation balanced accuracy 0.500" in lines[0]
    assert screen.getvalue() == ""


def test_a_line_for_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"epoch": 2, "loss": 1.25, "ce": 1.0, "kd": 0.25, "waiting": 0.016, "score": 0.7604}
    reporting, screen = reporter(monkeypatch, module(row))
    clock = iter([100.0, 103.2])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    reporting.on_train_epoch_start(trainer(), None)
    for _ in range(4):
        reporting.on_train_batch_end()
    reporting.on_validation_end(trainer(), None)
    line = screen.getvalue()
    assert line.count("\n") == 1
    assert line.startswith("  student epoch 2/8  loss 1.250 (ce 1.000  kd 0.250)")
    assert "validation balanced accuracy 0.760" in line
    assert line.endswith("3 s  (2% waiting for images)\n")


@pytest.mark.parametrize(("epoch", "lines"), [(2, 2), (8, 1)])
def test_an_early_stop_says_why(monkeypatch: pytest.MonkeyPatch, epoch: int, lines: int) -> None:
    row = {"epoch": epoch, "loss": 1.0, "waiting": 0.0, "score": 0.5}
    stopped = module(row, stop_reason="no better score in 3 epochs")
    reporting, screen = reporter(monkeypatch, stopped)
    reporting.on_validation_end(trainer(), None)
    assert screen.getvalue().count("\n") == lines  # the last epoch ends the stage anyway
    reason = "  student stops after epoch 2: no better score in 3 epochs\n"
    assert screen.getvalue().endswith(reason) == (epoch == 2)


def test_a_stage_of_players_has_no_common_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"epoch": 1, "generator": 2.0, "student": 0.5, "waiting": 0.0, "score": 0.1}
    reporting, screen = reporter(monkeypatch, module(row))
    reporting.on_validation_end(trainer(), None)
    assert "  generator 2.000  student 0.500  " in screen.getvalue()
    assert "loss" not in screen.getvalue()


def test_nothing_before_the_first_row(monkeypatch: pytest.MonkeyPatch) -> None:
    reporting, screen = reporter(monkeypatch, module())
    reporting.on_validation_end(trainer(), None)
    assert screen.getvalue() == ""


def test_a_terminal_has_a_bar_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"epoch": 2, "waiting": 0.0, "score": 0.5}
    reporting, screen = reporter(monkeypatch, module(row), terminal=True)
    reporting.on_train_epoch_start(trainer(), None)
    for _ in range(3):
        reporting.on_train_batch_end()
    (task,) = reporting._bar.tasks
    assert (task.description, task.completed, task.total) == ("student 2/8", 3, 4)
    reporting.on_validation_end(trainer(), None)
    assert reporting._bar is None
    assert "validation balanced accuracy 0.500" in screen.getvalue()


def test_the_bar_is_taken_away_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reporting, _ = reporter(monkeypatch, module(), terminal=True)
    reporting.on_train_epoch_start(trainer(), None)
    bar = reporting._bar
    reporting.on_exception(trainer(), None, RuntimeError())
    assert reporting._bar is None
    assert bar.live.is_started is False


def test_an_epoch_that_is_resumed_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = module({"epoch": 2, "waiting": 0.0, "score": 0.5})
    made.steps = 3
    reporting, screen = reporter(monkeypatch, made, terminal=True)
    clock = iter([5000.0, 5007.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    reporting.on_train_start(trainer(), None)
    (task,) = reporting._bar.tasks
    assert (task.completed, task.total) == (3, 4)
    reporting.on_validation_end(trainer(), None)
    assert "  7 s" in screen.getvalue()


def test_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"epoch": 1, "waiting": 0.0, "score": 0.5}
    reporting, screen = reporter(monkeypatch, module(row), terminal=True)
    monkeypatch.setattr(progress, "is_rank_zero", lambda: False)
    reporting.on_train_epoch_start(trainer(rank=1), None)
    reporting.on_validation_end(trainer(rank=1), None)
    assert reporting._bar is None
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("epochs", "steps", "where"),
    [
        (2, 3, "after 2 epochs and 3 steps"),
        (1, 0, "after 1 epochs"),
        (0, 5, "after 0 epochs and 5"),
    ],
)
def test_a_resumed_stage_says_from_where(
    monkeypatch: pytest.MonkeyPatch, epochs: int, steps: int, where: str
) -> None:
    rows = [{"epoch": number} for number in range(epochs)]
    reporting, screen = reporter(monkeypatch, module(*rows, steps=steps))
    reporting.on_load_checkpoint(trainer(), None, {})
    assert screen.getvalue().startswith(f"resuming student where it was interrupted, {where}")
