"""`edgekd.lower.page_answers`: Chromium answers for the gate of a target that is a page."""

from __future__ import annotations

from pathlib import Path

import lenient
import msgspec
import pytest
from built_page import built_page

from edgekd.bundle import Bundle, Manifest
from edgekd.lower import page_answers
from edgekd.lower.build import build
from edgekd.lower.plan import BuildRequest
from edgekd.page import folder as page_module
from edgekd.page import runner as runner_module
from edgekd.page.chromium import ChromiumError
from edgekd.targets import Target, load_target


class Notes:
    """An observer that keeps the lines and states."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def state(self, backend: str, label: str, state: str) -> None:
        self.states.append(state)

    def rung(self, bundle: str, rung: object) -> None:
        """Rungs are read from the manifest."""


@pytest.fixture
def target() -> Target:
    """The page as a target of ONNX files, whose lowering is the quickest."""
    return msgspec.structs.replace(load_target("cpu-onnx"), page=True, ladder=("fp32",))


def built(model: Path, out: Path, target: Target) -> tuple[Manifest | None, Notes]:
    notes = Notes()
    request = BuildRequest(
        model, [target], out, observer=notes, calibration_images=64, policy=lenient.POLICY
    )
    (result,) = build(request)
    if result.error is not None:
        notes.lines.append(str(result.error))
        return None, notes
    with Bundle.open(out / target.name) as bundle:
        return bundle.manifest, notes


def engine(manifest: Manifest | None) -> str:
    assert manifest is not None
    (rung,) = manifest.lowering.ladder
    assert rung.gate is not None
    return str(rung.gate.runtime["engine"])


def test_the_page_answers_once(small_run: Path, target: Target, tmp_path: Path) -> None:
    built_page()
    manifest, notes = built(small_run, tmp_path / "one", target)
    assert engine(manifest).startswith("onnxruntime-web")
    assert "ran in Chromium" in notes.states
    again, later = built(small_run, tmp_path / "two", target)
    assert engine(again).startswith("onnxruntime-web")
    assert "ran in Chromium" not in later.states  # its outputs were kept


def test_without_the_page_the_hosts_engine_answers(
    small_run: Path, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "_BUILT", tmp_path / "none")
    manifest, notes = built(small_run, tmp_path / "out", target)
    assert engine(manifest).startswith("onnxruntime ")
    (line,) = [line for line in notes.lines if "of this host answers" in line]
    assert line.startswith("cpu-onnx: onnx of this host answers: ")
    assert "make browser" in line or "apt install chromium" in line


def test_a_file_that_crashes_the_browser_fails(
    small_run: Path, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_page()

    def crash(self: runner_module.PageRunner, *_: object, **__: object) -> None:
        self._browser.ask_browser("Browser.crash")

    monkeypatch.setattr(runner_module.PageRunner, "outputs", crash)
    # Another identity, so that no outputs of another test are found.
    monkeypatch.setattr(page_answers, "page_identity", lambda: "crashes")
    manifest, notes = built(small_run, tmp_path / "out", target)
    assert manifest is None
    assert "in Chromium: Chromium has ended" in notes.lines[-1]


def test_other_targets_keep_their_engine(
    small_run: Path, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise ChromiumError("it must not be started")

    monkeypatch.setattr(page_answers, "page_identity", refuse)
    other = msgspec.structs.replace(target, page=False)
    manifest, notes = built(small_run, tmp_path / "out", other)
    assert engine(manifest).startswith("onnxruntime ")
    assert not any("of this host answers" in line for line in notes.lines)
    _, notes = built(small_run, tmp_path / "page", target)
    assert any("it must not be started" in line for line in notes.lines)
