"""Split conformal prediction: sets of classes that hold the true one with a given frequency.

The score of a class is 1 minus its probability (Sadinle, Lei, Wasserman 2019, "Least Ambiguous
Set-Valued Classifiers with Bounded Error Levels"; Angelopoulos, Bates 2021, "A Gentle
Introduction to Conformal Prediction", section 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgekd.metrics.operating import checked_probabilities, count_for

__all__ = ["conformal_quantile"]


def conformal_quantile(probabilities: ArrayLike, targets: ArrayLike, coverage: float) -> float:
    """The highest score at which a class belongs to the set, for a coverage of 1 - α.

    It is the ⌈(n + 1)(1 - α)⌉-th smallest score of the true classes: the empirical quantile at
    ⌈(n + 1)(1 - α)⌉ / n. Where n is too small for that it is 1, and every class is in every set.

    The guarantee: of new images from the same distribution, a share of at least `coverage` has its
    true class in the set. It holds over all images together and on average over draws of the n
    images; for a rare class, or another camera, the share may be lower.

    Args:
        probabilities: [n, K], at the temperature that the device uses. A temperature fitted on
            the same images weakens the guarantee a little.
        targets: Class indices [n].
        coverage: 1 - α, in (0, 1].

    Raises:
        InputError: The coverage is out of range, values are not probabilities, or see
            `edgekd.metrics.classification.checked`.
    """
    shares, labels = checked_probabilities(probabilities, targets)
    rank = count_for(coverage, labels.size + 1)
    if rank > labels.size:
        return 1.0
    scores = 1.0 - shares[np.arange(labels.size), labels]
    return float(np.partition(scores, rank - 1)[rank - 1])
