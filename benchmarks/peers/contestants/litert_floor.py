"""The floor (lower bound): OpenCV and a bare LiteRT invoke, without any check of the photo."""

from __future__ import annotations

from _child import TYPE_CHECKING, main

if TYPE_CHECKING:
    from _child import Decide, Settings


def opener(settings: Settings) -> Decide:
    import cv2
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=settings.model, num_threads=1)
    interpreter.allocate_tensors()
    takes = interpreter.get_input_details()[0]["index"]
    gives = interpreter.get_output_details()[0]["index"]
    size = settings.size
    reduced = (
        (8, cv2.IMREAD_REDUCED_COLOR_8),
        (4, cv2.IMREAD_REDUCED_COLOR_4),
        (2, cv2.IMREAD_REDUCED_COLOR_2),
    )

    def decide(source: str | bytes, shorter: int) -> str:
        # Given the size, it knows the flag that edgekd has to find in the photo's header.
        flags = (flag for factor, flag in reduced if shorter // factor >= 2 * size)
        flag = next(flags, cv2.IMREAD_COLOR)
        if isinstance(source, bytes):
            bgr = cv2.imdecode(np.frombuffer(source, np.uint8), flag)
        else:
            bgr = cv2.imread(source, flag)
        assert bgr is not None
        height, width = bgr.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = bgr[top : top + side, left : left + side]
        small = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
        interpreter.set_tensor(takes, cv2.cvtColor(small, cv2.COLOR_BGR2RGB)[None])
        interpreter.invoke()
        return settings.classes[int(interpreter.get_tensor(gives)[0].argmax())]

    return decide


if __name__ == "__main__":
    main(opener)
