"""What a run's folder offers: the bundles of a device by their manifest, its images by name."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from bench_results import CLASSES, full_result

from edgekd.bench.subjects.data import BenchData
from edgekd.bench.subjects.run_folder import RunSubjects, images_of_runs
from edgekd.bundle import zip_bundle
from edgekd.errors import ArtefactError, InputError


@pytest.fixture
def bundles(make_bundle: Any, tmp_path: Path) -> dict[str, Path]:
    """Bundles by the name of their folder or file, which need not say their target."""
    places = {"cpu": "cpu", "cpu-onnx": "cpu-onnx", "cpu-onnx-int8": "cpu-onnx", "of-ward-7": "rpi"}
    found = {}
    for name, target in places.items():
        found[name] = tmp_path / "bundles" / name
        shutil.copytree(make_bundle(target), found[name])
    found["rpi.edgekd"] = tmp_path / "bundles" / "rpi.edgekd"
    zip_bundle(make_bundle("rpi"), found["rpi.edgekd"])
    return found


def subjects(folder: Path, bundles: dict[str, Path], data: BenchData) -> RunSubjects:
    return RunSubjects(folder, None, folder / "student", tuple(bundles.values()), data)


@pytest.mark.parametrize(
    ("device", "names"),
    [
        ("cpu", ["cpu"]),
        ("cpu-onnx", ["cpu-onnx", "cpu-onnx-int8"]),
        ("rpi", ["of-ward-7", "rpi.edgekd"]),
        ("pi5", ["of-ward-7", "rpi.edgekd"]),
        ("jetson-in-the-cellar", []),
    ],
)
def test_bundles_of_a_device_are_those_of_its_target(
    device: str,
    names: list[str],
    bundles: dict[str, Path],
    data: BenchData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    sections = {"pi5": "rpi", "jetson-in-the-cellar": "jetson"}
    (tmp_path / "devices.toml").write_text(
        "\n".join(
            f'[{name}]\nkind = "ssh"\nhost = "a@b"\ntarget = "{target}"'
            for name, target in sections.items()
        )
    )
    run = subjects(tmp_path, bundles, data)
    if names:
        assert [path.name for path in run.bundles_for(device)] == names
        return
    with pytest.raises(InputError, match="no bundle for jetson-in-the-cellar, whose") as caught:
        run.bundles_for(device)
    assert "--target jetson " in caught.value.hint


def test_damaged_bundle_is_told_where_it_is_asked_for(
    bundles: dict[str, Path], data: BenchData, tmp_path: Path
) -> None:
    (bundles["cpu"] / "manifest.json").write_text("{")
    run = subjects(tmp_path, bundles, data)
    assert [path.name for path in run.bundles_for("rpi")] == ["of-ward-7", "rpi.edgekd"]
    with pytest.raises(ArtefactError):
        run.bundles_for("cpu")


def test_a_damaged_bundle_of_a_longer_name_is_none_of_this_targets(
    bundles: dict[str, Path], data: BenchData, tmp_path: Path
) -> None:
    (bundles["cpu-onnx-int8"] / "manifest.json").write_text("{")
    run = subjects(tmp_path, bundles, data)
    assert [path.name for path in run.bundles_for("cpu")] == ["cpu"]
    with pytest.raises(ArtefactError):
        run.bundles_for("cpu-onnx")


# ---- images ----


def write_images(folder: Path, *names: str) -> BenchData:
    images = []
    for index, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((40, 40, 3), 40 * index, np.uint8))
        images.append((file, index % len(CLASSES)))
    return BenchData("tiny", "test", CLASSES, images)


def test_image_is_found_by_its_name_and_never_another_one(tmp_path: Path) -> None:
    data = write_images(tmp_path, "mel/1.jpg", "nv/1.jpg", "nv/2.jpg")
    assert data.names == ["mel/1.jpg", "nv/1.jpg", "nv/2.jpg"]
    assert [data.find(name) for name in data.names] == data.paths
    assert data.find("2.jpg") == tmp_path / "nv" / "2.jpg"  # of an older result
    assert data.find("1.jpg") is None
    assert data.find("3.jpg") is None
    assert data.find("") is None
    flat = write_images(tmp_path / "flat", "a.jpg", "b.jpg")
    assert flat.names == ["a.jpg", "b.jpg"]
    assert data.limited(1).names  # the folder that one image shares with itself
    assert write_images(tmp_path).names == []


def test_report_finds_the_images_of_the_run_that_a_result_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekd.cli import main

    data = write_images(tmp_path / "run" / "photos", "a.jpg", "b.jpg")
    (tmp_path / "run" / "student").mkdir(parents=True)
    (tmp_path / "run" / "student" / "model.json").touch()
    card = SimpleNamespace(data=SimpleNamespace(root="runs/demo/photos"))

    def data_of_run(student: Path, card: Any, root: Path | None) -> BenchData:
        """The images lie in the run, and the student was trained from another folder."""
        if root != tmp_path / "run" / "photos":
            raise InputError("the images are not there any more")
        return data

    monkeypatch.setattr("edgekd.bench.subjects.run_folder.read_card", lambda folder: card)
    monkeypatch.setattr("edgekd.bench.subjects.run_folder.data_of_run", data_of_run)
    result = full_result(("a.jpg", "b.jpg"))
    facts = msgspec.structs.replace(result.data, name="tiny", split="test", classes=list(CLASSES))
    result = msgspec.structs.replace(result, data=facts)
    inside, outside = tmp_path / "run" / "eval" / "r.json", tmp_path / "r.json"
    inside.parent.mkdir()
    for file in (inside, outside):
        file.write_bytes(msgspec.json.encode(result))
        assert main(["report", str(file), "--html", str(file.with_suffix(".html"))]) == 0
    assert "no picture at hand" not in inside.with_suffix(".html").read_text()
    assert outside.with_suffix(".html").read_text().count("no picture at hand") == 2
    other = msgspec.structs.replace(facts, name="another data set")
    find = images_of_runs([(inside, msgspec.structs.replace(result, data=other))])
    assert find("a.jpg") is None


def test_page_of_the_demo_shows_the_images_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekd.cli import main

    data = write_images(tmp_path / "data", "images/a.jpg", "images/b.jpg")
    run = RunSubjects(tmp_path, None, tmp_path, (), data)
    monkeypatch.setattr("edgekd.cli.demo.make_demo", lambda out: None)
    monkeypatch.setattr("edgekd.bench.subjects.run_folder.subjects_of_run", lambda out: run)
    monkeypatch.setattr(
        "edgekd.bench.run.harness.run_benchmark", lambda request: full_result(tuple(data.names))
    )
    assert main(["demo", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "no picture at hand" not in page
    assert page.count("data:image/jpeg;base64,") == 2
