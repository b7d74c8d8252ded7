"""Models that others trained, the whole way: import, check, distil, build, verify."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lenient
import numpy as np
import pytest
import timm
import torch
import torchvision
from colours import CLASSES, as_its_owner, colours_network, paint, write_package
from model_files import (
    write_exported,
    write_hugging_face,
    write_lightning,
    write_onnx,
    write_torchscript,
)
from PIL import Image
from torch import Tensor, nn

from edgekd.cli import main
from edgekd.models import load_checkpoint, logits_of
from edgekd.models.importing.own_rule import own_view
from edgekd.models.trust import TRUSTED
from edgekd.runtime import Classifier

PACKAGE = "networks_of_a_hospital"
OWN_CLASS = ("--arch", f"{PACKAGE}:Colours", "--trust-code")
NAMES = ("--classes", ",".join(CLASSES))
SEEN = ("--size", "32", "--mean", "0.5", "--std", "0.5", "--resize", "shorter-side",
        "--crop", "0.8888889", "--interpolation", "bilinear")  # fmt: skip
"""As `as_its_owner`: a shorter side of 36 px, of which the centre square of 32 is shown."""

RECIPE = """
name: colours
image_size: 32
policy: {policy}
data: {{source: csv, file: {table}, root: {root}}}
split: {{validation: 0.45, test: 0.1}}
trainer: {{accelerator: cpu, precision: fp32, threads: 1}}
teacher: {{checkpoint: {teacher}}}
student:
  model: {{arch: resnet10t, options: {{channels: [4, 8, 8, 16], stem_width: 4, act_layer: relu6}}}}
  fit: {{epochs: 4, batch_size: 16, learning_rate: 1.0e-2}}
method: {{name: {method}}}
"""

FLOAT = ("--precision", "fp32", "--research", "--critical", "none")
"""How bundles are built: no policy names these classes."""

Original = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: Name of the file or folder.
        write: Writes it; returns the network that is in it.
        arguments: What `edgekd import` is told of it.
        features: Whether it gives features.
        by_hand: Whether it is the network that tells all colours.
    """

    name: str
    write: Callable[[Path], Original]
    arguments: tuple[str, ...] = NAMES
    features: bool = True
    by_hand: bool = True


def of_colours(write: Callable[[Path, nn.Module], object]) -> Callable[[Path], Original]:
    def written(place: Path) -> Original:
        network = colours_network()
        write(place, network)
        return network

    return written


def settled(network: nn.Module) -> nn.Module:
    """Random weights, with statistics that fit them and answers that differ between images."""
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(20):
            network.train()(torch.rand(8, 3, 32, 32, generator=random) * 2 - 1)
        network.get_parameter("fc.weight").mul_(10)
    return network.eval()


def write_torchvision(file: Path) -> Original:
    torch.manual_seed(0)
    network = settled(torchvision.models.resnet50(num_classes=4, width_per_group=4))
    torch.save(network.state_dict(), file)
    return network


def write_timm(file: Path) -> Original:
    torch.manual_seed(0)
    options = {"channels": [4, 8, 8, 16], "stem_width": 4}
    network = settled(timm.create_model("resnet10t", num_classes=4, **options))
    torch.save({"model": network.state_dict()}, file)
    return network


def write_folder(folder: Path) -> Original:
    pytest.importorskip("transformers", reason="pip install 'edgekd[transformers]'")
    network = write_hugging_face(folder)
    return lambda images: network(pixel_values=images).logits


KINDS = {
    "torchvision .pth": Kind(
        "a.pth", write_torchvision,
        (*NAMES, "--arch", "torchvision:resnet50", "--kwargs", '{"width_per_group": 4}'),
        by_hand=False,
    ),
    "timm .pth": Kind(
        "b.pth", write_timm,
        (*NAMES, "--arch", "resnet10t", "--kwargs", '{"channels": [4, 8, 8, 16], "stem_width": 4}'),
        by_hand=False,
    ),
    "Lightning .ckpt": Kind(
        "c.ckpt", of_colours(lambda file, network: write_lightning(file, network.state_dict())),
        (*NAMES, *OWN_CLASS),
    ),
    "Hugging Face": Kind("hf", write_folder, (), by_hand=False),
    "ONNX": Kind("d.onnx", of_colours(write_onnx), features=False),
    "ExportedProgram": Kind("e.pt2", of_colours(write_exported), features=False),
    "TorchScript": Kind("f.pt", of_colours(write_torchscript), features=False),
    "a class of a package": Kind(
        "g.pth", of_colours(lambda file, network: torch.save(network.state_dict(), file)),
        (*NAMES, *OWN_CLASS),
    ),
}  # fmt: skip
QUICK = ("ONNX",)
_MODULES = ("ExportedProgram", "torchvision .pth", "timm .pth")
IN_TURN = [
    pytest.param(kind, marks=[] if kind in QUICK else [pytest.mark.slow], id=kind) for kind in KINDS
]


@pytest.fixture
def hospital(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Labelled images, and a package of somebody's own."""
    paint(tmp_path, each=30)
    write_package(tmp_path / "site", PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv(TRUSTED, "")
    yield tmp_path
    sys.modules.pop(PACKAGE, None)


def imported(folder: Path, kind: str) -> tuple[Path, Original]:
    """The import of a kind of file, and the network that is in the file."""
    source, out = folder / KINDS[kind].name, folder / "imported"
    original = KINDS[kind].write(source)
    command = ["import", str(source), "--out", str(out), *KINDS[kind].arguments, *SEEN]
    assert main([*command, "--check", str(folder / "labels.csv")]) == 0
    return out, original


def write_recipe(folder: Path, teacher: Path, method: str) -> Path:
    recipe = folder / f"{method}.yaml"
    recipe.write_text(RECIPE.format(
        table=folder / "labels.csv", root=folder, teacher=teacher, method=method,
        policy=lenient.POLICY,
    ))  # fmt: skip
    return recipe


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_those_of_the_original(
    hospital: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the original's own preprocessing, which torchvision and Pillow make of the image files."""
    folder, original = imported(hospital, kind)
    assert ("accuracy 1.000" in capsys.readouterr().out) == KINDS[kind].by_hand
    checkpoint = load_checkpoint(folder)
    assert checkpoint.card.outputs_alone != KINDS[kind].features
    assert checkpoint.card.takes is not None
    files = sorted((hospital / "images").iterdir())[::5]
    views = np.stack([own_view(file, 32, checkpoint.card.takes) for file in files])
    made = torch.from_numpy(logits_of(checkpoint.normalised(), views)).softmax(1)
    owners = [as_its_owner(np.asarray(Image.open(file))) for file in files]
    with torch.no_grad():
        expected = original(torch.stack(owners)).softmax(1)
    assert (made - expected).abs().max() < 1e-5
    assert (expected.amax(0) - expected.amin(0)).max() > 1e-3  # it does not answer all alike


@pytest.mark.parametrize("kind", IN_TURN)
def test_from_a_file_to_a_bundle(hospital: Path, kind: str) -> None:
    teacher, _ = imported(hospital, kind)
    run, bundles = hospital / "run", hospital / "bundles"
    assert main(["distill", str(write_recipe(hospital, teacher, "kd")), "--out", str(run)]) == 0
    build = ["build", "--target", "cpu-onnx", "--model", str(run), "--out", str(bundles)]
    assert main([*build, *FLOAT]) == 0
    assert main(["verify", str(bundles / "cpu-onnx-fp32")]) == 0
    relations = write_recipe(hospital, teacher, "rkd")
    arguments = ["distill", str(relations), "--out", str(hospital / "relations")]
    code = main([*arguments, "--set", "student.fit.epochs=1"])
    assert code == (0 if KINDS[kind].features else 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a class of a package", *_MODULES])
def test_an_import_is_built_with_images_of_ones_own(hospital: Path, kind: str) -> None:
    """Which no training has seen, as far as edgekd can know."""
    student, _ = imported(hospital, kind)
    build = ["build", "--target", "cpu-onnx", "--model", str(student), *FLOAT]
    build += ["--policy", str(lenient.POLICY)]
    build += ["--data", str(hospital / "labels.csv"), "--out", str(hospital / "bundles")]
    assert main(build) == 0
    bundle = hospital / "bundles" / "cpu-onnx-fp32"
    assert main(["verify", str(bundle)]) == 0
    with Classifier.open(bundle) as classifier:
        answers = {
            photo.stem.rstrip("0123456789"): classifier.predict(photo).label
            for photo in sorted((hospital / "images").iterdir())[::30]
        }
    if KINDS[kind].by_hand:
        assert answers == {name: name for name in CLASSES}


def test_an_imported_onnx_is_no_student(hospital: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher, _ = imported(hospital, "ONNX")
    capsys.readouterr()
    build = ["build", "--target", "cpu-onnx", "--model", str(teacher)]
    assert main([*build, "--out", str(hospital / "bundles")]) == 2
    assert "ONNX, which can teach a student but cannot be lowered" in capsys.readouterr().err


def test_a_class_of_ones_own_is_a_student(
    hospital: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taught, built and verified; each command runs its code only where that is allowed."""
    teacher, _ = imported(hospital, "ONNX")
    recipe, run = str(write_recipe(hospital, teacher, "kd")), str(hospital / "run")
    student = f"student.model={{arch: '{PACKAGE}:Colours'}}"
    distill = ["distill", recipe, "--out", run, "--set", student]
    build = ["build", "--target", "cpu-onnx", "--model", run, "--out", str(hospital / "bundles")]
    build += FLOAT
    for command in (distill, build):
        monkeypatch.setenv(TRUSTED, "")
        assert main(command) == 2
        assert f"give --trust-code, or set EDGEKD_TRUST_CODE={PACKAGE}" in capsys.readouterr().err
        assert main([*command, "--trust-code"]) == 0
        assert f"--trust-code: {PACKAGE}:Colours is imported and run" in capsys.readouterr().err
    assert main(["verify", str(hospital / "bundles" / "cpu-onnx-fp32")]) == 0
    card = json.loads((hospital / "run" / "student" / "model.json").read_bytes())
    assert card["arch"] == f"{PACKAGE}:Colours"
