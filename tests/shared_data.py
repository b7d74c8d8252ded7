"""Real images that are not part of the project; a test that needs them skips without them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["shared_data"]

_SOURCES = {
    "ham10000": "HAM10000 (Tschandl et al. 2018), its table and images/",
    "idrid_512": "IDRiD's training part (Porwal et al. 2018), labels.csv and images/",
}


def shared_data(name: str) -> Path:
    """The folder of a data set: below EDGEKD_TEST_DATA, or shared/data beside the checkout."""
    above = Path(__file__).resolve().parents[2:]
    places = [Path(os.environ.get("EDGEKD_TEST_DATA", "none")), *(p / "shared/data" for p in above)]
    for place in places:
        if (place / name / "images").is_dir():
            return place / name
    pytest.skip(f"{_SOURCES[name]} are not here: put them into EDGEKD_TEST_DATA/{name}")
