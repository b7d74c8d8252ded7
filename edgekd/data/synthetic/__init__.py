"""Procedural dermoscopy: seven diagnoses painted from a seed, for demos and tests.

The images show what the criteria of pattern analysis name, so that a network must learn texture
and structure. They are no substitute for photos of patients: what is measured on them has no
clinical meaning.
"""

from __future__ import annotations

from edgekd.data.synthetic.catalogue import CLASSES
from edgekd.data.synthetic.dataset import (
    GENERATOR_VERSION,
    PREVALENCE,
    class_counts,
    write_dataset,
)
from edgekd.data.synthetic.painter import MINIMUM_SIZE, paint

__all__ = [
    "CLASSES",
    "GENERATOR_VERSION",
    "MINIMUM_SIZE",
    "PREVALENCE",
    "class_counts",
    "paint",
    "write_dataset",
]
