"""`edgekd build` of findings on every backend: the gate, the decision, the device's answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lenient
import msgspec
import numpy as np
import pytest
from findings_student import FINDINGS, make_student

from edgekd.bundle import Bundle, Manifest
from edgekd.errors import GateFailedError
from edgekd.lower.build import BuiltBundle, build
from edgekd.lower.evidence.device_gate import IMAGES, evidence_beside, read_evidence
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.jobs.trial import TrialJob, try_files
from edgekd.lower.plan import BuildRequest
from edgekd.lower.source import load_source
from edgekd.lower.task import evidence_task
from edgekd.policy import DecisionRule, Floors, GateLimits, Policy, load_policy
from edgekd.runtime import Classifier
from edgekd.targets import load_target

TARGETS = {
    "cpu-onnx": "onnxruntime", "cpu": "nncf", "rpi": "litert_torch", "jetson": "onnx",
}  # fmt: skip
QUICK = ("int8", "fp32")
POLICY = msgspec.structs.replace(
    load_policy(lenient.POLICY),
    name="findings",
    critical={"veil": 0.05},
    gate=GateLimits(
        max_flips=0.05, max_balanced_accuracy_drop=0.05, max_sensitivity_drop=0.1,
        max_ece_increase=0.05,
    ),
    decision=DecisionRule(critical_sensitivity=0.9, capture_kept=0.0),
    floors=Floors(beyond_chance=True, noticed=0.9, answered=0.5, specificity=0.5),
)  # fmt: skip


@pytest.fixture(scope="module")
def student(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return made_once("findings-student", make_student)


def built(
    student: Path, out: Path, target: str, policy: Policy = POLICY,
    ladder: tuple[str, ...] = (), **options: Any,
) -> BuiltBundle:  # fmt: skip
    """Build for a target, with another ladder than its own if one is given."""
    pytest.importorskip(TARGETS[target], reason=f"edgekd[lower] brings {TARGETS[target]}")
    loaded = load_target(target)
    if ladder:
        loaded = msgspec.structs.replace(loaded, ladder=ladder)
    request = BuildRequest(student, [loaded], out, policy=policy, calibration_images=64, **options)
    (bundle,) = build(request)
    return bundle


def manifest_of(bundle: BuiltBundle) -> Manifest:
    assert bundle.manifest is not None
    return bundle.manifest


@pytest.mark.parametrize(
    ("target", "ladder"),
    [
        pytest.param("cpu-onnx", QUICK, id="cpu-onnx-quick"),
        *(
            pytest.param(target, QUICK, id=f"{target}-quick", marks=pytest.mark.slow)
            for target in ("cpu", "jetson", "rpi")
        ),
        *(
            pytest.param(target, (), id=f"{target}-whole", marks=pytest.mark.slow)
            for target in TARGETS
        ),
    ],
)
def test_every_backend_lowers_findings_and_its_files_pass(
    target: str, ladder: tuple[str, ...], student: Path, tmp_path: Path
) -> None:
    """Each file of the target's own ladder; of a short one, where an empty one is not given."""
    bundle = built(student, tmp_path, target, ladder=ladder, all_rungs=True)
    manifest = manifest_of(bundle)
    assert (manifest.task, manifest.model.classes) == ("multilabel", FINDINGS)
    assert manifest.decision.critical == ("veil",)
    judged = {rung.precision: rung.gate for rung in bundle.rungs if rung.gate is not None}
    assert {"fp32", "int8"} <= set(judged)
    exact = judged["fp32"]
    assert exact is not None
    assert exact.passed
    assert exact.flips == 0.0
    assert set(exact.per_class) == set(FINDINGS)
    assert exact.per_class["veil"].critical
    assert exact.per_class["veil"].specificity_drop == 0.0
    assert manifest.policy is not None
    assert {floor.code for floor in manifest.policy.floors} == {
        "beyond-chance", "noticed", "answered", "specificity",
    }  # fmt: skip
    assert all(floor.met for floor in manifest.policy.floors)
    outcome = manifest.metrics["decision"]
    assert set(outcome["per_class"]) == set(FINDINGS)


def test_the_bundle_answers_on_the_device(student: Path, tmp_path: Path) -> None:
    bundle = built(student, tmp_path, "cpu-onnx", precisions=("fp32",))
    assert bundle.path is not None
    source = load_source(student)
    with Classifier.open(bundle.path) as classifier:
        answers = [classifier.predict(image) for image in source.images[:32]]
    called = [[one.findings[name] == "present" for name in FINDINGS] for one in answers]
    right = (np.array(called) == (source.targets[:32] > 0)).all(axis=1)
    assert right.mean() > 0.8


def test_a_finding_that_the_saved_file_lost_fails_the_gate_by_its_name(
    student: Path, tmp_path: Path
) -> None:
    """The bias of one output is lowered in the file itself: types and shapes stay as they are."""
    onnx = pytest.importorskip("onnx")
    bundle = built(student, tmp_path / "out", "cpu-onnx", precisions=("fp32",))
    assert bundle.path is not None
    whole, spoilt = bundle.path / "model.onnx", tmp_path / "spoilt.onnx"
    model = onnx.load(whole)
    (head,) = [node for node in model.graph.node if node.op_type == "Gemm"]
    (bias,) = [one for one in model.graph.initializer if one.name == head.input[2]]
    values = onnx.numpy_helper.to_array(bias).copy()
    values[FINDINGS.index("veil")] -= 100
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    onnx.save(model, spoilt)
    source = load_source(student)
    np.save(tmp_path / "images.npy", source.images)
    job = TrialJob(
        session="onnx", files={"whole": str(whole), "spoilt": str(spoilt)},
        images=str(tmp_path / "images.npy"), out=str(tmp_path / "outputs"),
    )  # fmt: skip
    answers = try_files(job, log=tmp_path / "log")
    reference = GateReference(
        source.outputs, source.targets, FINDINGS, POLICY.gate, POLICY.critical, source.groups,
        "multilabel",
    )  # fmt: skip
    gates = {
        name: evidence_task("multilabel").judge(
            reference, one.outputs, runtime=one.facts, exact=name == "whole"
        )
        for name, one in answers.items()
    }
    assert gates["whole"].passed
    lost = [reason for reason in gates["spoilt"].reasons if "sensitivity for" in reason]
    assert len(lost) == 1
    assert lost[0].startswith("sensitivity for veil may drop by 100.0 points")
    assert gates["spoilt"].per_class["streaks"].lost == 0


def test_too_few_images_of_a_critical_finding_lower_nothing(student: Path, tmp_path: Path) -> None:
    policy = msgspec.structs.replace(POLICY, critical={"streaks": 0.05})
    with pytest.raises(GateFailedError, match=r"no certificate for streaks: \d+ validation"):
        built(student, tmp_path, "cpu-onnx", policy, precisions=("fp32",))
    assert not (tmp_path / "logs").exists()


@pytest.mark.slow
def test_the_evidence_for_a_device_judges_findings_as_the_host_did(
    student: Path, tmp_path: Path
) -> None:
    bundle = built(student, tmp_path / "out", "jetson", precisions=("fp32",))
    assert bundle.path is not None
    manifest = manifest_of(bundle)
    file = evidence_beside(bundle.path)
    evidence = read_evidence(file, manifest.lowering.evidence_sha256, tmp_path)
    assert evidence.terms.task == "multilabel"
    assert evidence.targets.shape == (len(evidence.images), len(FINDINGS))
    job = TrialJob(
        session="onnx", files={"fp32": str(bundle.path / "model.onnx")},
        images=str(tmp_path / IMAGES), out=str(tmp_path / "outputs"),
    )  # fmt: skip
    answers = try_files(job, log=tmp_path / "log")["fp32"]
    (host,) = [rung.gate for rung in manifest.lowering.rungs if rung.chosen]
    assert host is not None
    assert evidence.judge(answers.outputs, host.runtime) == host


def test_self_test_vectors_agree_with_the_bundle(student: Path, tmp_path: Path) -> None:
    bundle = built(student, tmp_path, "cpu-onnx", precisions=("fp32",))
    assert bundle.path is not None
    with Bundle.open(bundle.path) as opened:
        assert opened.manifest.task == "multilabel"
    with Classifier.open(bundle.path) as classifier:
        report = classifier.selftest()
    assert report.passed
