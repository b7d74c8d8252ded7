"""The loop that tutorials show: Pillow, numpy, an interpreter."""

from __future__ import annotations

from _child import TYPE_CHECKING, main

if TYPE_CHECKING:
    from _child import Decide, Settings


def opener(settings: Settings) -> Decide:
    import io

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from PIL import Image

    interpreter = Interpreter(model_path=settings.model, num_threads=1)
    interpreter.allocate_tensors()
    input_details = interpreter.get_input_details()
    output_details = interpreter.get_output_details()
    size = settings.size

    def decide(source: str | bytes, shorter: int) -> str:
        opened = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        image = opened.convert("RGB").resize((size, size))
        interpreter.set_tensor(input_details[0]["index"], np.expand_dims(image, axis=0))  # type: ignore[call-overload]
        interpreter.invoke()
        results = np.squeeze(interpreter.get_tensor(output_details[0]["index"]))
        return settings.classes[int(np.argmax(results))]

    return decide


if __name__ == "__main__":
    main(opener)
