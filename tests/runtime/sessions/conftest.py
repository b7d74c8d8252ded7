"""Small real model files of three engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessions.small_models import FILES, SIZE, make_graph


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("litert_torch")
    pytest.importorskip("openvino")
    from edgekd.lower.backends import get_backend
    from edgekd.lower.precision import Variant

    folder, graph = tmp_path_factory.mktemp("lowered"), make_graph()
    for name in ("openvino", "tensorrt", "tflite"):
        get_backend(name).lower(graph, SIZE, Variant(precision="fp32"), None, folder)
    return {backend: folder / file for backend, file in FILES.items()}
