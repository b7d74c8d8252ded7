"""From a file to a checkpoint, for every kind: what it answers, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from colours import CLASSES, HALF, as_its_owner, colours_network, painted, write_package
from model_files import write_exported, write_lightning, write_onnx, write_torchscript

from edgekd.errors import InputError
from edgekd.files import sha256_of
from edgekd.models import load_checkpoint, logits_of, read_card
from edgekd.models.importing.imported import import_model
from edgekd.models.importing.own_rule import view_of
from edgekd.models.importing.request import ImportRequest, Preprocessing
from edgekd.models.trust import TRUSTED

OWN = Preprocessing(size=32, mean=HALF, std=HALF, fraction=32 / 36, origin="the test")
Write = Callable[[Path], Path]


@pytest.fixture(autouse=True)
def _somebodys_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(tmp_path / "site", "importable_networks")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(__import__("sys").modules, "importable_networks", raising=False)
    monkeypatch.setenv(TRUSTED, "")


def write_state(file: Path) -> Path:
    torch.save({"epoch": 1, "model": colours_network().state_dict()}, file)
    return file


def request(source: Path, **changed: Any) -> ImportRequest:
    known = {"classes": CLASSES, "preprocessing": OWN, "trust_code": True}
    if source.suffix in (".pth", ".ckpt"):
        known["arch"] = "importable_networks:Colours"
    return ImportRequest(source, **(known | changed))


def images() -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [painted(name, random, (41, 57)) for name in CLASSES]


KINDS: dict[str, tuple[str, Write]] = {
    "state dict": ("a.pth", write_state),
    "Lightning": ("a.ckpt", lambda file: write_lightning(file, colours_network().state_dict())),
    "ONNX": ("a.onnx", write_onnx),
    "ONNX, NHWC": ("b.onnx", lambda file: write_onnx(file, layout="NHWC")),
    "ONNX, one by one": ("c.onnx", lambda file: write_onnx(file, batch=1)),
    "ExportedProgram": ("a.pt2", write_exported),
    "TorchScript": ("a.pt", write_torchscript),
}


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_those_of_the_original(tmp_path: Path, kind: str) -> None:
    name, write = KINDS[kind]
    checkpoint = import_model(request(write(tmp_path / name)), tmp_path / "out")
    card = checkpoint.card
    with torch.no_grad():
        original = colours_network()(torch.stack([as_its_owner(image) for image in images()]))
    assert card.takes is not None
    pixels = np.stack([view_of(image, 32, card.takes) for image in images()])
    outputs = torch.from_numpy(logits_of(checkpoint.normalised(), pixels))
    assert (outputs.softmax(1) - original.softmax(1)).abs().max() < 1e-5
    assert outputs.argmax(1).tolist() == [0, 1, 2, 3]
    assert card.imported is not None
    assert card.imported.sha256 == sha256_of(tmp_path / name)
    assert card.outputs_alone == (kind not in ("state dict", "Lightning"))
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files == {"model.json", "seal.json", card.weights}


@pytest.mark.parametrize("softmax", [True, False])
def test_a_softmax_inside_is_noticed_and_undone(tmp_path: Path, softmax: bool) -> None:
    lines: list[str] = []
    write_onnx(tmp_path / "a.onnx", softmax=softmax)
    checkpoint = import_model(request(tmp_path / "a.onnx"), tmp_path / "out", lines.append)
    assert any("a softmax is inside" in line for line in lines) == softmax
    pixels = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        logits, original = checkpoint.normalised()(pixels), colours_network()((pixels - 0.5) / 0.5)
    torch.testing.assert_close(logits.softmax(1), original.softmax(1), atol=1e-5, rtol=0)


def test_classes_are_renamed_summed_and_dropped(tmp_path: Path) -> None:
    lines: list[str] = []
    mapping = {"red": "colour", "blue": "colour", "grey": ""}
    source = write_state(tmp_path / "a.pth")
    checkpoint = import_model(request(source, mapping=mapping), tmp_path / "out", lines.append)
    assert checkpoint.card.classes == ("colour", "white")
    assert "colour is the sum of red, blue" in lines
    pixels = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        probabilities = checkpoint.normalised()(pixels).softmax(1)
        original = colours_network()((pixels - 0.5) / 0.5).softmax(1)
    summed = torch.stack([original[:, 0] + original[:, 1], original[:, 3]], dim=1)
    torch.testing.assert_close(probabilities, summed / summed.sum(1, keepdim=True))


def test_exchanged_colours(tmp_path: Path) -> None:
    source = write_state(tmp_path / "a.pth")
    own = Preprocessing(size=32, mean=HALF, std=HALF, channels="BGR")
    checkpoint = import_model(request(source, preprocessing=own), tmp_path / "out")
    pixels = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        original = colours_network()((pixels.flip(1) - 0.5) / 0.5)
        torch.testing.assert_close(checkpoint.normalised()(pixels), original)


def test_outputs_in_a_dictionary_and_a_single_output(tmp_path: Path) -> None:
    source = write_state(tmp_path / "a.pth")
    options = {"answer": "dict"}
    checkpoint = import_model(request(source, options=options), tmp_path / "out")
    assert checkpoint.card.gives is not None
    assert checkpoint.card.gives.key == "logits"
    network = colours_network(classes=4)
    state = {k: v[:1] if k.startswith("fc.") else v for k, v in network.state_dict().items()}
    torch.save(state, tmp_path / "one.pth")
    single = request(tmp_path / "one.pth", classes=("other", "red"), options={"classes": 1})
    checkpoint = import_model(single, tmp_path / "one")
    pixels = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        original = network((pixels - 0.5) / 0.5)[:, 0].sigmoid()
        probabilities = checkpoint.normalised()(pixels).softmax(1)
    torch.testing.assert_close(probabilities[:, 1], original, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"classes": CLASSES[:3]}, "has 4 outputs, and 3 classes are named"),
        ({"classes": None}, "does not name its 4 classes"),
        ({"arch": "resnet18"}, "are not those of resnet18"),
        ({"arch": None}, "no architecture of timm or torchvision"),
        ({"arch": "importable_networks:NoNetwork"}, "no class of networks"),
        ({"arch": "importable_networks:bad"}, "no class of networks"),
        ({"options": {"width": 3}}, "cannot be made with"),
        ({"trust_code": False}, "is code"),
    ],
    ids=str,
)  # fmt: skip
def test_refusals_leave_nothing(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    source = write_state(tmp_path / "a.pth")
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match=words) as caught:
        import_model(request(source, **changed), tmp_path / "out")
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_leaves_nothing(tmp_path: Path, kind: str) -> None:
    name, write = KINDS[kind]
    source = write(tmp_path / name)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        import_model(request(source), tmp_path / "out")
    assert "\n" not in caught.value.message
    assert set(tmp_path.iterdir()) == before


def test_a_folder_with_other_content_is_not_replaced(tmp_path: Path) -> None:
    source, out = write_state(tmp_path / "a.pth"), tmp_path / "out"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no earlier import"):
        import_model(request(source), out)
    (out / "diary.txt").unlink()
    import_model(request(source), out)
    import_model(request(source, role="student"), out)
    assert read_card(out).role == "student"


def test_code_is_not_run_for_whoever_reads_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_model(request(write_state(tmp_path / "a.pth")), tmp_path / "out")
    assert os.environ[TRUSTED] == "importable_networks"
    monkeypatch.setenv(TRUSTED, "another_package")
    with pytest.raises(InputError, match="is code") as caught:
        load_checkpoint(tmp_path / "out")
    assert "EDGEKD_TRUST_CODE=importable_networks" in caught.value.hint
    monkeypatch.setenv(TRUSTED, "another_package, importable_networks")
    load_checkpoint(tmp_path / "out")


def test_what_was_assumed_stands_in_the_card(tmp_path: Path) -> None:
    write_onnx(tmp_path / "a.onnx")
    import_model(ImportRequest(tmp_path / "a.onnx", CLASSES), tmp_path / "out")
    card = json.loads((tmp_path / "out" / "model.json").read_bytes())
    assert set(card["imported"]["assumed"]) == {
        "mean", "std", "resize", "fraction", "interpolation", "channels",
    }  # fmt: skip
    assert card["training"]["method"] == "imported"
