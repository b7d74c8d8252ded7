"""The program that `--via` adds to a bundle: compared first, then described and listed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lenient
import msgspec
import numpy as np
import pytest
from manifests import make_manifest

from edgekd.bundle import Bundle, Lowering, ProgramRecord
from edgekd.errors import GateFailedError
from edgekd.files import sha256_of
from edgekd.lower.attempt import Measured
from edgekd.lower.backends import get_backend
from edgekd.lower.context import BuildContext
from edgekd.lower.evidence.card import write_card
from edgekd.lower.precision import Variant
from edgekd.lower.program import BundleProgram, bundle_program
from edgekd.lower.progress import LineReporter

RECORD = ProgramRecord(
    via="torch-tensorrt", file="model.pt2", images=90, max_difference=0.01, tolerance=0.02, pairs=4
)
COMMAND = "edgekd build --on-device BUNDLE"


def unfinished(command: str | None = COMMAND) -> Any:
    lowering = Lowering(
        target="jetson", backend="tensorrt", precision="int8", completion="finish-on-device",
        completion_command=command,
    )  # fmt: skip
    return make_manifest(lowering=lowering)


def test_the_manifest_says_how_the_board_builds() -> None:
    lowering = BundleProgram(RECORD).described(unfinished()).lowering
    assert lowering.program == RECORD
    assert lowering.completion_command == f"{COMMAND} --via torch-tensorrt"
    assert BundleProgram().described(unfinished()) == unfinished()


def test_the_card_says_that_it_agrees() -> None:
    manifest = msgspec.structs.replace(unfinished(), metrics={})
    text = write_card(BundleProgram(RECORD).described(manifest))
    assert (
        "- model.pt2 for torch-tensorrt agrees with the lowered file on 90 images (largest "
        "difference 0.01, allowed 0.02)" in text
    )
    assert f"`{COMMAND} --via torch-tensorrt`" in text
    assert "model.pt2" not in write_card(manifest)


# ---- comparing ----


@pytest.fixture
def lowered(tmp_path: Path) -> Any:
    """A file of mean colours with its right outputs, as a build has them."""
    pytest.importorskip("onnx")
    from backends.tensorrt.colour_networks import coloured_images, logits_of, mean_colour

    images, _ = coloured_images(20)
    (tmp_path / "model.onnx").write_bytes(mean_colour())
    lines: list[str] = []
    context = BuildContext(
        cast(Any, SimpleNamespace(images=images)), None, cast(Any, None), tmp_path / "work",
        tmp_path / "logs", LineReporter(lines.append),
    )  # fmt: skip
    context.work.mkdir()

    def measured(backend: str = "tensorrt", change: float = 0.0) -> Measured:
        outputs = logits_of(images)
        outputs[7, 0] += change
        attempt = SimpleNamespace(
            backend=get_backend(backend), variant=Variant(precision="fp32"), label="fp32"
        )
        file = SimpleNamespace(model_file=tmp_path / "model.onnx")
        facts = SimpleNamespace(
            attempt=attempt, answers=SimpleNamespace(outputs=outputs),
            checked=SimpleNamespace(lowered=file),
        )  # fmt: skip
        return cast(Measured, cast(Any, facts))

    return SimpleNamespace(context=context, measured=measured, lines=lines)


@pytest.mark.parametrize(("backend", "via"), [("tensorrt", None), ("tensorrt", "onnx-parser")])
def test_the_usual_way_needs_no_program(backend: str, via: str | None, lowered: Any) -> None:
    program = bundle_program(lowered.context, "jetson", lowered.measured(backend), via)
    assert (program.record, program.files, lowered.lines) == (None, {}, [])


def test_a_program_that_agrees_is_a_file_of_the_bundle(lowered: Any) -> None:
    program = bundle_program(lowered.context, "jetson", lowered.measured(), "torch-tensorrt")
    record = program.record
    assert record is not None
    assert (record.via, record.file, record.images) == ("torch-tensorrt", "model.pt2", 20)
    assert 0 <= record.max_difference < 1e-3 < record.tolerance
    assert program.files["model.pt2"].stat().st_size > 1000
    assert lowered.lines[-1] == f"jetson: {record.summary}"


@pytest.mark.parametrize(
    ("change", "words"),
    [(1.0, "differ by"), pytest.param(np.nan, "are not finite", marks=pytest.mark.slow)],
)
def test_a_program_that_differs_fails(change: float, words: str, lowered: Any) -> None:
    measured = lowered.measured(change=change)
    with pytest.raises(GateFailedError, match=rf"model\.pt2 .* in fp32 {words}") as caught:
        bundle_program(lowered.context, "jetson", measured, "torch-tensorrt")
    assert "leave --via out" in caught.value.hint


@pytest.mark.slow
def test_a_bundle_of_both(small_run: Path, tmp_path: Path) -> None:
    from edgekd.cli import main

    out = tmp_path / "out"
    arguments = ["--target", "jetson", "--model", str(small_run), "--out", str(out)]
    arguments += ["--policy", str(lenient.POLICY), "--precision", "fp16,int8"]
    assert main(["build", *arguments, "--via", "torch-tensorrt"]) == 0
    for precision in ("fp16", "int8"):
        folder = out / f"jetson-{precision}"
        with Bundle.open(folder) as bundle:
            manifest = bundle.manifest
        program = manifest.lowering.program
        assert program is not None
        assert manifest.files["model.pt2"].sha256 == sha256_of(folder / "model.pt2")
        assert manifest.files["model.onnx"].sha256 == sha256_of(folder / "model.onnx")
        assert 0 <= program.max_difference <= program.tolerance
        assert (program.pairs > 0) == (precision == "int8")
        assert manifest.lowering.completion_command == f"{COMMAND} --via torch-tensorrt"
