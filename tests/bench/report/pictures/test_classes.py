"""A picture for each class."""

from __future__ import annotations

import pytest
from bench_results import (
    CLASSES,
    full_result,
)

from edgekd.bench.report.page import render_page


@pytest.fixture(scope="module")
def html() -> str:
    return render_page(full_result())


def test_every_class_has_a_picture_and_numbers(html):
    assert all(f"Sensitivity for {name}, %" in html for name in CLASSES)
    assert all(f"{name}, specificity" in html for name in CLASSES)
