"""Long loops over one classifier or many, in a fresh process that tells what it held:
PYTHONPATH=tests python -m abuse.loops JOB BACKEND FORM COUNT WARM OUT.

A fresh process, since what other tests left in the heap hides a leak or looks like one.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from abuse import procfs
from abuse.bundles import FILES, MODELS, parts, write_folder, zip_of
from abuse.photos import photo, photos
from edgekd.runtime import Classifier, Prediction

__all__ = ["pictures", "same"]

THREADS = 8


def pictures() -> list[Any]:
    """Photos that are answered, referred and sent back, in every form that an app has."""
    kinds = ("jpeg", "jpeg-rotated", "jpeg-progressive", "png", "png-16", "webp-lossy", "tiff-lzw")
    dark, noise = photo(7) // 12, np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    grey = np.full((64, 64, 3), 128, np.uint8)
    return [*(photos()[kind] for kind in kinds), photo(5), photo(6, 120, 90), dark, noise, grey]


def same(one: Prediction, other: Prediction) -> bool:
    """Whether two predictions are alike to the bit, apart from their timings."""
    return told(one) == told(other)


def told(prediction: Prediction) -> tuple[Any, ...]:
    """All of a prediction but its timings."""
    fields = prediction.to_dict()
    fields.pop("timings_ms")
    logits = np.array(prediction.logits, np.float64).tobytes()  # NaN is the same as itself
    return logits, repr(fields)


def run_threads(backend: str, form: str, count: int, warm: int) -> dict[str, Any]:
    """`THREADS` threads of `count` predictions each, against those of one thread alone."""
    images = pictures()
    with (
        tempfile.TemporaryDirectory() as home,
        Classifier.open(source_of(backend, form, Path(home)), threads=1) as classifier,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        expected = [told(classifier.predict(image)) for image in images]
        again = [told(classifier.predict(image)) for image in images]
        decisions = [classifier.predict(image).decision for image in images]
        counter, start = _Counter(), time.monotonic()
        jobs = [
            pool.submit(_thread, classifier, images, expected, count, number, counter)
            for number in range(THREADS)
        ]
        memory = _watch(jobs, counter, warm)
        differences = sum(job.result() for job in jobs)
    return {
        "differences": differences,
        "repeatable": expected == again,
        "decisions": decisions,
        "predictions": counter.value,
        "seconds": time.monotonic() - start,
        "memory": memory,
    }


class _Counter:
    """Counts what all threads did."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        with self._lock:
            self.value += 1


def _thread(
    classifier: Classifier,
    images: Sequence[Any],
    expected: Sequence[tuple[Any, ...]],
    count: int,
    seed: int,
    counter: _Counter,
) -> int:
    """How many of `count` predictions are not those that one thread got."""
    order, different = random.Random(seed), 0
    for _ in range(count):
        at = order.randrange(len(images))
        different += told(classifier.predict(images[at])) != expected[at]
        counter.add()
    return different


def _watch(jobs: Sequence[Any], counter: _Counter, warm: int) -> list[tuple[int, int]]:
    """Resident memory by the number of predictions, from `warm` on."""
    found: list[tuple[int, int]] = []
    while not all(job.done() for job in jobs):
        if counter.value >= warm:
            found.append((counter.value, procfs.resident()))
        time.sleep(0.02)
    found.append((counter.value, procfs.resident()))
    return found


def run_openings(backend: str, form: str, count: int, warm: int) -> dict[str, Any]:
    """Open, predict and close `count` times; the first `warm` are not counted."""
    image = photos()["jpeg"]

    def once(source: Path | bytes) -> None:
        with Classifier.open(source, threads=1) as classifier:
            classifier.predict(image)

    return _openings(once, backend, form, count, warm)


def run_leaky(backend: str, form: str, count: int, warm: int) -> dict[str, Any]:
    """The same by someone who forgets: what the tests look for is seen where it is there."""
    kept: list[Any] = []
    stop = threading.Event()

    def once(source: Path | bytes) -> None:
        kept.append(os.urandom(40_000))
        if len(kept) == warm + 2:
            kept.append(tempfile.NamedTemporaryFile(delete=False))  # noqa: SIM115
            threading.Thread(target=stop.wait, daemon=True).start()

    return _openings(once, backend, form, count, warm)


def run_bare(backend: str, form: str, count: int, warm: int) -> dict[str, Any]:
    """The same with the bare engine: what leaks here is the engine's own."""
    once = {"tflite": _bare_tflite, "onnx": _bare_onnx, "openvino": _bare_openvino}[backend]
    image = np.zeros((1, 64, 64, 3), np.uint8)
    return _openings(lambda source: once(source, image), backend, form, count, warm, bare=True)


def _openings(
    once: Callable[[Any], None],
    backend: str,
    form: str,
    count: int,
    warm: int,
    *,
    bare: bool = False,
) -> dict[str, Any]:
    memory: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as home:
        source = _bare_source(backend, form) if bare else source_of(backend, form, Path(home))
        start = time.monotonic()
        for number in range(warm + count + 1):
            if number == warm:
                files, threads, places = _held(home)
            if number >= warm:
                memory.append((number - warm, procfs.resident()))
            if number < warm + count:
                once(source)
        gc.collect()
        files_after, threads_after, places_after = _held(home)
        seconds = time.monotonic() - start
    return {
        "memory": memory,
        "files": sorted(files_after - files),
        "threads": threads_after - threads,
        "places": sorted(places_after - places),
        "seconds": seconds,
    }


def _held(home: str) -> tuple[set[str], int, set[str]]:
    """Open files, threads, and what lies in the folder for temporary files."""
    files = {f"{number} {target}" for number, target in procfs.descriptors().items()}
    temporary = Path(tempfile.gettempdir())
    return files, procfs.threads(), {str(path) for path in temporary.rglob("*")} - {home}


def source_of(backend: str, form: str, home: Path) -> Path | bytes:
    """The bundle as `folder`, `file` or `bytes`."""
    if form == "bytes":
        return zip_of(parts(backend))
    if form == "folder":
        return write_folder(home / "bundle", parts(backend))
    file = home / "bundle.edgekd"
    file.write_bytes(zip_of(parts(backend)))
    return file


def _bare_source(backend: str, form: str) -> Any:
    main = MODELS / FILES[backend][0]
    if form == "folder":
        return main
    return [(MODELS / name).read_bytes() for name in FILES[backend]]


def _bare_tflite(source: Any, image: Any) -> None:
    from ai_edge_litert.interpreter import Interpreter

    where = (
        {"model_path": str(source)} if isinstance(source, Path) else {"model_content": source[0]}
    )
    interpreter = Interpreter(**where, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _bare_onnx(source: Any, image: Any) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    where = str(source) if isinstance(source, Path) else source[0]
    session = onnxruntime.InferenceSession(where, options, providers=["CPUExecutionProvider"])
    session.run(None, {"image": image})


def _bare_openvino(source: Any, image: Any) -> None:
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    if isinstance(source, Path):
        model = core.read_model(source)
    else:
        model = core.read_model(source[0], source[1])
    core.compile_model(model, "CPU", settings).create_infer_request().infer([image])


if __name__ == "__main__":
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    cv2.setNumThreads(1)
    job, backend, form, count, warm, out = sys.argv[1:]
    works = {"threads": run_threads, "openings": run_openings, "leaky": run_leaky, "bare": run_bare}
    Path(out).write_text(json.dumps(works[job](backend, form, int(count), int(warm))))
