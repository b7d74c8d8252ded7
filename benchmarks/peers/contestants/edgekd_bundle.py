"""`edgekd.runtime`: open the bundle, predict."""

from __future__ import annotations

from _child import TYPE_CHECKING, main

if TYPE_CHECKING:
    from _child import Decide, Settings


def opener(settings: Settings) -> Decide:
    from edgekd.runtime import Classifier

    classifier = Classifier.open(settings.model, threads=1, **settings.options)  # type: ignore[arg-type]

    def decide(source: str | bytes, shorter: int) -> str:
        return classifier.predict(source).label

    return decide


if __name__ == "__main__":
    main(opener)
