"""MediaPipe Tasks: its image classifier, as its guide shows."""

from __future__ import annotations

from _child import TYPE_CHECKING, main

if TYPE_CHECKING:
    from _child import Decide, Settings


def opener(settings: Settings) -> Decide:
    import cv2
    import mediapipe as mp  # type: ignore[import-not-found]
    import numpy as np
    from mediapipe.tasks.python import BaseOptions  # type: ignore[import-not-found]
    from mediapipe.tasks.python.vision import (  # type: ignore[import-not-found]
        ImageClassifier,
        ImageClassifierOptions,
    )

    base = BaseOptions(model_asset_path=settings.model)
    classifier = ImageClassifier.create_from_options(
        ImageClassifierOptions(base_options=base, max_results=1)
    )

    def read(source: str | bytes) -> mp.Image:
        if isinstance(source, str):
            return mp.Image.create_from_file(source)
        rgb = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_COLOR_RGB)
        return mp.Image(mp.ImageFormat.SRGB, rgb)

    def decide(source: str | bytes, shorter: int) -> str:
        best = classifier.classify(read(source)).classifications[0].categories[0]
        return settings.classes[int(best.index)]  # the file carries no names

    return decide


if __name__ == "__main__":
    main(opener)
