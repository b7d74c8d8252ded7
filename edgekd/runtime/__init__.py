"""The runtime that apps embed: numpy, OpenCV and one engine, nothing heavier.

Example:
    from edgekd.runtime import Classifier

    with Classifier.open("bundles/rpi") as classifier:
        prediction = classifier.predict("photo.jpg")
"""

from edgekd.runtime.classifier import Classifier
from edgekd.runtime.prediction import Prediction

__all__ = ["Classifier", "Prediction"]
