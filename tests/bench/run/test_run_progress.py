"""Progress bars: on a terminal alone, and none left behind."""

from __future__ import annotations

import io

from rich.console import Console

from edgekd.bench.run.progress import RunProgress


def test_a_bar_counts_and_goes() -> None:
    stream = io.StringIO()
    progress = RunProgress(Console(file=stream, force_terminal=True, width=80))
    with progress.bars, progress.step("accuracy: teacher", 4) as step:
        step(3)
        (task,) = progress.bars.tasks
        assert (task.description, task.completed, task.total) == ("accuracy: teacher", 3, 4)
    assert progress.bars.tasks == []


def test_a_log_gets_lines_alone() -> None:
    stream = io.StringIO()
    progress = RunProgress(Console(file=stream, force_terminal=False, width=80))
    with progress.bars, progress.step("accuracy", 1) as step:
        progress.line("copying 3 files")
        step(1)
    assert stream.getvalue() == "copying 3 files\n"
