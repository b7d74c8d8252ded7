from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")


def test_import_is_light() -> None:
    code = "import sys, edgekd.models; print('torch' in sys.modules, 'timm' in sys.modules)"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_public_name_is_there() -> None:
    import edgekd.models

    assert all(getattr(edgekd.models, name) is not None for name in edgekd.models.__all__)
    with pytest.raises(AttributeError, match="no attribute 'load_chekpoint'"):
        edgekd.models.load_chekpoint  # noqa: B018
