"""The runtime that apps embed: numpy, OpenCV and one engine, nothing heavier.

Example:
    from edgekd.runtime import Classifier

    with Classifier.open("bundles/rpi") as classifier:
        prediction = classifier.predict("photo.jpg")
"""

from edgekd.runtime.asynchronous import AsyncClassifier
from edgekd.runtime.capture import CaptureQuality, Measures
from edgekd.runtime.classifier import Classifier
from edgekd.runtime.prediction import Prediction
from edgekd.runtime.reason import Reason
from edgekd.runtime.selftest import SelfTestReport

__all__ = [
    "AsyncClassifier",
    "CaptureQuality",
    "Classifier",
    "Measures",
    "Prediction",
    "Reason",
    "SelfTestReport",
]
