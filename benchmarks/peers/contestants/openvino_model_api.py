"""OpenVINO Model API: its classification wrapper, as its README shows, tuned for one image."""

from __future__ import annotations

from _child import TYPE_CHECKING, main

if TYPE_CHECKING:
    from _child import Decide, Settings


def opener(settings: Settings) -> Decide:
    import cv2
    import numpy as np
    from model_api.models import ClassificationModel  # type: ignore[import-not-found]

    model = ClassificationModel.create_model(
        settings.model,
        model_type="Classification",
        configuration={
            "labels": settings.classes,
            "resize_type": "crop",  # a centre square, as in edgekd's rule
        },
        device="CPU",
        nthreads=1,
        max_num_requests=1,
    )

    def decide(source: str | bytes, shorter: int) -> str:
        # RGB from the decoder: `reverse_input_channels` changes nothing for an input in uint8 NHWC.
        if isinstance(source, bytes):
            image = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_COLOR_RGB)
        else:
            image = cv2.imread(source, cv2.IMREAD_COLOR_RGB)
        return str(model(image).top_labels[0].name)

    return decide


if __name__ == "__main__":
    main(opener)
