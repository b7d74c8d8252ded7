"""The smallest embedding: python embed.py BUNDLE PHOTO…"""

import sys

from edgekd.errors import EdgekdError
from edgekd.runtime import Classifier


def main(bundle: str, *photos: str) -> None:
    """Print the decision for each photo."""
    with Classifier.open(bundle) as classifier:
        for prediction in classifier.predict_many(photos):
            reasons = "; ".join(reason.text for reason in prediction.reasons)
            if prediction.decision == "answer":
                share = prediction.probability
                print(prediction.label if share is None else f"{prediction.label}, {share:.0%}")
            elif prediction.decision == "refer":
                print(f"refer the patient: {reasons}")
            else:
                print(f"take the photo again: {reasons}")


if len(sys.argv) < 3:
    sys.exit(__doc__)
try:
    main(*sys.argv[1:])
except EdgekdError as error:
    sys.exit(f"{error.message}; {error.hint}")
