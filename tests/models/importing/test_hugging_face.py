from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from colours import CLASSES, HALF
from timm.models import save_for_hf

from edgekd.errors import InputError
from edgekd.models.importing.hugging_face import read, recognises
from edgekd.models.importing.imported import import_model
from edgekd.models.importing.request import ImportRequest

TINY: dict[str, Any] = {"channels": [8, 16, 16, 24], "stem_width": 8}


@pytest.fixture
def transformers() -> Any:
    return pytest.importorskip("transformers", reason="pip install 'edgekd[transformers]'")


def test_a_classifier_of_transformers(tmp_path: Path, transformers: Any) -> None:
    from model_files import write_hugging_face

    network = write_hugging_face(tmp_path / "hf")
    checkpoint = import_model(ImportRequest(tmp_path / "hf"), tmp_path / "out")
    card = checkpoint.card
    assert card.classes == CLASSES
    assert (card.arch, card.image_size) == ("transformers:ResNetForImageClassification", 32)
    assert (card.mean, card.std) == (HALF, HALF)
    assert card.takes is not None
    assert (card.takes.resize, card.takes.fraction) == ("shorter-side", 0.875)
    assert card.imported is not None
    assert card.imported.assumed == ()
    pixels = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        original = network(pixel_values=(pixels - 0.5) / 0.5).logits.softmax(1)
        assert (checkpoint.normalised()(pixels).softmax(1) - original).abs().max() < 1e-5


def write_timm(folder: Path, **config: Any) -> torch.nn.Module:
    network = timm.create_model("resnet10t", num_classes=4, **TINY).eval()
    known = {"label_names": list(CLASSES), "model_args": TINY}
    save_for_hf(network, folder, model_config=known | config, safe_serialization=True)
    return network


def test_a_network_of_timm(tmp_path: Path) -> None:
    network = write_timm(tmp_path / "hf")
    assert recognises(tmp_path / "hf", b"")
    model = read(ImportRequest(tmp_path / "hf"))
    assert (model.arch, model.names) == ("resnet10t", CLASSES)
    assert model.preprocessing[0].origin == "the folder's configuration"
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert model.network(images).equal(network(images))


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | changes))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").write_text("{}"), "names no architecture"),
        (lambda f: edit(f, architecture="resnet-10"), "no architecture"),
        (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 90), "cannot be read"),
        (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "in several files"),
    ],
)
def test_folders_that_are_none(tmp_path: Path, spoil: Any, words: str) -> None:
    write_timm(tmp_path / "hf")
    spoil(tmp_path / "hf")
    with pytest.raises(InputError, match=words):
        read(ImportRequest(tmp_path / "hf"))


def test_code_in_a_folder_is_not_run(tmp_path: Path) -> None:
    config = {"architectures": ["X"], "auto_map": {"AutoModel": "modeling_x.X"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="brings code of its own"):
        read(ImportRequest(tmp_path))


PROCESSORS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    ({"size": {"shortest_edge": 256}, "do_center_crop": True,
      "crop_size": {"height": 224, "width": 224}, "resample": 3},
     (224, "shorter-side", 224 / 256, "bicubic")),
    ({"size": {"height": 224, "width": 224}}, (224, "squash", 1.0, "bilinear")),
    ({"size": 224}, (224, "squash", 1.0, "bilinear")),
    ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, "shorter-side", 0.875, "bilinear")),
    ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, (384, "squash", 1.0, "bilinear")),
    ({"size": {"height": 256, "width": 256}, "do_center_crop": True,
      "crop_size": {"height": 224, "width": 224}}, (224, "squash", 224 / 256, "bilinear")),
]  # fmt: skip


@pytest.mark.parametrize(("config", "expected"), PROCESSORS)
def test_processors(config: dict[str, Any], expected: tuple[Any, ...]) -> None:
    from edgekd.models.importing.hugging_face import preprocessing_of_processor

    known = preprocessing_of_processor(config)
    assert (known.size, known.resize, known.fraction, known.interpolation) == expected


def test_numbers_of_a_processor_are_those_of_pixels_in_0_to_1() -> None:
    from edgekd.models.importing.hugging_face import preprocessing_of_processor

    plain = preprocessing_of_processor({"size": 224, "do_normalize": False})
    assert plain.mean == pytest.approx((0.0,) * 3)
    assert plain.std == pytest.approx((1.0,) * 3)
    bytes_in = {
        "size": 224,
        "do_rescale": False,
        "image_mean": [127.5] * 3,
        "image_std": [51.0] * 3,
    }
    known = preprocessing_of_processor(bytes_in)
    assert known.mean == pytest.approx((0.5,) * 3)
    assert known.std == pytest.approx((0.2,) * 3)
    with pytest.raises(InputError, match="224 by 112 px"):
        preprocessing_of_processor({"size": {"height": 224, "width": 112}})
