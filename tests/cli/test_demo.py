"""`edgekd demo`: what it does where a target has no bundle; nothing is trained here."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.cli.demo import make_demo
from edgekd.distill.runs import pipeline
from edgekd.errors import EdgekdError, GateFailedError, MissingDependencyError
from edgekd.lower.build import BuiltBundle

REFUSED = GateFailedError("no file for rpi passed its gate", "train longer")
MISSING = MissingDependencyError("openvino", "openvino", "lower for cpu")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps before the build, noted instead of done."""
    steps: list[str] = []
    monkeypatch.setattr("edgekd.data.load_dataset", lambda *_: steps.append("paint"))
    monkeypatch.setattr(pipeline, "distill", lambda request: steps.append(str(request.out)))
    return steps


def build_with(monkeypatch: pytest.MonkeyPatch, *errors: EdgekdError | None) -> None:
    """Let the build end so, a target each."""
    bundles = [
        BuiltBundle(f"target {n}", f"target {n}", None if error else Path("b"), None, (), error)
        for n, error in enumerate(errors)
    ]
    monkeypatch.setattr("edgekd.lower.build.build_all", lambda request: bundles)


def test_every_target_has_a_bundle(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_with(monkeypatch, None, None)
    assert make_demo(tmp_path) is None
    assert done == ["paint", str(tmp_path)]


def test_the_others_go_on_where_one_target_has_none(
    done: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build_with(monkeypatch, None, MISSING, REFUSED, REFUSED)
    error = make_demo(tmp_path)
    assert isinstance(error, GateFailedError)
    reported = capsys.readouterr().err
    assert reported.count("error: ") == 2  # each once
    assert MISSING.message in reported


def test_no_bundle_at_all_is_the_error(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_with(monkeypatch, MISSING, REFUSED)
    with pytest.raises(GateFailedError, match="no file for rpi"):
        make_demo(tmp_path)
