"""A bundle is certified by the gate, the fit and the floors of a build, or stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lenient
import msgspec
import numpy as np
import pytest
from certifying import CLASSES, lowered_weights, read_labelled, write_labelled, write_uncertified
from enrolling import FEATURES
from manifests import make_manifest
from tiny_bundles import MEANS

from edgekd.bundle import Bundle, generate_key, sign_bundle, zip_bundle
from edgekd.bundle.features import features_files, read_features
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.errors import ArtefactError, GateFailedError, InputError
from edgekd.lower.certify.run import Certification, CertifyRequest, certify
from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.device_gate import evidence_beside, read_evidence
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.task import evidence_task
from edgekd.policy import load_policy
from edgekd.runtime import Classifier

LENIENT = load_policy(str(lenient.POLICY))
STRICT = """
name = "strict"
title = "A test's"
[critical]
mel = {limit}
[gate]
max_flips = 0.03
max_balanced_accuracy_drop = 0.2
max_sensitivity_drop = 0.05
max_ece_increase = 1.0
[decision]
critical_sensitivity = 0.9
[floors]
answered = {answered}
"""


def run(bundle: Path, table: Path, out: Path, **options: Any) -> Certification:
    options = {"policy": str(lenient.POLICY)} | options
    return certify(CertifyRequest(bundle, read_labelled(table), out, **options))


def strict(folder: Path, limit: float = 0.2, answered: float = 0.0) -> str:
    file = folder / "strict.toml"
    file.write_text(STRICT.format(limit=limit, answered=answered))
    return str(file)


def files_of(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


# ---- a bundle that passes ----


def test_the_certified_bundle_is_the_same_file_with_evidence(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    before = files_of(bundle)
    result = run(bundle, table, tmp_path / "out")
    assert result.error is None
    assert files_of(bundle) == before
    with Bundle.open(bundle) as judged, Bundle.open(tmp_path / "out") as certified:
        was, now = judged.manifest, certified.manifest
        assert certified.read("model.onnx") == judged.read("model.onnx")
        assert certified.read("selftest.npz") == judged.read("selftest.npz")
        earlier = judged.sha256
    assert now == result.manifest
    assert was.warnings == ("for research, not certified: why",)
    assert now.warnings == ()
    assert now.certificate is not None
    assert (now.certificate.certified, now.certificate.earlier) == (True, earlier)
    assert now.reference is None
    assert not (tmp_path / "out" / "reference").exists()
    assert now.policy is not None
    assert not now.policy.research
    (rung,) = now.lowering.rungs
    assert (rung.gate, rung.failure, now.lowering.tried) == (result.gate, None, 1)
    assert now.data is not None
    assert now.data.parts["validation"].images == 90
    assert now.data.parts["validation"].groups == 45
    assert now.lineage == was.lineage
    card = (tmp_path / "out" / "card.md").read_text()
    assert "judged since then by `edgekd certify` on labelled images" in card
    assert "not certified" not in card
    with Classifier.open(tmp_path / "out") as classifier:
        assert classifier.warnings == ()
        photo = classifier.predict(table.parent / "1.png")
    assert photo.label == "mel"


def test_gate_and_decision_are_those_of_a_build(bundle: Path, table: Path, tmp_path: Path) -> None:
    """Computed here once more from the weights, by the same layers that a build uses."""
    result = run(bundle, table, tmp_path / "out")
    with Bundle.open(bundle) as opened:
        from edgekd.lower.certify.images import read_images

        images = read_images(read_labelled(table), opened.manifest)
    means = images.pixels.mean(axis=(1, 2))
    student = (means @ MEANS).astype(np.float32)
    lowered = (means @ lowered_weights()).astype(np.float32)
    task = evidence_task("classification")
    reference = GateReference(
        student, images.targets, CLASSES, LENIENT.gate, {"mel": 1.0}, images.groups
    )
    gate = task.judge(reference, lowered, runtime=result.gate.runtime)
    assert result.gate.per_class == gate.per_class
    assert result.gate.flips == gate.flips == 0.0
    assert result.gate.balanced_accuracy == gate.balanced_accuracy == 1.0
    assert result.gate.max_logit_difference == pytest.approx(gate.max_logit_difference, rel=1e-3)
    requirements = DecisionRequirements(
        LENIENT.decision, CLASSES, ("mel",), images.targets, {}, groups=images.groups
    )
    fitted = task.fit_decision(requirements, lowered).decision
    assert result.manifest is not None
    decision = result.manifest.decision
    for name in ("temperature", "conformal_quantile", "energy_threshold"):
        assert getattr(decision, name) == pytest.approx(getattr(fitted, name), rel=1e-3), name
    assert decision.thresholds == pytest.approx(fitted.thresholds, rel=1e-3)
    assert decision.fitted_on["images"] == 90
    assert decision.fitted_on["groups"] == 45
    assert result.manifest.capture is not None
    assert result.manifest.capture.images == 90


def test_a_zip_is_certified_to_a_zip(bundle: Path, table: Path, tmp_path: Path) -> None:
    zip_bundle(bundle, tmp_path / "b.edgekd")
    result = run(tmp_path / "b.edgekd", table, tmp_path / "out.edgekd")
    assert result.error is None
    assert (tmp_path / "out.edgekd").is_file()
    with Bundle.open(tmp_path / "out.edgekd") as opened:
        assert opened.manifest == result.manifest


def test_a_bundle_in_fp32_is_compared_with_itself(table: Path, tmp_path: Path) -> None:
    bundle = write_uncertified(tmp_path / "b", precision="fp32")
    result = run(bundle, table, tmp_path / "out")
    assert result.reference == "model.onnx"
    assert result.gate.max_logit_difference == 0.0
    assert result.manifest is not None


def test_the_images_join_the_list_by_which_leaks_are_noticed(table: Path, tmp_path: Path) -> None:
    content = SeenImages.of({"train": ["ab" * 32]}, key="k").encode()
    bundle = write_uncertified(tmp_path / "b", files={SEEN_IMAGES: content})
    for listed, count in ((True, 90), (False, 0)):
        run(bundle, table, tmp_path / str(listed), list_images=listed)
        with Bundle.open(tmp_path / str(listed)) as opened:
            raw = opened.read(SEEN_IMAGES)
        seen = msgspec.json.decode(raw, type=SeenImages)
        assert seen.counts().get("validation", 0) == count
        assert seen.counts()["train"] == 1


def test_progress_counts_the_images_of_both_files(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    run(bundle, table, tmp_path / "out", tick=lambda done, total: seen.append((done, total)))
    assert seen == [(number + 1, 180) for number in range(180)]


# ---- a bundle that does not ----


def test_a_file_that_loses_a_critical_class_stays_as_it_is(table: Path, tmp_path: Path) -> None:
    bundle = write_uncertified(tmp_path / "b", lost=0.9)
    before = files_of(bundle)
    result = run(bundle, table, tmp_path / "out", policy=strict(tmp_path))
    assert isinstance(result.error, GateFailedError)
    assert "does not pass its gate" in result.error.message
    assert "sensitivity for mel may drop by" in result.error.message
    assert result.manifest is None
    assert result.gate.per_class["mel"].lost == 30
    assert not (tmp_path / "out").exists()
    assert files_of(bundle) == before


def test_few_images_are_no_evidence_and_the_error_says_what_lacks(
    bundle: Path, tmp_path: Path
) -> None:
    table = write_labelled(tmp_path / "few", 12)
    result = run(bundle, table, tmp_path / "out", policy=strict(tmp_path, limit=0.05))
    assert isinstance(result.error, GateFailedError)
    assert "12 validation images are fewer than 50" in result.error.message
    assert "no certificate for mel: 4 validation images, fewer than the 59" in result.error.message
    assert not (tmp_path / "out").exists()


def test_a_floor_that_is_not_met_is_in_the_result(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    result = run(bundle, table, tmp_path / "out", policy=strict(tmp_path, answered=0.99))
    assert isinstance(result.error, GateFailedError)
    assert "does not reach a floor of the policy strict" in result.error.message
    assert result.gate.passed
    assert result.policy is not None
    assert [floor.code for floor in result.policy.floors if not floor.met] == ["answered"]
    assert not (tmp_path / "out").exists()


# ---- the policy ----


def test_the_policy_of_the_bundle_is_taken_where_it_is_here(table: Path, tmp_path: Path) -> None:
    from edgekd.lower.evidence.policy_check import blank_record

    record = blank_record(load_policy("none"), CLASSES, research=True)
    bundle = write_uncertified(tmp_path / "b", policy=record)
    result = run(bundle, table, tmp_path / "out", policy=None)
    assert result.gate.limits == msgspec.structs.asdict(load_policy("none").gate)

    other = msgspec.structs.replace(record, sha256="0" * 64)
    changed = write_uncertified(tmp_path / "c", policy=other)
    with pytest.raises(InputError, match="a policy 'none' with other limits") as caught:
        run(changed, table, tmp_path / "no", policy=None)
    assert "--policy" in caught.value.hint


@pytest.mark.parametrize("policy", ["elsewhere", None])
def test_a_policy_that_is_not_here_has_to_be_named(
    policy: str | None, bundle: Path, table: Path, tmp_path: Path
) -> None:
    record = policy and msgspec.structs.replace(
        Bundle.open(bundle).manifest.policy,  # type: ignore[type-var]
        name=policy,
    )
    changed = write_uncertified(tmp_path / "c", policy=record)
    with pytest.raises(InputError) as caught:
        run(changed, table, tmp_path / "no", policy=None)
    assert "--policy NAME|FILE" in caught.value.hint


def test_limits_can_be_made_stricter(bundle: Path, table: Path, tmp_path: Path) -> None:
    result = run(bundle, table, tmp_path / "out", critical={"nv": 0.01})
    assert isinstance(result.error, GateFailedError)
    assert "no certificate for nv" in result.error.message


# ---- places, signatures, engines ----


def test_a_place_that_is_taken_is_left_alone(bundle: Path, table: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="there is something at"):
        run(bundle, table, tmp_path / "out")
    with pytest.raises(InputError, match="there is something at"):
        run(bundle, table, bundle)


def test_a_signature_is_demanded_and_does_not_outlive_the_change(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    with pytest.raises(ArtefactError, match="sign"):
        run(bundle, table, tmp_path / "no", public_key=tmp_path / "key.pub.pem")
    sign_bundle(bundle, tmp_path / "key.pem", provenance=True)
    result = run(bundle, table, tmp_path / "out", public_key=tmp_path / "key.pub.pem")
    assert result.was_signed
    with Bundle.open(tmp_path / "out") as opened:
        assert opened.signature == "none"
    assert not (tmp_path / "out" / "provenance.json").exists()


def test_a_damaged_float_student_is_exit_6(bundle: Path, table: Path, tmp_path: Path) -> None:
    file = bundle / "reference" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtefactError, match="hash"):
        run(bundle, table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_its_device_finishes_gets_the_evidence_beside_it(
    table: Path, tmp_path: Path
) -> None:
    lowering = msgspec.structs.replace(
        make_manifest().lowering, target="jetson", backend="tensorrt", precision="fp16",
        completion="finish-on-device", completion_command="edgekd build --on-device BUNDLE",
    )  # fmt: skip
    bundle = write_uncertified(tmp_path / "b", precision="fp16", lowering=lowering)
    result = run(bundle, table, tmp_path / "out")
    assert result.manifest is not None
    assert result.manifest.lowering.completion == "finish-on-device"
    beside = evidence_beside(tmp_path / "out")
    (tmp_path / "work").mkdir()
    evidence = read_evidence(beside, result.manifest.lowering.evidence_sha256, tmp_path / "work")
    assert evidence.terms.limits == LENIENT.gate
    means = evidence.images.mean(axis=(1, 2))
    np.testing.assert_allclose(evidence.student, means @ MEANS, rtol=1e-4, atol=1e-4)
    assert evidence.judge(evidence.student, {}).passed


# ---- without PyTorch ----

WITHOUT = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"no {{name}} here", name=name)

sys.meta_path.insert(0, Nothing())
from edgekd.cli import main
sys.exit(main({words!r}))
"""
HIDDEN = (
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "sklearn",
    "scipy",
    "onnx",
    "yaml",
    "filelock",
)


def test_it_needs_no_pytorch(bundle: Path, table: Path, tmp_path: Path) -> None:
    words = ["certify", str(bundle), "--csv", str(table), "--out", str(tmp_path / "out"),
             "--policy", str(lenient.POLICY)]  # fmt: skip
    code = WITHOUT.format(hidden=HIDDEN, words=words)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | {"EDGEKD_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "manifest.json").is_file()
    assert not (tmp_path / "cache").exists()  # no image of a patient stays behind


def test_what_is_hidden_is_really_hidden() -> None:
    code = WITHOUT.format(hidden=HIDDEN, words=["--version"])
    code = code.replace("from edgekd.cli import main", "import torch")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no torch here" in done.stderr


def test_features_stay_beside_the_certified_file(table: Path, tmp_path: Path) -> None:
    bundle = write_uncertified(tmp_path / "b", features=FEATURES)
    assert run(bundle, table, tmp_path / "out").error is None
    with Bundle.open(bundle) as before, Bundle.open(tmp_path / "out") as after:
        assert features_files(after) == features_files(before) != {}
        assert read_features(after) is not None
