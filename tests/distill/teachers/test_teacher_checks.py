"""Methods that several teachers, views or a cache cannot serve, and what else is refused."""

from __future__ import annotations

import msgspec
import pytest
from small_runs import record_stages, run

from edgekd.distill.methods import load_method, method_names
from edgekd.errors import InputError

TAKEN = {
    name: load_method(name).teacher_by(load_method(name).Config())
    for name in method_names()
    if load_method(name).needs_teacher
}
FEATURES = [name for name, taken in TAKEN.items() if taken != "outputs"]
UNKEPT = {"maps": "feature maps", "gradients": "gradients through the teacher's layers"}
"""What no cache keeps, in the words of the refusal."""


@pytest.mark.parametrize("name", FEATURES)
def test_a_method_of_features_is_refused_by_name(
    recipe, teacher, taught, tmp_path, monkeypatch, name
):
    section = {"checkpoint": str(teacher)}
    trained = record_stages(monkeypatch)
    with pytest.raises(InputError, match=f"the method {name} takes .*`teachers` do not average"):
        run(recipe(teachers=[section, section], teacher={}, method={"name": name}), tmp_path)
    views = {**section, "views": 2}
    with pytest.raises(InputError, match=r"`teacher\.views` do not average"):
        run(recipe(teacher=views, method={"name": name}), tmp_path)
    assert trained == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for name in FEATURES if TAKEN[name] in UNKEPT])
def test_a_method_of_maps_is_refused_with_a_cache(recipe, teacher, taught, tmp_path, name):
    section = {"checkpoint": str(teacher), "cache": {"views": 2}}
    with pytest.raises(InputError, match=f"{name} takes {UNKEPT[TAKEN[name]]}, .* does not keep"):
        run(recipe(teacher=section, method={"name": name}), tmp_path)


def test_a_cache_has_one_size(recipe, teacher, taught, tmp_path):
    student = msgspec.to_builtins(recipe().student)
    student["fit"]["image_sizes"] = [16, 32]
    section = {"checkpoint": str(teacher), "cache": {"views": 2}}
    with pytest.raises(InputError, match="outputs for one size"):
        run(recipe(teacher=section, student=student), tmp_path)


@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_mixed_images_are_not_in_a_cache(recipe, teacher, taught, tmp_path, mixing):
    section = {"checkpoint": str(teacher), "cache": {"views": 2}}
    with pytest.raises(InputError, match="the recipe mixes them"):
        run(recipe(teacher=section, augment={mixing: 0.4}), tmp_path)
