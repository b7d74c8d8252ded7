"""What the doctor says of a third party's backend: what it did, not what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest
import third_party

from edgekd.doctor import Finding
from edgekd.doctor.third_party import examine_third_party
from edgekd.targets import Target, load_target


@pytest.fixture
def like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    third_party.install(tmp_path / "third-party", monkeypatch)
    return load_target("cpu-onnx")


def examined(backend: str, like: Target) -> tuple[Finding, Finding]:
    lower, run = examine_third_party(third_party.target_of(backend, like, "fp32"))
    assert (lower.ability, run.ability) == (f"lower for {backend}", f"run {backend} bundles")
    assert (lower.needed, run.needed) == (False, True)
    return lower, run


@pytest.mark.slow
def test_sound_backend_lowers_and_runs_a_tiny_network(like: Target) -> None:
    """As `tests/extensions/test_third_party.py` has it always."""
    lower, run = examined("sound", like)
    assert lower.works
    assert lower.detail.startswith("a tiny network to fp32; torch ")
    assert (run.works, run.detail) == (True, "a tiny network was run")


def test_backend_that_does_not_import_is_reported_with_the_reason(like: Target) -> None:
    for found in examined("unimportable", like):
        assert not found.works
        assert "of third-party-backends 1.0 does not import: No module named" in found.detail
        assert "third_party_of_none" in found.detail
        assert "install another version of third-party-backends" in found.detail


def test_backend_that_cannot_lower_is_reported(like: Target) -> None:
    lower, run = examined("unfit", like)
    assert "the lowering of the backend unfit of third-party-backends 1.0 is" in lower.detail
    assert (lower.works, run.works) == (False, True)


@pytest.mark.parametrize(
    ("backend", "failure"),
    [
        ("nameless", "there is no backend 'nameless'"),
        ("undescribed", "the backend undescribed of third-party-backends 1.0 is a ABCMeta"),
    ],
)
def test_backend_without_a_descriptor(backend: str, failure: str, like: Target) -> None:
    for finding in examined(backend, like):
        assert not finding.works
        assert failure in finding.detail


def test_crash_is_a_finding(like: Target) -> None:
    lower, _ = examined("crashing", like)
    assert not lower.works
    assert "ended by SIGSEGV" in lower.detail
