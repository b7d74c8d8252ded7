"""`edgekd build --target jetson` on a host: every file is checked, and the bundle says by what."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lenient
import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from wheelless import make_python

from edgekd.bundle import Bundle, EngineCheck, Manifest, Rung
from edgekd.errors import GateFailedError
from edgekd.lower.backends.tensorrt.check import checker_versions
from edgekd.lower.build import BuiltBundle, build
from edgekd.lower.plan import BuildRequest
from edgekd.seals import SEAL, seal_files
from edgekd.targets import Target, load_target

needs_rtx = pytest.mark.skipif(
    not checker_versions(), reason="pip install 'edgekd[tensorrt-check]'"
)


class Notes:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[tuple[str, str]] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def state(self, backend: str, label: str, state: str) -> None:
        self.states.append((label, state))

    def rung(self, bundle: str, rung: Rung) -> None: ...

    def labels(self, state: str) -> list[str]:
        return [label for label, found in self.states if found == state]


@pytest.fixture
def jetson() -> Target:
    return load_target("jetson")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing is kept yet."""
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(
    model: Path, out: Path, target: Target, *precisions: str, **options: Any
) -> tuple[list[BuiltBundle], Notes]:
    notes = Notes()
    request = BuildRequest(
        model, [target], out, precisions=precisions or None, observer=notes,
        **{"calibration_images": 64, "policy": lenient.POLICY, **options},
    )  # fmt: skip
    return build(request), notes


def manifest_of(bundle: BuiltBundle) -> Manifest:
    assert bundle.manifest is not None
    return bundle.manifest


def check_of(bundle: BuiltBundle) -> EngineCheck:
    check = manifest_of(bundle).lowering.check
    assert check is not None
    return check


@pytest.mark.slow
@needs_rtx
def test_the_bundle_says_by_what_its_file_was_checked(
    small_run: Path, jetson: Target, tmp_path: Path
) -> None:
    from edgekd.cli.build_table import summary_of

    (built,), _ = run(small_run, tmp_path / "a", jetson, "int8")
    check = check_of(built)
    assert check.status == "passed"
    assert {"SM86", "SM89"} <= set(check.capabilities)
    assert built.path is not None
    said = f"TensorRT check: passed by {check.by} for SM86, SM89"
    assert said in (built.path / "card.md").read_text()
    assert said in summary_of(built)
    with Bundle.open(built.path) as opened:
        assert opened.manifest.lowering.check == check
        assert opened.manifest.format_version == "1.8"
    (again,), notes = run(small_run, tmp_path / "b", jetson, "int8")
    assert again.fresh
    assert check_of(again) == check
    assert notes.labels("checking") == []  # what was said of a file is kept beside it


@pytest.mark.slow
@needs_rtx
def test_another_calibration_list_makes_fp16_again(
    small_run: Path, jetson: Target, tmp_path: Path
) -> None:
    """Ranges are measured on it, and the bundle says on which."""
    run(small_run, tmp_path / "a", jetson, "fp16")
    (built,), notes = run(small_run, tmp_path / "b", jetson, "fp16", calibration_images=80)
    assert notes.labels("lowering") == notes.labels("checking") == ["fp16"]
    calibration = manifest_of(built).lowering.calibration
    assert calibration is not None
    assert calibration["images"] == 80


@pytest.mark.slow
@needs_rtx
def test_a_refused_file_does_not_pass_its_gate(
    small_run: Path, jetson: Target, own_cache: Path, tmp_path: Path
) -> None:
    """The kept int8 file is made asymmetric, which ONNX Runtime would run."""
    run(small_run, tmp_path / "a", jetson, "int8", "fp32")
    name = make_asymmetric(own_cache)
    own = msgspec.structs.replace(jetson, ladder=("int8", "fp32"))
    (built,), notes = run(small_run, tmp_path / "b", own)
    refused, taken = manifest_of(built).lowering.rungs
    assert (refused.precision, refused.chosen, refused.gate) == ("int8", False, None)
    assert refused.failure is not None
    assert refused.failure.startswith("refused by TensorRT-RTX 1.")
    assert f"node {name!r} (QuantizeLinear) is asymmetric" in refused.failure
    assert (taken.precision, taken.chosen) == ("fp32", True)
    assert check_of(built).status == "passed"
    assert notes.labels("refused") == ["int8"]
    with pytest.raises(GateFailedError, match=r"jetson-int8 passed its gate; int8: refused by"):
        run(small_run, tmp_path / "c", jetson, "int8")


def make_asymmetric(cache: Path) -> str:
    """Plant a zero point in the only int8 file of the store; gives the node's name."""
    (file,) = (file for file in cache.glob("lowered/*/made/files/model.onnx") if quantised(file))
    model = onnx.load(file)
    node = next(one for one in model.graph.node if one.op_type == "QuantizeLinear")
    model.graph.initializer.append(numpy_helper.from_array(np.int8(-3), "planted"))
    node.input[2] = "planted"
    onnx.save(model, file)
    made = file.parents[1]
    names = [one.relative_to(made).as_posix() for one in made.rglob("*") if one.is_file()]
    seal_files(made, [name for name in names if name != SEAL])
    for kept in [*file.parents[2].glob("*.check.json"), *file.parents[2].glob("*.npz")]:
        kept.unlink()
    return str(node.name)


def quantised(file: Path) -> bool:
    return any(node.op_type == "QuantizeLinear" for node in onnx.load(file).graph.node)


def test_without_the_wheels_the_manifest_says_not_checked(
    small_run: Path,
    jetson: Target,
    tmp_path: Path,
) -> None:
    """It is built all the same, and built again as soon as there is something to check it by."""
    out = tmp_path / "out"
    done = build_elsewhere(make_python(tmp_path / "venv"), small_run, out)
    assert done.returncode == 0, done.stderr
    with Bundle.open(out / "jetson-fp32") as bundle:
        check = bundle.manifest.lowering.check
    assert check is not None
    assert check.status == "not checked"
    assert "tensorrt-rtx-cu13-bindings is not installed" in check.by
    assert "TensorRT check: not checked: " in done.stdout
    assert "tensorrt: not checked: " in done.stderr
    assert "TensorRT check: not checked: " in (out / "jetson-fp32" / "card.md").read_text()
    if checker_versions():
        (built,), _ = run(small_run, out, jetson, "fp32")
        assert built.fresh
        assert check_of(built).status == "passed"


def build_elsewhere(python: Path, model: Path, out: Path) -> subprocess.CompletedProcess[str]:
    arguments: Sequence[str] = (
        "build", "--target", "jetson", "--precision", "fp32", "--model", str(model), "--out",
        str(out), "--policy", str(lenient.POLICY),
    )  # fmt: skip
    command = [str(python), "-m", "edgekd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
