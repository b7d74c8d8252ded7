"""A device: a virtual environment with the wheel and one engine, and no PyTorch."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import lenient
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
USE = """
import sys
from edgekd.runtime import Classifier
with Classifier.open(sys.argv[1]) as classifier:
    prediction = classifier.predict(sys.argv[2])
assert prediction.label in classifier.classes
heavy = {"torch", "timm", "lightning", "onnx", "openvino", "typer", "yaml"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if not Path(uv).is_file():
        pytest.skip("needs uv: make setup")
    folder = tmp_path_factory.mktemp("device")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([uv, "build", "--wheel", "-q", "-o", folder, REPOSITORY], check=True)
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder / "venv"], check=True)
    (wheel,) = folder.glob("*.whl")
    done = subprocess.run(
        [uv, "pip", "install", "-q", "-p", python, f"{wheel}[tflite]"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and "network" in done.stderr.lower():
        pytest.skip(f"needs a package registry: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return python


def test_the_runtime_works_without_pytorch(device: Path, bundles: Path, small_run: Path) -> None:
    photo = next(iter(sorted((small_run / "data" / "images").glob("*.jpg"))))
    command = [device, "-c", USE, bundles / "rpi-int8", photo]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    packages = [device.with_name("python"), "-c", "import torch"]
    assert subprocess.run(packages, capture_output=True, check=False).returncode != 0


def test_the_wheel_carries_targets_recipes_and_policies(device: Path) -> None:
    code = (
        "from edgekd import policy, resources; "
        "print(resources.recipe_names(), resources.target_folders()); "
        "print([policy.load_policy(name).title for name in resources.policy_files()])"
    )
    done = subprocess.run([device, "-c", code], capture_output=True, text=True, check=True)
    assert "demo" in done.stdout
    assert "jetson" in done.stdout
    assert "Fundus photographs" in done.stdout


def test_the_wheel_carries_every_file_of_the_students(device: Path) -> None:
    (wheel,) = device.parents[2].glob("*.whl")
    home = REPOSITORY / "edgekd" / "students"
    files = [file for file in home.rglob("*") if file.is_file()]
    expected = {file.relative_to(REPOSITORY).as_posix() for file in files}
    assert "edgekd/students/README.md" in expected
    with zipfile.ZipFile(wheel) as archive:
        assert expected <= set(archive.namelist())


def test_the_command_line_works_on_the_device(device: Path, bundles: Path) -> None:
    edgekd = device.with_name("edgekd")
    done = subprocess.run(
        [edgekd, "verify", bundles / "rpi-int8"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [edgekd, "verify", bundles / "cpu-int8"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "edgekd[openvino]" in done.stderr


def test_a_bundle_is_certified_where_there_is_no_pytorch(
    device: Path, bundles: Path, small_run: Path, tmp_path: Path
) -> None:
    with (small_run / "student" / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] != "train"]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["image", "label", "group", "part"], extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    out = tmp_path / "certified"
    words = ["certify", bundles / "rpi-fp32", "--csv", tmp_path / "labels.csv", "--image-root",
             small_run / "data", "--group-column", "group", "--policy", lenient.POLICY,
             "--out", out]  # fmt: skip
    edgekd = device.with_name("edgekd")
    done = subprocess.run([edgekd, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verified = subprocess.run([edgekd, "verify", out], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr


@pytest.mark.slow
def test_new_classes_are_taught_where_there_is_no_pytorch(
    device: Path, teachable: Path, small_run: Path, tmp_path: Path
) -> None:
    with (small_run / "student" / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
    few = [row for label in ("nv", "vasc") for row in [r for r in rows if r["label"] == label][:8]]
    with (tmp_path / "few.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["image", "label"], extrasaction="ignore")
        table.writeheader()
        table.writerows(few)
    out = tmp_path / "enrolled"
    words = ["enrol", teachable / "rpi-int8", "--csv", tmp_path / "few.csv", "--image-root",
             small_run / "data", "--out", out]  # fmt: skip
    edgekd = device.with_name("edgekd")
    done = subprocess.run([edgekd, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verified = subprocess.run([edgekd, "verify", out], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    assert "enrolled, not certified" in verified.stderr
