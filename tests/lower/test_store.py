"""What a lowered file depends on, and that nothing else lowers it again."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import third_party
from cards import make_card

from edgekd.bundle import EngineCheck
from edgekd.lower import store as storing
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.precision import Variant
from edgekd.lower.store import Store, array_sha256, code_sha256, providers_of, tree_sha256
from edgekd.models import ModelCard

FP32, INT8 = Variant(precision="fp32"), Variant(precision="int8")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(b"model")
    return folder


def changed(card: ModelCard, **changes: Any) -> ModelCard:
    return msgspec.structs.replace(card, **changes)


def test_key_holds_what_a_file_depends_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card()
    keys = [
        store.key(card, "tflite", INT8, "calibration"),
        store.key(changed(card, weights_sha256="other"), "tflite", INT8, "calibration"),
        store.key(changed(card, image_size=64), "tflite", INT8, "calibration"),
        store.key(changed(card, mean=(0.4, 0.5, 0.5)), "tflite", INT8, "calibration"),
        store.key(card, "openvino", INT8, "calibration"),
        store.key(card, "tflite", FP32, "calibration"),
        store.key(card, "tflite", INT8, "other images"),
        store.key(
            card, "tflite", Variant(precision="int8-mixed", float_layers=("a",)), "calibration"
        ),
        store.key(
            card, "tflite", Variant(precision="int8-mixed", float_layers=("b",)), "calibration"
        ),
    ]
    monkeypatch.setattr(storing, "tool_versions", lambda backend: {"openvino": "2099.0"})
    keys.append(store.key(card, "tflite", INT8, "calibration"))
    assert len(set(keys)) == len(keys)


def test_key_holds_nothing_else(store: Store) -> None:
    card = make_card()
    same = changed(card, role="teacher", params=7)
    assert store.key(card, "tflite", INT8, "c") == store.key(same, "tflite", INT8, "c")
    # Another calibration list lowers int8 again, and nothing else.
    assert store.key(card, "tflite", FP32, "c") == store.key(card, "tflite", FP32, "d")
    # Unless its backend measures ranges for it.
    fp16 = Variant(precision="fp16")
    keys = {store.key(card, "tensorrt", fp16, images, scanned=True) for images in ("c", "d")}
    assert len(keys) == 2


def test_files_are_kept_with_their_tools(store: Store, files: Path) -> None:
    assert store.find("key") is None
    kept = store.keep("key", files, {"openvino": "1.0"})
    assert store.find("key") == kept
    assert kept.tools == {"openvino": "1.0"}
    assert (kept.folder / "model.tflite").read_bytes() == b"model"


def test_answers_belong_to_a_file_and_its_images(store: Store, files: Path) -> None:
    store.keep("key", files, {})
    logits = np.arange(6, dtype=np.float32).reshape(2, 3)
    answers = Answers(logits, np.array([1.0, 3.0]), {"engine": "x", "threads": 1})
    store.keep_answers("key", "images", 1, answers)
    found = store.find_answers("key", "images", 1)
    assert found is not None
    np.testing.assert_array_equal(found.outputs, logits)
    assert (found.latency_ms, found.facts) == (2.0, {"engine": "x", "threads": 1})
    assert store.find_answers("key", "other images", 1) is None
    assert store.find_answers("key", "images", 2) is None
    assert store.find_answers("other", "images", 1) is None


def test_checks_belong_to_a_file_and_to_what_checked_it(store: Store, files: Path) -> None:
    store.keep("key", files, {})
    check = EngineCheck(status="passed", by="a tool", capabilities=("SM86",), findings=("one",))
    store.keep_check("key", {"tool": "1"}, check)
    assert store.find_check("key", {"tool": "1"}) == check
    assert store.find_check("key", {"tool": "2"}) is None
    assert store.find_check("key", {}) is None
    assert store.find_check("other", {"tool": "1"}) is None


def test_the_longest_unused_go_first(
    store: Store, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_KEPT", 2)
    for place, key in enumerate(("a", "b")):
        store.keep(key, files, {})
        os.utime(tmp_path / "store" / key, (place, place))
    assert store.find("a") is not None  # and used just now
    store.keep("c", files, {})
    assert [key for key in "abc" if store.find(key)] == ["a", "c"]


def test_hash_of_an_array_tells_type_and_shape() -> None:
    flat = np.zeros(4, np.uint8)
    hashes = {array_sha256(a) for a in (flat, flat.reshape(2, 2), flat.view(np.int8), flat + 1)}
    assert len(hashes) == 4
    assert array_sha256(np.zeros((4, 2), np.uint8)[:, 0]) == array_sha256(flat)


def test_a_new_module_anywhere_below_lowering_makes_every_file_another_one(
    tmp_path: Path,
) -> None:
    """A copy of the package with one more module, in every place that lowering may import."""
    package = Path(storing.__file__).parent.parent
    home = tmp_path / "edgekd"
    shutil.copytree(package, home, ignore=shutil.ignore_patterns("__pycache__"))
    before = tree_sha256(home, storing.ABOVE)
    assert before == code_sha256()
    seen = {before}
    for folder in ("", "lower", "lower/backends/new", "models", "data", "runtime/sessions"):
        new = home / folder / "new_module.py"
        new.parent.mkdir(exist_ok=True)
        new.write_text("VALUE = 1\n")
        tree_sha256.cache_clear()
        seen.add(tree_sha256(home, storing.ABOVE))
    assert len(seen) == 7
    (home / "cli" / "new_module.py").write_text("VALUE = 1\n")
    tree_sha256.cache_clear()
    assert tree_sha256(home, storing.ABOVE) in seen


def test_what_is_left_out_of_the_hash_is_what_lowering_must_not_import() -> None:
    """By the contract that import-linter holds."""
    settings = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    (listed,) = re.findall(r"(?s)layers = \[(.*?)\]", settings)
    layers = [line.split(" | ") for line in re.findall(r'"(.*?)"', listed)]
    place = next(index for index, layer in enumerate(layers) if "lower" in layer)
    # A task is above lowering, which still calls it: its code takes part.
    above = {name for layer in layers[: place + 1] for name in layer} - {"lower", "tasks"}
    assert {name.removesuffix(".py") for name in storing.ABOVE} == above


def test_graph_of_subclasses_and_a_third_partys_version_and_code_are_in_the_key(
    store: Store, tmp_path: Path
) -> None:
    card = make_card()
    keys = {store.key(card, "onnx", FP32, None)}
    keys.add(
        store.key(
            changed(card, subclasses={"mel": ("a", "b"), "nv": ("c",), "bkl": ("d",)}),
            "onnx",
            FP32,
            None,
        )
    )
    assert len(keys) == 2
    for name, version in (("first", "1.0"), ("second", "1.1"), ("third", "1.1")):
        with pytest.MonkeyPatch.context() as patch:
            third_party.install(tmp_path / name, patch, version=version)
            if name == "third":
                module = tmp_path / name / "third_party_backends.py"
                module.write_text(module.read_text() + "# mended\n")
            assert providers_of("onnx") == ()
            keys.add(store.key(card, "sound", FP32, None))
    assert len(keys) == 5
