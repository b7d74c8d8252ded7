"""The result's file: reading back, refusing what is damaged, the JSON Schema."""

from __future__ import annotations

import json

import msgspec
import pytest
from bench_results import full_result, sample_result

from edgekd.bench.result import Missing, Result
from edgekd.bench.result.file import encode_result, read_result, result_schema, write_result
from edgekd.errors import ArtefactError, InputError
from edgekd.extensions.tasks import DEFAULT_TASK


def test_round_trip(tmp_path):
    result = sample_result()
    file = tmp_path / "new" / "result.json"
    write_result(file, result)
    assert read_result(file) == result
    assert [path.name for path in file.parent.iterdir()] == ["result.json"]


def test_samples_stay_on_one_line():
    encoded = encode_result(sample_result())
    assert json.loads(encoded) == json.loads(msgspec.json.encode(sample_result()))
    assert encoded.count(b"\n") < 1000  # of 2,400 samples


def test_an_unknown_minor_version_with_new_fields_is_read(tmp_path):
    raw = msgspec.to_builtins(sample_result()) | {"schema_version": "1.9", "new": 1}
    file = tmp_path / "result.json"
    file.write_text(json.dumps(raw))
    assert read_result(file).schema_version == "1.9"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"rows": []}',
        b'{"schema_version": "2.0"}',
        b'{"schema_version": "one"}',
        b'{"schema_version": "1.0"}',
        b'{"schema_version": "1.0", "rows": 3}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema_version": "1.4", "rows": ' + b"[" * 100_000,
        b'{"schema_version": "1.4", "new": ' + 2000 * b"[" + 2000 * b"]" + b"}",
    ],
)
def test_damaged_or_foreign_files_are_refused(tmp_path, content):
    file = tmp_path / "result.json"
    file.write_bytes(content)
    with pytest.raises(ArtefactError) as caught:
        read_result(file)
    assert str(file) in caught.value.message
    assert caught.value.hint


def test_a_cut_file_is_refused(tmp_path):
    file = tmp_path / "result.json"
    file.write_bytes(encode_result(sample_result())[:-40])
    with pytest.raises(ArtefactError):
        read_result(file)


def test_places_that_do_not_work_are_bad_input(tmp_path):
    with pytest.raises(InputError):
        read_result(tmp_path / "nothing.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError):
        write_result(tmp_path / "folder", sample_result())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def test_json_schema_names_every_field():
    schema = result_schema()
    assert set(schema["$defs"]["ResultRow"]["properties"]) >= {"latency_ms", "memory", "vs_teacher"}
    assert set(schema["$defs"]["Result"]["properties"]) == set(Result.__struct_fields__)


def older(result: Result) -> dict:
    """The document as schema 1.4 wrote it: flags and missing numbers as text."""
    raw = msgspec.to_builtins(result) | {"schema_version": "1.4"}
    for key in ("task", "policy"):
        del raw[key]
    raw["missing"] = [str(each) for each in result.missing]
    for row, typed in zip(raw["rows"], result.rows, strict=True):
        row["flags"] = [str(flag) for flag in typed.flags]
        for key in ("policy", "research", "below_floors"):
            del row[key]
        if row["vs_teacher"]:
            del row["vs_teacher"]["margin"], row["vs_teacher"]["deltas"]
    return raw


def test_flags_and_missing_numbers_of_older_versions_are_read(tmp_path):
    result = full_result()
    file = tmp_path / "result.json"
    file.write_text(json.dumps(older(result)))
    read = read_result(file)
    assert [row.flags for row in read.rows] == [row.flags for row in result.rows]
    assert any(row.flags for row in read.rows)
    assert read.missing == result.missing != []
    assert (read.task, read.policy) == (DEFAULT_TASK, None)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (
            "cpu int8: energy-not-measured: no sensor: none",
            Missing(row="cpu int8", code="energy-not-measured", detail="no sensor: none"),
        ),
        (
            "rpi does not answer: threads: 5",
            Missing(row=None, code="not-measured", detail="rpi does not answer: threads: 5"),
        ),
        ("<", Missing(row=None, code="not-measured", detail="<")),
    ],
)
def test_older_sentences_about_missing_numbers(tmp_path, text, missing):
    raw = older(full_result()) | {"missing": [text]}
    file = tmp_path / "result.json"
    file.write_text(json.dumps(raw))
    assert read_result(file).missing == [missing]


@pytest.mark.parametrize("flags", [3, [3], [None], "drift", [{"code": 3}]])
def test_flags_of_another_kind_are_refused(tmp_path, flags):
    raw = older(full_result())
    raw["rows"][0]["flags"] = flags
    file = tmp_path / "result.json"
    file.write_text(json.dumps(raw))
    with pytest.raises(ArtefactError):
        read_result(file)
