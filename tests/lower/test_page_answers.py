"""`edgekd.lower.page_answers`: Chromium answers for the gate of a target that is a page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from built_page import built_page
from tiny_bundles import write_tiny_bundle

from edgekd.lower import page_answers
from edgekd.lower.attempt import Attempt, Checked, Failed, Lowered, Measured
from edgekd.lower.context import BuildContext
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.page_answers import answered_for
from edgekd.lower.precision import Variant
from edgekd.lower.store import Kept, Store, array_sha256
from edgekd.page import folder as page_module
from edgekd.page import runner as runner_module
from edgekd.page.chromium import ChromiumError
from edgekd.targets import Target, load_target

KEY = "key"
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3)).astype(np.uint8)
HOST = Answers(np.zeros((40, 3), np.float32), np.ones(40), {"engine": "onnxruntime of the host"})


class Notes:
    """An observer that keeps the lines and states."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def state(self, backend: str, label: str, state: str) -> None:
        self.states.append(state)


@pytest.fixture
def target() -> Target:
    """The page as a target of ONNX files, of which a small one is quickly made."""
    return msgspec.structs.replace(load_target("cpu-onnx"), page=True)


@pytest.fixture
def context(tmp_path: Path) -> BuildContext:
    source = SimpleNamespace(images=IMAGES, images_sha256=array_sha256(IMAGES))
    store = Store(tmp_path / "store")
    (tmp_path / "store" / KEY).mkdir(parents=True)
    return cast(BuildContext, SimpleNamespace(source=source, store=store, observer=Notes()))


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    """A real ONNX file, with outputs that stand for those of the host."""
    backend = SimpleNamespace(name="onnx", model_file="model.onnx", completion="complete")
    attempt = Attempt(cast(Any, backend), Variant(precision="fp32"), KEY)
    made = Kept(write_tiny_bundle(tmp_path / "bundle"), {})
    return Measured(Checked(Lowered(attempt, made), None), HOST)


def notes_of(context: BuildContext) -> Notes:
    return cast(Notes, context.observer)


def test_the_page_answers_and_its_answers_are_kept(
    context: BuildContext, target: Target, measured: Measured
) -> None:
    built_page()
    (one,) = answered_for(context, target, ("fp32",), [measured])
    assert isinstance(one, Measured)
    assert str(one.answers.facts["engine"]).startswith("onnxruntime-web")
    expected = IMAGES.mean(axis=(1, 2)) @ (np.array([[4.0, -3.0, 0.5], [-2.0, 5.0, 1.0],
                                                     [1.0, -1.0, 3.0]]) / 64)  # fmt: skip
    np.testing.assert_allclose(one.answers.outputs, expected, atol=1e-3)
    assert one.latency_ms is not None
    assert notes_of(context).states[-1] == "ran in Chromium"
    notes_of(context).states.clear()
    (again,) = answered_for(context, target, ("fp32",), [measured])
    assert isinstance(again, Measured)
    np.testing.assert_array_equal(again.answers.outputs, one.answers.outputs)
    assert notes_of(context).states == []


def test_without_the_page_the_hosts_engine_answers(
    context: BuildContext,
    target: Target,
    measured: Measured,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_module, "_BUILT", tmp_path / "none")
    assert answered_for(context, target, ("fp32",), [measured]) == [measured]
    (line,) = notes_of(context).lines
    assert line.startswith("cpu-onnx: onnx of this host answers: ")
    assert "make browser" in line or "apt install chromium" in line


def test_a_browser_that_does_not_start_leaves_the_answer_to_the_host(
    context: BuildContext, target: Target, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise ChromiumError("Chromium has ended")

    monkeypatch.setattr(page_answers, "page_identity", fail)
    assert answered_for(context, target, ("fp32",), [measured]) == [measured]
    assert notes_of(context).lines == ["cpu-onnx: onnx of this host answers: Chromium has ended"]


def test_a_file_that_crashes_the_browser_fails(
    context: BuildContext, target: Target, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_page()

    def crash(self: runner_module.PageRunner, *_: object, **__: object) -> None:
        self._browser.ask_browser("Browser.crash")

    monkeypatch.setattr(runner_module.PageRunner, "outputs", crash)
    (one,) = answered_for(context, target, ("fp32",), [measured])
    assert isinstance(one, Failed)
    assert (one.stage, one.failure) == ("running", "in Chromium: Chromium has ended")


def test_other_targets_and_rungs_off_the_ladder_are_left_alone(
    context: BuildContext, target: Target, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise AssertionError("no browser is needed")

    monkeypatch.setattr(page_answers, "page_identity", refuse)
    other = msgspec.structs.replace(target, page=False)
    assert answered_for(context, other, ("fp32",), [measured]) == [measured]
    assert answered_for(context, target, ("int8",), [measured]) == []
