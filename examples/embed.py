"""The smallest embedding: python embed.py BUNDLE PHOTO…"""

import sys

from edgekd.errors import EdgekdError
from edgekd.runtime import Classifier


def main(bundle: str, *photos: str) -> None:
    """Say for each photo what is to be done."""
    with Classifier.open(bundle) as classifier:
        for prediction in classifier.predict_many(photos):
            reasons = "; ".join(reason.text for reason in prediction.reasons)
            if prediction.decision == "answer":
                print(f"{prediction.label}, {prediction.probability:.0%}")
            elif prediction.decision == "refer":
                print(f"send the patient on: {reasons}")
            else:
                print(f"take the photo again: {reasons}")


if len(sys.argv) < 3:
    sys.exit(__doc__)
try:
    main(*sys.argv[1:])
except EdgekdError as error:
    sys.exit(f"{error.message}; {error.hint}")
