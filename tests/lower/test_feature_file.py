"""The student's features beside an int8 file: the network's, in fp32; and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgekd.bundle import SELFTEST, Bundle
from edgekd.bundle.features import read_features
from edgekd.errors import GateFailedError, InputError
from edgekd.lower import feature_file as module
from edgekd.lower.attempt import Attempt, Failed, Measured
from edgekd.lower.build import BuildRequest, build_all
from edgekd.lower.context import BuildContext
from edgekd.lower.feature_file import feature_file
from edgekd.lower.jobs.process import JobError
from edgekd.lower.precision import Variant
from edgekd.lower.source import Source, load_source
from edgekd.models.embeddings import embeddings_of
from edgekd.runtime.sessions import open_session
from edgekd.targets import load_target


def context_of(source: Source) -> BuildContext:
    """A build that lowers nothing."""
    nothing: Any = None
    return BuildContext(source, None, nothing, nothing, nothing, nothing)


@pytest.mark.parametrize("target", ["cpu-onnx", "rpi"])
def test_the_file_gives_what_the_classifier_of_the_network_reads(
    small_run: Path, teachable: Path, target: str
) -> None:
    source = load_source(small_run)
    with Bundle.open(teachable / f"{target}-int8") as bundle:
        record, files = bundle.manifest.features, read_features(bundle)
        assert bundle.manifest.lowering.precision == "int8"
    assert record is not None
    assert files is not None
    assert SELFTEST in record.files
    images = source.images[:20]
    expected = embeddings_of(source.checkpoint.normalised(), images)
    assert (record.precision, record.size) == ("fp32", expected.shape[1])
    session = open_session(record.backend, files, threads=1)
    found = np.concatenate([session.run(image[None]) for image in images])
    session.close()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert record.images == len(source.images)
    assert 0 < record.max_difference < 1e-3


def test_a_file_of_other_features_is_refused(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load_source(small_run)
    right = embeddings_of(source.checkpoint.normalised(), source.images)
    context = context_of(source)

    def lowered(by: float) -> None:
        answers = SimpleNamespace(outputs=right + np.float32(by))
        attempt = SimpleNamespace(variant=Variant(precision="fp32"), backend=None)
        measured = cast(Measured, SimpleNamespace(answers=answers, attempt=attempt))
        monkeypatch.setattr(module, "lower_variants", lambda *_: [measured])

    lowered(0.5)
    with pytest.raises(GateFailedError, match="does not give the student's features: one is off"):
        feature_file(context, "onnx")
    lowered(float("nan"))
    with pytest.raises(GateFailedError):
        feature_file(context, "onnx")


def test_a_network_that_cannot_be_lowered_keeps_its_error(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = InputError("no features", "take another")
    failed = Failed(cast(Attempt, None), "lowering", "none", cast(JobError, error))
    monkeypatch.setattr(module, "lower_variants", lambda *_: [failed])
    context = context_of(load_source(small_run))
    with pytest.raises(InputError, match="no features"):
        feature_file(context, "onnx")


def test_a_target_whose_engine_is_built_on_the_device_has_none(
    small_run: Path, tmp_path: Path
) -> None:
    (built,) = build_all(
        BuildRequest(small_run, [load_target("jetson")], tmp_path, features=True)
    )  # fmt: skip
    assert isinstance(built.error, InputError)
    assert "builds its engine on the device" in built.error.message
