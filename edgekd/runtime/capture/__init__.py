"""Image quality: whether a photo is good enough for a decision, by measures without a network."""

from edgekd.runtime.capture.appearance import FEATURES, appearance_distance, appearance_features
from edgekd.runtime.capture.judge import CaptureQuality, examine_photo, problems
from edgekd.runtime.capture.measures import MEASURES, Measures, Views, measures_of, views

__all__ = [
    "FEATURES",
    "MEASURES",
    "CaptureQuality",
    "Measures",
    "Views",
    "appearance_distance",
    "appearance_features",
    "examine_photo",
    "measures_of",
    "problems",
    "views",
]
