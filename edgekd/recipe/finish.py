"""The section `finish`: the last stage of a student's training."""

from __future__ import annotations

from typing import Literal

from edgekd.recipe.section import Positive, Rate, Section

__all__ = ["FinishSection"]


class FinishSection(Section, frozen=True, kw_only=True):
    """Training goes on by the method's last objective, on the grid of an int8 file.

    Attributes:
        quantisation: `int8`: weights and inputs of the layers are rounded as in the file that is
            built of the student.
        epochs: Passes over the training part.
        learning_rate: Largest rate of the student's schedule, lower than that of its training.
    """

    quantisation: Literal["int8"] = "int8"
    epochs: Positive = 3
    learning_rate: Rate = 1e-4
