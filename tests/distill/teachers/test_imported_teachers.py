"""Students of teachers that were imported, and of teachers that see a size of their own."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import record_stages, run, same, weights

from edgekd.distill.samples.batches import Batch
from edgekd.errors import InputError
from edgekd.models import load_checkpoint, read_card
from edgekd.models.importing.imported import import_model
from edgekd.models.importing.request import ImportRequest, Preprocessing
from edgekd.models.own_size import resized


def as_state_dict(teacher: Path, file: Path, order: list[int]) -> ImportRequest:
    """The teacher's weights with its classes in another order."""
    checkpoint = load_checkpoint(teacher)
    card, state = checkpoint.card, dict(checkpoint.network.state_dict())
    for name in ("fc.weight", "fc.bias"):
        state[name] = state[name][order]
    torch.save({"model": state}, file)
    known = Preprocessing(size=card.image_size, mean=card.mean, std=card.std)
    classes = tuple(card.classes[place] for place in order)
    return ImportRequest(
        file, classes, card.arch, card.arch_options, preprocessing=known
    )  # fmt: skip


def as_torchscript(request: ImportRequest, file: Path) -> ImportRequest:
    """The same network, traced."""
    network = import_model(request, file.with_suffix("")).network
    size = request.preprocessing.size or 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.rand(1, 3, size, size)).save(str(file))
    return ImportRequest(file, request.classes, preprocessing=request.preprocessing)


@pytest.fixture
def imported(taught, teacher, tmp_path) -> dict[str, Path]:
    """The teacher as two imports, its classes in another order."""
    count = len(read_card(teacher).classes)
    request = as_state_dict(teacher, tmp_path / "a.pth", list(range(count))[::-1])
    import_model(request, tmp_path / "native")
    import_model(as_torchscript(request, tmp_path / "a.pt"), tmp_path / "script")
    return {name: tmp_path / name for name in ("native", "script")}


TAUGHT_ALONE = {"name": "kd", "temperature": 1.0, "weight": 1.0}


def test_an_import_teaches_as_the_original_does(recipe, taught, imported, tmp_path):
    run(taught(method=TAUGHT_ALONE), tmp_path / "original")
    for name, folder in imported.items():
        made = recipe(teacher={"checkpoint": str(folder)}, method=TAUGHT_ALONE)
        lines = run(made, tmp_path / f"by-{name}")
        assert any("nothing says which images it was trained on" in line for line in lines)
        for key, tensor in weights(tmp_path / "original").items():
            found = weights(tmp_path / f"by-{name}")[key]
            torch.testing.assert_close(found, tensor, rtol=1e-3, atol=1e-5)
        metrics = json.loads((tmp_path / f"by-{name}" / "student" / "metrics.json").read_text())
        original = json.loads((tmp_path / "original" / "student" / "metrics.json").read_text())
        both = [each["teacher"]["validation"]["accuracy"]["value"] for each in (metrics, original)]
        assert both[0] == pytest.approx(both[1])


def test_features_where_there_are_features(recipe, imported, tmp_path, monkeypatch):
    method = {"name": "fitnet", "hint_epochs": 1}
    run(recipe(teacher={"checkpoint": str(imported["native"])}, method=method), tmp_path / "out")
    assert (tmp_path / "out" / "student" / "model.json").is_file()
    trained = record_stages(monkeypatch)
    section = {"checkpoint": str(imported["script"])}
    for name, takes in [("fitnet", "feature maps"), ("rkd", "pooled vectors")]:
        with pytest.raises(
            InputError, match=f"the method {name} takes {takes}, which the TorchScript"
        ):
            run(recipe(teacher=section, method={"name": name}), tmp_path / "refused")
    assert trained == []
    assert not (tmp_path / "refused").exists()


def test_another_preprocessing_of_the_same_weights_makes_another_student(
    recipe, taught, teacher, tmp_path
):
    count = len(read_card(teacher).classes)
    request = as_state_dict(teacher, tmp_path / "a.pth", list(range(count)))
    section = {"checkpoint": str(tmp_path / "import")}
    import_model(request, tmp_path / "import")
    run(recipe(teacher=section), tmp_path / "out")
    before = weights(tmp_path / "out")
    own = Preprocessing(size=32, mean=(0.1,) * 3, std=(0.5,) * 3)
    import_model(ImportRequest(request.source, request.classes, request.arch, request.options,
                               preprocessing=own), tmp_path / "import")  # fmt: skip
    run(recipe(teacher=section), tmp_path / "out", force=True)
    assert not same(before, weights(tmp_path / "out"))


@pytest.mark.parametrize("mapping", [{"{}": ""}, {"{}": "another"}])
def test_other_classes_are_refused_by_name(recipe, taught, teacher, tmp_path, mapping):
    card = read_card(teacher)
    request = as_state_dict(teacher, tmp_path / "a.pth", list(range(len(card.classes))))
    own = {name.format(card.classes[0]): label for name, label in mapping.items()}
    import_model(
        ImportRequest(request.source, request.classes, request.arch, request.options,
                      preprocessing=request.preprocessing, mapping=own),
        tmp_path / "import",
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        run(recipe(teacher={"checkpoint": str(tmp_path / "import")}), tmp_path / "out")
    assert card.classes[0] in caught.value.message + caught.value.hint
    assert not (tmp_path / "out" / "student" / "model.json").exists()


# A size of its own -------------------------------------------------------------------------


def test_teacher_and_student_see_the_same_view_at_their_sizes():
    raw = torch.rand(2, 3, 60, 60)

    def augment_both(pixels: Any, targets: Any) -> Any:
        return pixels[:, :, 6:54, 6:54], targets

    batch = Batch(raw, torch.zeros(2), torch.arange(2), augment_both=augment_both, side=32)
    assert batch.crops.equal(raw[:, :, 6:54, 6:54])
    assert batch.pixels.equal(resized(batch.crops, 32))
    assert batch.pixels.shape == (2, 3, 32, 32)
    same_size = Batch(raw, torch.zeros(2), torch.arange(2), augment_both=augment_both)
    assert same_size.pixels is same_size.crops


@pytest.mark.parametrize("size", [24, 48])
def test_a_teacher_of_another_size_sees_its_own(
    recipe, taught, teacher, tmp_path, monkeypatch, size
):
    """The teacher was trained at 32 px; the student sees 24 or 48."""
    sides: dict[str, set[int]] = {"teacher": set(), "student": set()}

    def record(module: Any, inputs: Any) -> None:
        if (
            isinstance(module, torch.nn.Conv2d)
            and module.in_channels == 3
            and module.stride[0] == 2
        ):
            kind = "teacher" if module.weight.requires_grad is False else "student"
            sides[kind].add(inputs[0].shape[-1])

    handle = torch.nn.modules.module.register_module_forward_pre_hook(record)
    try:
        run(taught(image_size=size, augment={"margin": 1.25, "crop": 0.8}), tmp_path)
    finally:
        handle.remove()
    assert sides["teacher"] == {32}
    assert size in sides["student"]
    assert read_card(tmp_path / "student").image_size == size


def test_the_teachers_own_size_is_cached_too(recipe, taught, teacher, tmp_path):
    section = {"checkpoint": str(teacher), "cache": {"views": 2}}
    augment = {"margin": 1.25, "crop": 0.8}
    run(recipe(teacher=section, image_size=24, augment=augment), tmp_path / "cached")
    live = recipe(teacher={"checkpoint": str(teacher)}, image_size=24, augment=augment)
    run(live, tmp_path / "live")
    assert not same(weights(tmp_path / "cached"), weights(tmp_path / "live"))  # other views
