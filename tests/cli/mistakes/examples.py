"""A good example of everything that a verb reads."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.cli import main
from edgekd.cli.places import Reads, Writes
from mistakes.verbs import REQUIRED_WORDS, Verb

if TYPE_CHECKING:
    from edgekd.models import ModelCard

HERE = Path("examples")
OUT = Path(f"out-{os.getpid()}")
"""What commands write to, apart for each worker: another one's files would look like theirs."""
CLASSES = ("bkl", "mel", "nv")


def make_examples(folder: Path) -> None:
    """One good example of each of `Reads`, below `folder`/examples."""
    base = folder / HERE
    photos, labels = make_photos(base)
    _make_small_files(base)
    make_bundle(base)
    card = _make_run(base, photos, labels)
    make_predictions(base)
    _make_unfinished_bundle(base, card)
    make_result(base)


def make_photos(base: Path) -> tuple[list[Path], list[str]]:
    """Photos with their table of labels, one of them by itself, and a video."""
    from tiny_bundles import ANSWER, REFER, write_photo, write_video

    images = base / "images"
    images.mkdir(parents=True)
    photos = [write_photo(images / f"{n}.png", (ANSWER, REFER)[n % 2]) for n in range(144)]
    labels = ["bkl" if n % 2 == 0 else "nv" for n in range(144)]
    table = "".join(f"{photo.name},{label}\n" for photo, label in zip(photos, labels, strict=True))
    (base / "table.csv").write_text(f"image,label\n{table}")
    shutil.copy(photos[0], base / "photo.png")
    write_video(base / "video.avi", [ANSWER, REFER])
    return photos, labels


def _make_small_files(base: Path) -> None:
    from model_files import write_onnx
    from tiny_page import make_page

    (base / "recipe.yaml").write_text(_RECIPE.format(base=base))
    (base / "space.yaml").write_text("student.fit.learning_rate: {low: 1.0e-3, high: 1.0e-2}\n")
    (base / "meter.csv").write_text("time,watts\n1700000000.0,3.0\n1700000001.0,3.1\n")
    code = {"system": "http://snomed.info/sct", "code": "93655004", "display": "Melanoma"}
    (base / "answers.yaml").write_text("use:\n  purpose: to refer\n  users: [nurses]\n")
    margin = "margins:\n  - {figure: not_answered, worse: 0.5}\n"
    (base / "plan.yaml").write_text(f"name: seeds\nmay_change: [method]\n{margin}")
    (base / "codes.json").write_text(json.dumps({"mel": code}))
    write_onnx(base / "foreign.onnx")
    make_page(base / "page")
    (base / "wheels").mkdir()
    (base / "wheels" / "numpy-2.2.0-cp311-cp311-manylinux_2_17_aarch64.whl").write_bytes(b"PK")


def make_bundle(base: Path) -> None:
    """A signed bundle and the keys."""
    import msgspec
    from enrolling import FEATURES
    from tiny_bundles import write_tiny_bundle

    from edgekd.bundle import generate_key, sign_bundle

    write_tiny_bundle(base / "bundle", features=FEATURES)
    (base / "bundle-selftest.npz").unlink(missing_ok=True)
    generate_key(base / "key.pem", base / "key.pub.pem")
    sign_bundle(base / "bundle", base / "key.pem")
    shutil.copytree(base / "bundle", base / "phone")
    manifest = msgspec.json.decode((base / "phone" / "manifest.json").read_bytes())
    manifest["lowering"]["backend"] = "tflite"  # what the app of the phone has
    (base / "phone" / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    sign_bundle(base / "phone", base / "key.pem")


def _make_run(base: Path, photos: list[Path], labels: list[str]) -> ModelCard:
    """A run of an untrained student and a bundle."""
    import msgspec
    from cards import make_card

    from edgekd.data import read_split
    from edgekd.models import create_network, save_checkpoint
    from edgekd.runtime.preprocess import RULE

    images, student = base / "images", base / "run" / "student"
    student.mkdir(parents=True)
    parts = ["train"] * 5 + ["validation"] * 4 + ["test"]  # evidence enough for a gate
    lines = [
        f"{photo.name},{label},{n},{parts[n % 10]}\n"
        for n, (photo, label) in enumerate(zip(photos, labels, strict=True))
    ]
    (student / "split.csv").write_text(f"image,label,group,part\n{''.join(lines)}")
    (student / "metrics.json").write_text("{}")
    split = read_split(student / "split.csv", images, name="none", classes=CLASSES)
    plain = make_card()
    data = msgspec.structs.replace(plain.data, root=str(images), sha256=split.sha256())
    card = msgspec.structs.replace(plain, classes=CLASSES, data=data, resize=RULE)
    for folder in (student, base / "teacher"):  # each with weights of its own
        folder.mkdir(exist_ok=True)
        network = create_network(card.arch, card.outputs, card.arch_options)
        save_checkpoint(folder, network, card)
    shutil.copytree(base / "bundle", base / "run" / "bundles" / "cpu")
    return card


def make_predictions(base: Path) -> None:
    """What two methods of two seeds predict for twelve images."""
    import numpy as np

    from edgekd.distill.comparison.predictions import (
        ComparedMethod,
        PredictionFacts,
        Predictions,
        TestedPart,
    )

    facts = PredictionFacts(
        data="none", classes=CLASSES, ordered=False, images={}, split_sha256="", seeds=(0, 1),
        methods=tuple(ComparedMethod(name=name, method=name) for name in ("none", "kd")),
    )  # fmt: skip
    labels = np.arange(12) % 3
    outputs = np.random.default_rng(0).normal(size=(2, 2, 12, 3)).astype(np.float32)
    tested = (TestedPart(labels, np.arange(12), outputs),)
    Predictions(facts, tested).save(base / "predictions.npz")


def _make_unfinished_bundle(base: Path, card: ModelCard) -> None:
    """A bundle whose engine its device has to build, and the evidence that it is held against."""
    import msgspec
    import numpy as np
    from manifests import make_manifest

    from edgekd.bundle import write_bundle
    from edgekd.lower.evidence.device_gate import Evidence, Terms
    from edgekd.policy import load_policy

    policy = load_policy("none")
    terms = Terms(
        classes=card.classes, limits=policy.gate, critical={}, rule=policy.decision, exact=False,
        fitted_on={},
    )  # fmt: skip
    logits = np.zeros((4, 3), np.float32)
    pixels = np.zeros((4, 16, 16, 3), np.uint8)
    evidence = Evidence(pixels, logits, np.zeros(4, np.int64), terms)
    sha256 = evidence.save(base / "evidence.npz")
    lowering = msgspec.structs.replace(
        make_manifest().lowering, target="jetson", backend="tensorrt",
        completion="finish-on-device", completion_command="it", evidence_sha256=sha256,
    )  # fmt: skip
    manifest = make_manifest(lowering=lowering, model_file="model.onnx")
    write_bundle(base / "unfinished", manifest, {"model.onnx": base / "bundle" / "model.onnx"})


def make_result(base: Path) -> None:
    """The result of `edgekd eval`, with times as `edgekd bench` would measure them."""
    import msgspec
    import numpy as np

    from edgekd.bench.result import Latency
    from edgekd.bench.result.file import read_result, write_result
    from edgekd.bench.result.statistics import summarise

    done = main(
        ["eval", str(base / "bundle"), "--csv", str(base / "table.csv"), "--json",
         str(base / "validated.json")]
    )  # fmt: skip
    assert done == 0
    result = read_result(base / "validated.json")
    spans = summarise(np.full(100, 2.0) + np.arange(100) / 100)
    latency = Latency(model=spans, end_to_end=spans, load_ms=1.0, first_ms=2.0)
    timed = [msgspec.structs.replace(row, latency_ms=latency) for row in result.rows]
    write_result(base / "result.json", msgspec.structs.replace(result, rows=timed))


_RECIPE = """\
name: table
image_size: 32
data: {{source: csv, file: {base}/table.csv, root: {base}/images}}
teacher:
  model: {{arch: resnet10t}}
student:
  model: {{arch: mobilenetv2_035}}
"""

EXAMPLES = {
    Reads.BUNDLE: "bundle",
    Reads.CHECKPOINT: "run/student",
    Reads.MODEL: "run/student",
    Reads.FOREIGN: "foreign.onnx",
    Reads.RUN: "run",
    Reads.RECIPE: "recipe.yaml",
    Reads.SPACE: "space.yaml",
    Reads.PHOTO: "photo.png",
    Reads.VIDEO: "video.avi",
    Reads.IMAGES: "images",
    Reads.DATA: "table.csv",
    Reads.TABLE: "table.csv",
    Reads.OWN_IMAGES: "table.csv",
    Reads.RESULT: "result.json",
    Reads.EVIDENCE: "evidence.npz",
    Reads.PRIVATE_KEY: "key.pem",
    Reads.PUBLIC_KEY: "key.pub.pem",
    Reads.METER: "meter.csv",
    Reads.PREDICTIONS: "predictions.npz",
    Reads.WHEELHOUSE: "wheels",
    Reads.CODES: "codes.json",
    Reads.ANSWERS: "answers.yaml",
    Reads.PLAN: "plan.yaml",
    Reads.PAGE: "page",
}
EXAMPLES_FOR = {
    ("build", "bundle"): "phone",
    ("build", "on_device"): "unfinished",
    ("build", "teacher"): "teacher",
    ("dossier", "result"): "validated.json",
}
"""Where a verb takes a special one."""

SUFFIX_FOR = {"logits": ".csv"}
"""Of outputs whose name says what is written."""

PARTS = {
    Reads.BUNDLE: ("manifest.json", "model.onnx"),
    Reads.CHECKPOINT: ("model.json", "model.safetensors"),
    Reads.MODEL: ("model.json", "model.safetensors"),
    Reads.RUN: ("student/model.json",),
    Reads.PAGE: ("engines.json",),
}
"""Files that each example that is a folder cannot do without."""

OF_EDGEKD = (
    Reads.BUNDLE, Reads.CHECKPOINT, Reads.MODEL, Reads.RUN, Reads.RESULT, Reads.EVIDENCE,
    Reads.PREDICTIONS,
)  # fmt: skip
"""What edgekd wrote itself: damaged, it is exit 6."""


def good_words(verb: Verb, form: dict[str, Reads | Writes], folder: Path) -> dict[str, str]:
    """A value for each place of the form and for what else is required, by parameter."""
    values = {}
    for name, parameter in verb.parameters.items():
        if name in form:
            place = form[name]
            if isinstance(place, Reads):
                own = EXAMPLES_FOR.get((verb.name, name), EXAMPLES[place])
                values[name] = str(folder / HERE / own)
            else:
                values[name] = str(folder / OUT / f"{name}{SUFFIX_FOR.get(verb.name, '.svg')}")
        elif parameter.required:
            values[name] = REQUIRED_WORDS[name]
    return values
