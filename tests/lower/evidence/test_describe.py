"""The manifest of one lowered file: of its card, its ladder, its own decision and its policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lenient
import msgspec
import numpy as np
import pytest

import edgekd
from edgekd.bundle import EngineCheck, GateRecord, LayerSensitivity, Manifest, Rung
from edgekd.data import Split
from edgekd.data.dataset import Sample, dataset_of
from edgekd.lower.attempt import Attempt, Checked, Lowered, Measured
from edgekd.lower.backends import get_backend
from edgekd.lower.evidence.describe import BuildRecord, describe
from edgekd.lower.evidence.non_inferiority import TeacherOutputs
from edgekd.lower.evidence.policy_check import FloorNotMetError
from edgekd.lower.int8.calibration import CalibrationSet
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.plan import Plan
from edgekd.lower.precision import Variant
from edgekd.lower.source import Source
from edgekd.lower.store import Kept
from edgekd.models import DataCard, ModelCard, TrainingCard
from edgekd.policy import DecisionRule, Floors, load_policy
from edgekd.targets import load_target

CLASSES = ("bkl", "mel", "nv")
SIZE = 8
TARGETS = np.repeat([0, 1, 2], [80, 60, 160])
N = len(TARGETS)
NOISE = np.random.default_rng(0).normal(0, 1.5, (N, 3))
LOGITS = (5 * np.eye(3)[TARGETS] + NOISE).astype(np.float32)
CALIBRATION = CalibrationSet((0, 1), ("a.png", "b.png"), np.zeros((2, 8, 8, 3), np.uint8), "c" * 64)
POLICY = msgspec.structs.replace(
    load_policy(lenient.POLICY),
    name="mine",
    critical={"mel": 0.05},
    decision=DecisionRule(critical_sensitivity=0.9, capture_kept=0.0),
    floors=Floors(noticed=0.9, answered=0.5, specificity=0.3),
)
CARD = ModelCard(
    role="student",
    arch="mobilenetv2_050",
    classes=CLASSES,
    image_size=SIZE,
    mean=(0.5,) * 3,
    std=(0.2,) * 3,
    resize="short-side",
    params=123,
    macs=456,
    pretrained="package",
    data=DataCard(
        name="spots", root="images", sha256="d" * 64, images={}, licence="CC0", citation="By me."
    ),
    training=TrainingCard(
        method="kd", seed=7, recipe_sha256="r" * 64, stage_sha256="", epochs=1, best_epoch=1
    ),
)


SAMPLES = [Sample(f"{n}.png", CLASSES[label], str(n)) for n, label in enumerate(TARGETS)]
SPLIT = Split(dataset_of("spots", Path("images"), SAMPLES, classes=CLASSES), ("validation",) * N)


def gate_of(*, passed: bool) -> GateRecord:
    return GateRecord(
        passed=passed, reasons=() if passed else ("too many flips",), images=N, flips=0.1,
        max_logit_difference=0.5, limits={}, runtime={},
    )  # fmt: skip


def described(
    folder: Path,
    target: str = "cpu-onnx",
    precision: str = "fp32",
    *,
    outputs: Any = LOGITS,
    check: EngineCheck | None = None,
    research: bool = False,
) -> Manifest:
    """The manifest of a file with these outputs."""
    device = load_target(target)
    metrics = {"validation": {"accuracy": 0.9}, "teacher": {"validation": {"accuracy": 0.95}}}
    pixels = np.zeros((N, SIZE, SIZE, 3), np.uint8)
    source = Source(folder, CARD, SPLIT, pixels, metrics)
    plan = Plan(device, POLICY, research, (precision,), folder / target, "k" * 64)
    layers = ("stem",) if precision == "int8-mixed" else ()
    variant = Variant(precision=precision, float_layers=layers)
    attempt = Attempt(get_backend(device.backend), variant, "of-the-store")
    answers = Answers(outputs, np.full(N, 1.5), {"engine": "onnxruntime"})
    measured = Measured(Checked(Lowered(attempt, Kept(folder, {"onnx": "1.19"})), check), answers)
    rungs = (
        Rung(precision="int8", chosen=False, size_bytes=9, gate=gate_of(passed=False)),
        Rung(
            precision=precision,
            float_layers=layers,
            chosen=True,
            size_bytes=99,
            gate=gate_of(passed=True),
        ),
        Rung(precision="fp16", chosen=False, size_bytes=50, gate=gate_of(passed=True)),
    )
    record = BuildRecord(
        measured,
        rungs,
        CALIBRATION,
        (LayerSensitivity(layer="stem", divergence=0.1, flips=2),),
        plan.key,
    )
    return describe(source, plan, record, TeacherOutputs(LOGITS))


def test_model_lineage_and_data_are_those_of_the_card(tmp_path: Path) -> None:
    manifest = described(tmp_path)
    assert (manifest.version, manifest.task) == (edgekd.__version__, "classification")
    model = manifest.model
    assert (model.name, model.classes, model.image_size) == ("mobilenetv2_050", CLASSES, SIZE)
    assert (model.params, model.macs, model.resize) == (123, 456, "short-side")
    assert (manifest.lineage.method, manifest.lineage.seed) == ("kd", 7)
    assert manifest.lineage.data_sha256 == "d" * 64
    assert manifest.data_source == "spots. By me."
    assert manifest.data is not None
    assert manifest.data.parts["validation"].classes == {"bkl": 80, "mel": 60, "nv": 160}
    assert manifest.licences == {"data": "CC0", "weights": "start: package; else as the data"}
    assert f"Judged on {N} validation images of spots" in manifest.limits
    assert manifest.intended_use.endswith("not a diagnosis and not a medical device.")


def test_tensors_are_those_of_the_task(tmp_path: Path) -> None:
    data_format = described(tmp_path).network_data_format
    image = data_format["inputs"]["image"]
    assert (image["spatial_shape"], image["dtype"], image["format"]) == ([8, 8], "uint8", "RGB")
    logits = data_format["outputs"]["logits"]
    assert list(logits["channel_def"].values()) == list(CLASSES)


def test_decision_and_metrics_are_fitted_on_this_very_file(tmp_path: Path) -> None:
    manifest, unsure = described(tmp_path), described(tmp_path, outputs=LOGITS / 4)
    assert set(manifest.decision.thresholds) == {"mel"}
    assert manifest.decision.fitted_on["images"] == N
    assert unsure.decision.temperature == pytest.approx(manifest.decision.temperature / 4, rel=0.01)
    assert manifest.metrics["part"] == "validation"
    assert manifest.metrics["student"] == {"accuracy": 0.9}
    assert manifest.metrics["teacher"] == {"accuracy": 0.95}
    accuracy = float((LOGITS.argmax(1) == TARGETS).mean())
    assert manifest.metrics["artefact"]["accuracy"]["value"] == pytest.approx(accuracy)


def test_policy_has_floors_and_the_margin_to_the_teacher(tmp_path: Path) -> None:
    policy = described(tmp_path).policy
    assert policy is not None
    assert (policy.name, policy.critical, policy.research) == ("mine", {"mel": 0.05}, False)
    assert all(floor.met for floor in policy.floors)
    assert policy.teacher is not None
    assert (policy.teacher.state, policy.teacher.deficit) == ("not-inferior", 0.0)


def test_a_file_below_a_floor_is_described_for_research_alone(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 1, LOGITS.shape).astype(np.float32)
    with pytest.raises(FloorNotMetError, match="balanced accuracy"):
        described(tmp_path, outputs=noise)
    policy = described(tmp_path, outputs=noise, research=True).policy
    assert policy is not None
    assert policy.research
    assert "beyond-chance" in {floor.code for floor in policy.floors if not floor.met}


@pytest.mark.parametrize(
    ("target", "precision", "is_calibrated"),
    [
        ("cpu-onnx", "fp32", False),
        ("cpu-onnx", "int8", True),
        ("cpu-onnx", "int8-mixed", True),
        ("cpu", "fp16", False),
        ("jetson", "fp16", True),  # whose ranges show what fp16 cannot hold
    ],
)
def test_calibration_is_recorded_where_the_file_depends_on_it(
    target: str, precision: str, is_calibrated: bool, tmp_path: Path
) -> None:
    lowering = described(tmp_path, target, precision).lowering
    assert (lowering.target, lowering.precision) == (target, precision)
    assert lowering.calibration == (CALIBRATION.record() if is_calibrated else None)


def test_lowering_has_the_ladder_its_tools_and_its_key(tmp_path: Path) -> None:
    manifest = described(tmp_path)
    lowering = manifest.lowering
    assert [rung.precision for rung in lowering.rungs] == ["int8", "fp32", "fp16"]
    assert lowering.tried == 2  # the verdict on fp16 came after the choice
    assert [each.layer for each in lowering.layer_sensitivity] == ["stem"]
    assert (lowering.tools, lowering.build_key) == ({"onnx": "1.19"}, "k" * 64)
    assert (lowering.backend, manifest.model_file) == ("onnx", "model.onnx")
    assert not lowering.quantisation_aware


def test_only_a_file_that_the_device_finishes_has_a_command(tmp_path: Path) -> None:
    check = EngineCheck(status="passed", by="RTX 1.7")
    jetson = described(tmp_path, "jetson", check=check).lowering
    assert jetson.completion == "finish-on-device"
    assert jetson.completion_command == "edgekd build --on-device BUNDLE"
    assert jetson.check == check
    cpu = described(tmp_path).lowering
    assert (cpu.completion, cpu.completion_command, cpu.check) == ("complete", None, None)
