"""The section `split`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from edgekd.recipe.section import Fraction, Section, Seed

__all__ = ["SplitSection"]


class SplitSection(Section, frozen=True, kw_only=True):
    """How the images are split: by lesion or patient (group), stratified by class.

    Attributes:
        validation: Share for model selection, gates and calibration of confidence.
        test: Share for evaluation alone.
        train_share: Share of the training part's groups of each class that is trained on, at least
            one; what a smaller share trains on, a larger one does, too. The rest is left out, and
            validation and test stay as they are: for learning curves.
        seed: Seed of the split alone, so that runs with other seeds share the split.
        even_train_only: Draw the images for training alone (`train_only` of a table, the
            `training_root` of ham10000) in the same share of every class, so that how they look
            (fewer pixels, another camera) is no sign of a class.
        folds: Number of cross-validation folds; `test` is then not read, and `validation` is a
            share of the images outside the test fold. `edgekd compare --folds` runs all folds.
        fold: The fold that is the test part, counted from 0.
    """

    validation: Fraction = 0.15
    test: Fraction = 0.2
    train_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    seed: Seed = 0
    even_train_only: bool = False
    folds: Annotated[int, Meta(ge=0, le=1000)] = 0
    fold: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Refuse a single fold, and a `fold` outside of `folds`."""
        if self.folds == 1 or self.fold >= max(self.folds, 1):
            raise ValueError(f"there is no fold {self.fold} of {self.folds}: 2 folds are the least")
