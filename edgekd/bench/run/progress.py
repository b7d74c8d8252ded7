"""Progress bars of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

__all__ = ["RunProgress", "Step"]

Step = Callable[[int], None]
"""Called with the number of items that were completed since the last call."""


class RunProgress:
    """One bar at a time, for the step that is under way.

    Args:
        console: Where the bars go; None is stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,  # a transient bar leaves an empty line in a log
        )

    @contextmanager
    def step(self, description: str, total: int) -> Iterator[Step]:
        """Show a bar of `total` items while the block runs."""
        task = self.bars.add_task(description, total=total)
        yield lambda count: self.bars.advance(task, count)
        self.bars.remove_task(task)

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self.bars.console.print(text)
