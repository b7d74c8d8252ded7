"""The document is a result that everything which reads results reads too."""

from __future__ import annotations

from pathlib import Path

import msgspec
from scripted import mixed

from edgekd.bench.result.file import read_result
from edgekd.evaluation.document import GapFacts, ValidatedResult
from edgekd.files import pretty_json


def test_it_reads_as_a_result_and_as_itself(tmp_path: Path) -> None:
    result = mixed().result
    (tmp_path / "out.json").write_bytes(pretty_json(result))
    plain = read_result(tmp_path / "out.json")
    assert [row.name for row in plain.rows] == ["rpi int8", "jetson fp16", "student resnet"]
    again = msgspec.json.decode((tmp_path / "out.json").read_bytes(), type=ValidatedResult)
    assert again == result
    assert msgspec.json.schema(ValidatedResult)["$defs"]


def test_a_gap_is_certain_from_above_zero_on() -> None:
    gap = mixed().result.validation.models[0].gaps[0]
    assert isinstance(gap, GapFacts)
    assert gap.shown == (gap.difference.low > 0)
    unknown = msgspec.structs.replace(gap, difference=type(gap.difference)(value=0.3))
    assert not unknown.shown
