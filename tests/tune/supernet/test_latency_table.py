"""What a table of latencies says of networks that are not in it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest
from small_space import SMALL

from edgekd.errors import ArtefactError, InputError
from edgekd.models.mobile import MobileOptions, mobile_macs
from edgekd.tune.supernet.choices import ArchitectureChoices, drawn
from edgekd.tune.supernet.latency_table import (
    Latencies,
    LatencyRow,
    LatencyTable,
    read_table,
    write_table,
)


def milliseconds(options: MobileOptions) -> float:
    """Times of a device whose price of a block differs by stage."""
    blocks = [len(stage.kernels) for stage in options.stages]
    price = sum(number * count for number, count in enumerate(blocks, 1))
    return 2.0 + 0.3 * price + 1e-7 * mobile_macs(options, 3, 32)


def table(count: int = 40, choices: ArchitectureChoices = SMALL) -> LatencyTable:
    random = Random(5)
    networks = [choices.smallest, *(drawn(choices, random) for _ in range(count - 1))]
    rows = [LatencyRow(options=each, p50_ms=milliseconds(each)) for each in networks]
    return LatencyTable(
        device="local", target=None, precision="fp32", image_size=32, classes=3, rows=rows
    )


def test_times_of_other_networks_come_out_right() -> None:
    latencies, random = Latencies(table()), Random(99)
    for _ in range(50):
        options = drawn(SMALL, random)
        assert latencies.of(options) == pytest.approx(milliseconds(options), rel=0.02)
    assert latencies.error < 0.02


def test_noise_shows_in_the_error() -> None:
    random, exact = Random(1), table()
    rows = [
        msgspec.structs.replace(row, p50_ms=row.p50_ms * random.uniform(0.5, 2.0))
        for row in exact.rows
    ]
    assert Latencies(msgspec.structs.replace(exact, rows=rows)).error > 0.1


def test_a_file_has_the_table(tmp_path: Path) -> None:
    write_table(tmp_path / "table.json", table())
    assert read_table(tmp_path / "table.json") == table()


def test_damaged_and_short_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text("{}")
    with pytest.raises(ArtefactError, match="no table of latencies"):
        read_table(tmp_path / "table.json")
    with pytest.raises(InputError, match="3 networks"):
        Latencies(table(3))


def test_networks_of_other_stages_are_refused() -> None:
    with pytest.raises(InputError, match="with 3 stages"):
        Latencies(table()).of(ArchitectureChoices().smallest)
