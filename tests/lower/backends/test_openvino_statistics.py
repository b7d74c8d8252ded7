"""NNCF's statistics without images: the same file, and NNCF as it was afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.lowered_files import SIZE, variant
from edgekd.lower.backends import get_backend
from edgekd.lower.backends._openvino_statistics import by_statistics, recording_statistics


@pytest.fixture(scope="module")
def recorded(student: Any) -> Any:
    """The statistics that the int8 file of the small student is made by."""
    return get_backend("openvino").measure(
        student.graph, SIZE, variant("int8"), student.calibration
    )


def test_statistics_are_the_extremes_of_the_images(recorded: Any) -> None:
    assert recorded.images == 48
    assert len(recorded.tensors) > 3
    for name, (least, greatest) in recorded.tensors.items():
        assert np.all(least <= greatest), name
    assert any(np.any(greatest > 0) for _, greatest in recorded.tensors.values())


def test_nncf_measures_images_again_afterwards() -> None:
    from nncf.openvino.statistics.aggregator import OVStatisticsAggregator

    plain = OVStatisticsAggregator.collect_statistics
    with pytest.raises(KeyError), recording_statistics():
        raise KeyError
    with by_statistics({}):
        assert OVStatisticsAggregator.collect_statistics is not plain
    assert OVStatisticsAggregator.collect_statistics is plain


def test_a_file_by_statistics_looks_at_no_image(
    recorded: Any, student: Any, lowered: Any, tmp_path: Path
) -> None:
    backend = get_backend("openvino")
    backend.lower_by_ranges(student.graph, SIZE, variant("int8"), recorded, tmp_path)
    for file in sorted(lowered("openvino", "int8").iterdir()):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
