"""Image quality: whether a photo is fit to be decided on, by measures that need no network."""

from edgekd.runtime.capture.appearance import FEATURES, describe, unlikeness
from edgekd.runtime.capture.judge import CaptureQuality, examine, problems
from edgekd.runtime.capture.measures import MEASURES, Measures, Views, measure, views

__all__ = [
    "FEATURES",
    "MEASURES",
    "CaptureQuality",
    "Measures",
    "Views",
    "describe",
    "examine",
    "measure",
    "problems",
    "unlikeness",
    "views",
]
