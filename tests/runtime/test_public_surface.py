"""What apps rely on. A change here is a change of the product, and goes into the changelog."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edgekd.bundle
import edgekd.runtime
import edgekd.runtime.export
from edgekd.runtime import (
    AsyncClassifier,
    CaptureQuality,
    Classifier,
    Measures,
    Prediction,
    Reason,
    SelfTestReport,
)

HEAVY = (
    "torch", "torchvision", "timm", "lightning", "typer", "rich", "yaml", "matplotlib", "jinja2",
    "sklearn", "scipy", "safetensors", "onnx", "onnxruntime", "openvino", "nncf", "tensorrt",
    "ai_edge_litert", "tflite_runtime", "highdicom", "pydicom", "fhir", "edgekd.models",
    "edgekd.data", "edgekd.recipe", "edgekd.distill", "edgekd.lower", "edgekd.bench", "edgekd.cli",
)  # fmt: skip

BUNDLE = [
    "MANIFEST", "SELFTEST", "SIGNATURE", "Appearance", "Bundle", "CaptureRule", "Certificate",
    "ClassChange", "DataRecord", "EngineCheck", "EngineRecord",
    "EnrolledClass", "FeaturesRecord", "FileEntry",
    "FloorRecord", "GateRecord", "HeadRecord", "LayerSensitivity",
    "Limit", "Lineage", "Lowering", "Manifest", "ModelFiles", "ModelInfo", "PartRecord",
    "PolicyRecord", "PolicyWords", "ProgramRecord", "PublicKey", "ReferenceRecord",
    "Rung", "Sentence",
    "SignatureState", "TeacherRecord", "generate_key", "pack_bundle", "sign_bundle",
    "verify_signature", "write_bundle", "zip_bundle",
]  # fmt: skip


def test_names() -> None:
    assert edgekd.runtime.__all__ == [
        "AsyncClassifier", "CaptureQuality", "Classifier", "Measures", "Prediction", "Reason",
        "SelfTestReport",
    ]  # fmt: skip
    assert all(getattr(edgekd.runtime, name) for name in edgekd.runtime.__all__)


def test_names_of_the_bundle() -> None:
    assert edgekd.bundle.__all__ == BUNDLE
    assert all(getattr(edgekd.bundle, name) for name in edgekd.bundle.__all__)


def public(kind: type) -> list[str]:
    return sorted(name for name in vars(kind) if not name.startswith("_"))


def test_methods_of_the_classifiers() -> None:
    assert public(Classifier) == [
        "bundle_sha256", "classes", "close", "facts", "logits", "manifest", "open", "predict",
        "predict_many", "preprocess", "selftest", "size_bytes", "warnings",
    ]  # fmt: skip
    assert public(AsyncClassifier) == [
        "classes", "close", "manifest", "open", "predict", "predict_many", "selftest", "warnings",
    ]  # fmt: skip


def test_signatures() -> None:
    assert str(inspect.signature(Classifier.open)) == (
        "(source: 'str | Path | bytes', *, threads: 'int | None' = None, "
        "backend: 'str | None' = None, verify: 'bool' = True, "
        "public_key: 'str | Path | bytes | None' = None, accelerator: 'str | None' = None, "
        "require: 'bool' = False, selftest: 'bool' = True, quality: 'bool' = True) "
        "-> 'Classifier'"
    )
    assert str(inspect.signature(Classifier.predict)) == (
        "(self, image: 'ImageSource') -> 'Prediction'"
    )
    assert str(inspect.signature(Classifier.selftest)) == (
        "(self, *, limit: 'int | None' = None) -> 'SelfTestReport'"
    )


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            Prediction,
            "label probability probabilities decision reasons conformal_set quality logits "
            "timings_ms findings values",
        ),
        (Reason, "code text"),
        (CaptureQuality, "measures distance"),
        (Measures, "sharpness brightness glare contrast off_centre"),
        (SelfTestReport, "passed images max_difference tolerance flips"),
    ],
)
def test_fields(kind: Any, names: str) -> None:
    assert [field.name for field in dataclasses.fields(kind)] == names.split()
    instance = kind(*[None] * len(names.split()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(instance, names.split()[0], "changed")


def imported_by(code: str) -> set[str]:
    """Heavy modules that a fresh process has in memory after `code`."""
    tail = f"\nimport sys; print(*(m for m in {HEAVY!r} if sys.modules.get(m)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + tail],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_is_light() -> None:
    assert imported_by("import edgekd.runtime, edgekd.bundle") == set()
    assert imported_by("import edgekd.runtime.export, edgekd.bundle.provenance") == set()


def test_names_of_the_exports() -> None:
    assert edgekd.runtime.export.__all__ == [
        "Coding", "DeviceIdentity", "Photo", "new_study", "read_codes", "to_dicom_sr", "to_fhir",
        "to_secondary_capture",
    ]  # fmt: skip


def test_reading_a_bundle_and_an_image_is_light(make_bundle: Any) -> None:
    code = (
        "import numpy as np\n"
        "from edgekd.bundle import Bundle\n"
        "from edgekd.runtime.preprocess import load_image\n"
        "from edgekd.runtime.sessions import available_backends\n"
        f"Bundle.open({str(make_bundle())!r}).close()\n"
        "load_image(np.zeros((40, 40, 3), np.uint8), 16)\n"
        "available_backends()"
    )
    assert imported_by(code) == set()


def test_opening_a_classifier_imports_its_engine_alone(make_bundle: Any) -> None:
    path: Path = make_bundle()
    code = f"from edgekd.runtime import Classifier\nClassifier.open({str(path)!r}).selftest()"
    assert imported_by(code) <= {"onnxruntime"}


def test_public_example_of_the_docstring_is_python() -> None:
    example = inspect.cleandoc(edgekd.runtime.__doc__ or "").partition("Example:\n")[2]
    assert "Classifier.open(" in example
    compile(inspect.cleandoc(example), "docstring", "exec")
