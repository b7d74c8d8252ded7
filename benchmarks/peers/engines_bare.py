"""A bare loop over an engine's own Python call, as its documentation writes it; imports no edgekd.

    python engines_bare.py BACKEND MODEL FOLDER THREADS WARMUP_SECONDS SECONDS

FOLDER has NumPy files, uint8 [1, S, S, 3], cycled through. The clock is around the call that takes
an array and gives one; where the engine reports it, `inner_p50` is its own part of that,
without copies and Python. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

Infer = Callable[[Any], float | None]
"""Runs an image; returns milliseconds of the engine's own part, where the engine reports them."""


def openvino(model: str, threads: int) -> tuple[Infer, dict[str, str]]:
    """One request, which copies inputs and outputs as it does by default."""
    import openvino as ov

    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = ov.Core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    obtained = {key: _named(compiled.get_property(key)) for key in settings}

    def infer(image: Any) -> float:
        request.infer([image])[0]
        return float(request.latency)

    return infer, obtained


def onnx(model: str, threads: int) -> tuple[Infer, dict[str, str]]:
    """`InferenceSession.run`."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    obtained = {
        "threads": str(session.get_session_options().intra_op_num_threads),
        "providers": ",".join(session.get_providers()),
    }

    def infer(image: Any) -> None:
        session.run(None, {name: image})[0]

    return infer, obtained


def tflite(model: str, threads: int) -> tuple[Infer, dict[str, str]]:
    """`Interpreter`: set_tensor, invoke, get_tensor."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]["index"]
    given = interpreter.get_output_details()[0]["index"]

    def infer(image: Any) -> float:
        interpreter.set_tensor(taken, image)
        start = time.perf_counter()
        interpreter.invoke()
        inner = time.perf_counter() - start
        interpreter.get_tensor(given)
        return inner * 1e3

    return infer, {"threads": str(threads)}


def _named(value: Any) -> str:
    """A setting as text; a type by its short name."""
    return str(value.get_type_name() if hasattr(value, "get_type_name") else value)


def loop(infer: Infer, images: list[Any], seconds: float) -> list[tuple[float, float | None]]:
    """Milliseconds of each run and of the engine's part, until the time is over."""
    times: list[tuple[float, float | None]] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        image = images[len(times) % len(images)]
        start = time.perf_counter()
        inner = infer(image)
        times.append(((time.perf_counter() - start) * 1e3, inner))
    return times


def main() -> None:
    backend, model, folder, threads, warmup, seconds = sys.argv[1:]
    opener = {"openvino": openvino, "onnx": onnx, "tflite": tflite}[backend]
    infer, obtained = opener(model, int(threads))
    images = [np.load(path) for path in sorted(Path(folder).glob("*.npy"))]
    loop(infer, images, float(warmup))
    times = loop(infer, images, float(seconds))
    inner = [one for _, one in times if one is not None]
    answer = {
        "p50": median(one for one, _ in times),
        "inner_p50": median(inner) if inner else None,
        "runs": len(times),
        "obtained": obtained,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
