"""The history of a stage as CSV, also while it is trained."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from edgekd.distill.training.module import StageModule
from edgekd.files import write_atomically

__all__ = ["LiveHistory", "history_csv"]


def history_csv(history: list[dict[str, float]]) -> str:
    """A history as CSV: a row for each epoch, a column for each loss term."""
    buffer = io.StringIO()
    columns = list(dict.fromkeys(name for row in history for name in row))
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return buffer.getvalue()


class LiveHistory(Callback):
    """Writes the history of a running stage after every epoch, whole each time.

    Args:
        module: The stage.
        file: The CSV file.
    """

    def __init__(self, module: StageModule, file: Path) -> None:
        self._module = module
        self._file = file

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the rows so far."""
        if trainer.is_global_zero:
            write_atomically(self._file, history_csv(self._module.history))
