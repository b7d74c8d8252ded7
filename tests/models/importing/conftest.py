from __future__ import annotations

from pathlib import Path

import pytest
from colours import paint


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `labels.csv` and `images`."""
    folder = tmp_path_factory.mktemp("painted")
    paint(folder, each=12)
    return folder
