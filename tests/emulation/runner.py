"""Predicts photos in a fresh process and prints what came out: python runner.py BUNDLE PHOTO…

Needs edgekd's runtime and nothing else. Standard output is one JSON object: `machine`, `packages`
(versions), `heavy` (packages there that a device must not need), and either `error` (type and
message, if the bundle was refused) or `facts`, `selftest` and `photos`.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekd.errors import EdgekdError
from edgekd.runtime import Classifier

PACKAGES = ("numpy", "opencv-python-headless", "ai-edge-litert", "tflite-runtime", "edgekd")
HEAVY = ("torch", "timm", "lightning", "typer", "rich", "yaml", "onnx", "onnxruntime", "openvino")


def main(bundle: str, photos: list[str]) -> dict[str, Any]:
    """What this machine answers."""
    answer: dict[str, Any] = {
        "machine": platform.machine(),
        "qemu_cpu": os.environ.get("QEMU_CPU"),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "heavy": [name for name in HEAVY if find_spec(name)],
    }
    try:
        with Classifier.open(bundle, threads=1) as classifier:
            return answer | _answers(classifier, photos)
    except EdgekdError as error:
        return answer | {"error": {"type": type(error).__name__, "message": error.message}}


def _answers(classifier: Classifier, photos: list[str]) -> dict[str, Any]:
    return {
        "facts": dict(classifier.facts),
        "selftest": asdict(classifier.selftest()),
        "photos": {Path(photo).name: _predicted(classifier, photo) for photo in photos},
    }


def _predicted(classifier: Classifier, photo: str) -> dict[str, Any]:
    prediction = classifier.predict(photo).to_dict()
    del prediction["timings_ms"]
    pixels = classifier.preprocess(photo)
    return prediction | {"pixels": base64.b64encode(pixels.tobytes()).decode()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2:])))
