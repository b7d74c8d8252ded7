"""Random changes of the training images, on the device of the batch.

A policy draws a `Draw`: the parameters of each image's change. `Augmentation.apply` carries it out,
the same way for every policy. What becomes of an image depends on its row of the draw alone.
"""

from __future__ import annotations

from edgekd.data.augment.augmentation import Augmentation, augment
from edgekd.data.augment.draw import Draw

__all__ = ["Augmentation", "Draw", "augment"]
