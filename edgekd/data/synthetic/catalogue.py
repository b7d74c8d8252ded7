"""The classes and the dermoscopic traits that each of them shows.

Which structure speaks for which diagnosis follows the pattern analysis that clinics teach: the
ABCD rule (asymmetry, border, colours, differential structures; Nachbar et al. 1994), the
seven-point checklist (atypical network, veil, atypical vessels, streaks, dots and globules,
blotches, regression; Argenziano et al. 1998), Menzies' criteria for basal cell carcinoma
(arborising vessels, ovoid nests, ulceration; 2000), and the strawberry pattern of facial actinic
keratosis (Zalaudek et al. 2006). The numbers are not from
these sources; they set how hard the images are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from edgekd.errors import InputError

__all__ = ["AMBIGUOUS_FRACTION", "CLASSES", "FEATURE_STRENGTH", "Traits", "class_index"]

CLASSES: tuple[str, ...] = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
"""The seven diagnoses of HAM10000, under its names and in alphabetical order."""

FEATURE_STRENGTH = 1.0
"""Scales every diagnostic structure; a lower value makes all classes more alike."""

AMBIGUOUS_FRACTION = 0.3
"""Share of lesions that borrow traits from a class that they are confused with in practice."""

WEAK_FRACTION = 0.15
"""Share of lesions whose structures are all faint, whatever their class."""


class Span(NamedTuple):
    """The probability that a lesion has a trait, and the range that its strength is drawn from."""

    chance: float
    low: float
    high: float


@dataclass(frozen=True)
class Traits:
    """What one lesion shows, each from 0 (absent) to about 1 (textbook).

    `melanin` and `blood` are optical densities of the base colour and may reach 2; `softness` is
    the width of the border as a share of the lesion's radius.
    """

    melanin: float = 0.0
    blood: float = 0.0
    softness: float = 0.1
    asymmetry: float = 0.0
    irregularity: float = 0.0
    variegation: float = 0.0
    network: float = 0.0
    atypia: float = 0.0
    globules: float = 0.0
    streaks: float = 0.0
    blotch: float = 0.0
    veil: float = 0.0
    regression: float = 0.0
    cysts: float = 0.0
    openings: float = 0.0
    gyri: float = 0.0
    vessels: float = 0.0
    nests: float = 0.0
    ulcer: float = 0.0
    dotted_vessels: float = 0.0
    strawberry: float = 0.0
    scale: float = 0.0
    scar: float = 0.0
    lacunae: float = 0.0


# Overlapping on purpose: the base colour must not give the class away.
_ANY = {
    "melanin": Span(1, 0.25, 1.25),
    "blood": Span(1, 0.0, 0.35),
    "softness": Span(1, 0.05, 0.25),
    "asymmetry": Span(1, 0.05, 0.4),
    "irregularity": Span(1, 0.05, 0.5),
    "variegation": Span(1, 0.1, 0.5),
    "atypia": Span(1, 0.2, 0.6),
}

_SPANS: dict[str, dict[str, Span]] = {
    "akiec": {
        "melanin": Span(1, 0.0, 0.45),
        "blood": Span(1, 0.2, 0.75),
        "softness": Span(1, 0.15, 0.4),
        "strawberry": Span(0.75, 0.5, 1.0),
        "scale": Span(0.75, 0.4, 1.0),
        "dotted_vessels": Span(0.5, 0.4, 1.0),
    },
    "bcc": {
        "melanin": Span(1, 0.0, 0.5),
        "blood": Span(1, 0.05, 0.45),
        "vessels": Span(0.85, 0.5, 1.0),
        "nests": Span(0.65, 0.4, 1.0),
        "ulcer": Span(0.4, 0.4, 1.0),
        "veil": Span(0.2, 0.1, 0.4),
    },
    "bkl": {
        "softness": Span(1, 0.03, 0.12),
        "irregularity": Span(1, 0.1, 0.6),
        "cysts": Span(0.75, 0.5, 1.0),
        "openings": Span(0.55, 0.4, 1.0),
        "gyri": Span(0.6, 0.5, 1.0),
        "network": Span(0.2, 0.2, 0.5),
        "regression": Span(0.15, 0.2, 0.5),
    },
    "df": {
        "melanin": Span(1, 0.2, 0.75),
        "softness": Span(1, 0.15, 0.4),
        "asymmetry": Span(1, 0.0, 0.2),
        "irregularity": Span(1, 0.0, 0.3),
        "scar": Span(0.95, 0.55, 1.0),
        "network": Span(0.8, 0.25, 0.6),
        "atypia": Span(1, 0.0, 0.3),
    },
    "mel": {
        "melanin": Span(1, 0.45, 1.4),
        "asymmetry": Span(1, 0.35, 1.0),
        "irregularity": Span(1, 0.3, 1.0),
        "variegation": Span(1, 0.35, 1.0),
        "network": Span(0.65, 0.4, 1.0),
        "atypia": Span(1, 0.6, 1.0),
        "globules": Span(0.5, 0.4, 1.0),
        "streaks": Span(0.45, 0.4, 1.0),
        "blotch": Span(0.55, 0.4, 1.0),
        "veil": Span(0.7, 0.4, 1.0),
        "regression": Span(0.35, 0.4, 1.0),
    },
    "nv": {
        "asymmetry": Span(1, 0.0, 0.35),
        "irregularity": Span(1, 0.0, 0.4),
        "variegation": Span(1, 0.05, 0.4),
        "network": Span(0.7, 0.4, 1.0),
        "atypia": Span(1, 0.0, 0.25),
        "globules": Span(0.45, 0.4, 1.0),
        "blotch": Span(0.15, 0.1, 0.5),
    },
    "vasc": {
        "melanin": Span(1, 0.05, 0.6),
        "blood": Span(1, 0.35, 0.9),
        "lacunae": Span(1, 0.45, 1.0),
        "veil": Span(0.3, 0.1, 0.5),
        "vessels": Span(0.1, 0.2, 0.4),
    },
}

_MISTAKEN_FOR: dict[str, tuple[str, ...]] = {
    "akiec": ("bkl", "bcc", "df"),
    "bcc": ("akiec", "mel", "vasc"),
    "bkl": ("mel", "nv", "akiec"),
    "df": ("nv", "akiec", "bkl"),
    "mel": ("nv", "bkl", "nv"),
    "nv": ("mel", "bkl", "mel"),
    "vasc": ("bcc", "mel", "df"),
}

# Base colour and border stay as drawn when the structures are faint.
_NOT_SCALED = frozenset({"melanin", "blood", "softness"})


def class_index(label: str) -> int:
    """Position of `label` in `CLASSES`.

    Raises:
        InputError: The label is none of the seven.
    """
    if label not in CLASSES:
        raise InputError(f"unknown class {label!r}", f"use one of {', '.join(CLASSES)}")
    return CLASSES.index(label)


def draw_traits(label: str, rng: np.random.Generator) -> Traits:
    """Draw what one lesion of the class `label` shows."""
    traits = _draw_pure(label, rng)
    rival = _draw_pure(str(rng.choice(_MISTAKEN_FOR[label])), rng)
    borrowed = rng.uniform(0.25, 0.48) if rng.random() < AMBIGUOUS_FRACTION else 0.0
    faint = rng.random() < WEAK_FRACTION
    strength = FEATURE_STRENGTH * rng.uniform(*((0.25, 0.55) if faint else (0.75, 1.0)))
    mixed = {name: value + borrowed * (rival[name] - value) for name, value in traits.items()}
    scaled = {n: v if n in _NOT_SCALED else strength * v for n, v in mixed.items()}
    return Traits(**scaled)


def _draw_pure(label: str, rng: np.random.Generator) -> dict[str, float]:
    spans = _ANY | _SPANS[label]
    names = [field.name for field in fields(Traits)]
    # Two draws for every trait, used or not, so that changing one chance changes no other trait.
    chances, places = rng.random((2, len(names)))
    drawn = dict.fromkeys(names, 0.0)
    for name, chance, place in zip(names, chances, places, strict=True):
        span = spans.get(name)
        if span is not None and chance < span.chance:
            drawn[name] = float(span.low + place * (span.high - span.low))
    return drawn
