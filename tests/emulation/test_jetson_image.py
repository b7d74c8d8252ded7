"""Dockerfile.jetson: its steps are executed for arm64, all but what is NVIDIA's.

No step needs NVIDIA's image, so none is left out. Debian's arm64 userland stands in for it; see
`image.py` for what stands in for apt and for the network. What a real board has to show (TensorRT
itself, the device files, becoming `USER`) is in targets/jetson/first_board.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import lenient
import pytest

from emulation.dockerfile import Stage, read_dockerfile, sections
from emulation.image import WHEELS, ImageBoard, copy_userland, fetch_wheels, named_by_apt
from emulation.missing import MissingError
from emulation.userland import REPOSITORY, Userland, uv

Maker = Callable[[str, Callable[[Path], None]], Path]

FILE = REPOSITORY / "Dockerfile.jetson"
ARGUMENTS, (WHEEL, FINAL) = read_dockerfile(FILE)
EXTRAS = "tensorrt,onnx"


@pytest.fixture(scope="session")
def image(
    userland: Userland, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImageBoard]:
    """The image, built by the steps of Dockerfile.jetson; it is large, and goes with the tests."""
    folder = tmp_path_factory.mktemp("image")
    cuda = sections_of(FINAL)["CUDA_PYTHON"]
    try:
        fetch_wheels(folder / "wheels", userland.python, [f"{wheel}[{EXTRAS}]", cuda, "hatchling"])
        first = build(WHEEL, userland, folder / "first", ["python3-pip"], {})
        last = build(FINAL, userland, folder / "final", [], {WHEEL.name: first})
    except MissingError as missing:
        pytest.skip(str(missing))
    last.seal()
    yield last
    shutil.rmtree(folder)


def build(
    stage: Stage,
    userland: Userland,
    folder: Path,
    of_base: list[str],
    others: dict[str, ImageBoard],
) -> ImageBoard:
    """Carry a stage out; `of_base` are Debian packages that its base image is known to have."""
    packages = [name for one in stage.all_of("RUN") for name in named_by_apt(one)]
    own = copy_userland(userland, folder / "userland", [*of_base, *packages])
    for file in (folder.parent / "wheels").iterdir():
        if others or not file.name.startswith("edgekd"):
            (own.rootfs / WHEELS).mkdir(exist_ok=True)
            os.link(file, own.rootfs / WHEELS / file.name)
    board = ImageBoard(own, folder / "board", ARGUMENTS)
    board.carry_out(stage, others)
    return board


def sections_of(stage: Stage) -> dict[str, str]:
    return {k: v for one in stage.all_of("ARG") for k, v in sections(one).items()}


@pytest.fixture(scope="session")
def jetson_bundle(small_run: Path, made_once: Maker) -> Path:
    """`jetson-int8`, as a host hands it over."""

    def make(folder: Path) -> None:
        from edgekd.cli import main

        arguments = ["--target", "jetson", "--model", str(small_run), "--out", str(folder)]
        arguments += ["--policy", str(lenient.POLICY), "--precision", "int8"]
        assert main(["build", *arguments]) == 0

    return made_once("run/jetson-bundle", make) / "jetson-int8"


@pytest.fixture(scope="session")
def volume(image: ImageBoard, jetson_bundle: Path, photos: list[Path]) -> str:
    """The image's volume with the bundle, its evidence and a photo in it."""
    there = image.root / "bundles"
    shutil.copytree(jetson_bundle, there / jetson_bundle.name)
    evidence = f"{jetson_bundle.name}.evidence.npz"
    shutil.copyfile(jetson_bundle.with_name(evidence), there / evidence)
    shutil.copy(photos[0], there / "photo.jpg")
    return "/bundles"


def test_its_base_is_jetpack_6_unless_told_otherwise() -> None:
    assert ARGUMENTS == {"BASE_IMAGE": "nvcr.io/nvidia/l4t-jetpack:r36.4.0"}
    assert FINAL.base == "${BASE_IMAGE}"


def test_who_runs_it_is_not_root_and_its_health_is_verify() -> None:
    (user,) = FINAL.all_of("USER")
    assert user.text == "1000"
    (health,) = FINAL.all_of("HEALTHCHECK")
    assert health.text.endswith('CMD ["healthcheck.sh"]')
    assert "edgekd verify" in (REPOSITORY / "targets/jetson/healthcheck.sh").read_text()
    labels = {name for one in FINAL.all_of("LABEL") for name in sections(one)}
    wanted = {"title", "description", "licenses", "revision", "base.name"}
    assert labels == {f"org.opencontainers.image.{name}" for name in wanted}


@pytest.mark.parametrize("script", ["entrypoint.sh", "healthcheck.sh"])
def test_its_scripts_are_programs(script: str) -> None:
    assert os.access(REPOSITORY / "targets/jetson" / script, os.X_OK)


def test_docker_is_given_what_is_copied_and_no_more() -> None:
    """The context is `.dockerignore`'s own list, so that data and runs stay where they are."""
    first, *rules = [
        line
        for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
    copied = {
        word.split("/")[0]
        for stage in (WHEEL, FINAL)
        for one in stage.all_of("COPY")
        if "--from" not in one.text
        for word in one.words[:-1]
    }
    assert first == "*"
    assert copied == {rule[1:] for rule in rules if rule.startswith("!")}
    assert all((REPOSITORY / name).exists() for name in copied)


@pytest.mark.emulated
@pytest.mark.parametrize(("python", "glibc"), [("3.10", 35), ("3.12", 39)])
def test_each_package_has_a_wheel_for_jetpacks_python(
    wheel: Path, tmp_path: Path, python: str, glibc: int
) -> None:
    """JetPack 6 is Ubuntu 22.04 (Python 3.10, glibc 2.35), JetPack 7 is 24.04 (3.12, 2.39)."""
    command = [uv(), "pip", "install", "--dry-run", "--target", str(tmp_path / "site")]
    command += ["--only-binary", ":all:", "--python-version", python]
    command += ["--python-platform", f"aarch64-manylinux_2_{glibc}", f"{wheel}[{EXTRAS}]"]
    cuda = sections_of(FINAL)["CUDA_PYTHON"] if python == "3.10" else "cuda-python>=13,<14"
    done = subprocess.run([*command, cuda], capture_output=True, text=True, check=False)
    if "connect" in done.stderr or "dns error" in done.stderr:
        pytest.skip(f"the package index cannot be reached from here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    assert " + onnxruntime==" in done.stderr
    assert " + torch==" not in done.stderr


@pytest.mark.emulated
def test_every_step_is_executed_but_apt_is_stood_in_for(image: ImageBoard) -> None:
    steps = FINAL.all_of("RUN")
    apt = [one for one in steps if named_by_apt(one)]
    assert [named_by_apt(one) for one in apt] == [["python3-venv"]]
    assert image.ran == [one.text for one in steps if one not in apt]
    assert len(image.ran) == len(steps) - 1
    passwd = (image.root / "etc/passwd").read_text()
    assert "edgekd:!:1000:" in passwd


@pytest.mark.emulated
def test_it_holds_an_engine_and_nothing_of_the_host(image: ImageBoard) -> None:
    code = (
        "import importlib.util as u, platform, sys, cuda.bindings.runtime as c, onnxruntime as o;"
        "heavy = ['torch', 'timm', 'lightning', 'onnx', 'openvino', 'ai_edge_litert', 'scipy'];"
        "print(platform.machine(), sys.prefix, o.get_available_providers()[-1]);"
        "print([n for n in heavy if u.find_spec(n)], c.cudaGetDeviceCount()[0].name)"
    )
    done = image.run(["python", "-c", code])
    assert done.stdout.splitlines() == [
        "aarch64 /opt/edgekd CPUExecutionProvider",
        "[] cudaErrorInsufficientDriver",
    ], done.stderr


@pytest.mark.emulated
def test_the_command_line_is_there(image: ImageBoard) -> None:
    done = image.run(["entrypoint.sh", "--help"])
    assert done.returncode == 0, done.stderr
    assert "verify" in done.stdout


@pytest.mark.emulated
def test_without_a_verb_it_is_the_doctor(image: ImageBoard) -> None:
    """Of a board without TensorRT, which an arm64 userland is."""
    (entrypoint,), (command,) = FINAL.all_of("ENTRYPOINT"), FINAL.all_of("CMD")
    done = image.run([*entrypoint.words, *command.words])
    assert done.returncode == 0, done.stderr
    assert "\nmissing run jetson bundles: TensorRT is not installed" in done.stdout
    assert "\nok      run jetson bundles by ONNX Runtime: onnxruntime" in done.stdout


@pytest.mark.emulated
def test_onnx_runtime_stands_in_where_no_gpu_is(
    image: ImageBoard, volume: str, jetson_bundle: Path, photos: list[Path]
) -> None:
    """`predict` on the board's CPU decides as this machine does."""
    onnx = {"EDGEKD_BACKEND": "onnx"}
    ask = [
        "predict",
        f"{volume}/{jetson_bundle.name}",
        f"{volume}/photo.jpg",
        "--backend",
        "onnx",
        "--json",
    ]
    there = image.run(["entrypoint.sh", *ask], env=onnx)
    assert there.returncode == 0, there.stderr
    here = [*ask[:1], str(jetson_bundle), str(photos[0]), *ask[3:]]
    done = subprocess.run(
        [sys.executable, "-m", "edgekd", *here], capture_output=True, text=True, check=True
    )
    ours, theirs = (first_answer(text) for text in (done.stdout, there.stdout))
    assert theirs["label"] == ours["label"]
    assert theirs["decision"] == ours["decision"]


def first_answer(text: str) -> dict[str, object]:
    answers = json.loads(text)
    answer: dict[str, object] = answers[0] if isinstance(answers, list) else answers
    return answer


@pytest.mark.emulated
def test_its_health_is_that_of_every_bundle(image: ImageBoard, volume: str) -> None:
    """`edgekd verify` of each: unfinished, by ONNX Runtime, and of none at all."""
    unfinished = image.run(["healthcheck.sh"])
    assert unfinished.returncode == 6
    assert "must be finished on its device first" in unfinished.stderr
    verified = image.run(["healthcheck.sh"], env={"EDGEKD_BACKEND": "onnx"})
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.count("self-test vectors within") == 1
    empty = image.run(["healthcheck.sh"], env={"EDGEKD_BUNDLES": "/opt"})
    assert (empty.returncode, empty.stderr) == (1, "there is no bundle in /opt\n")


@pytest.mark.emulated
def test_a_bundle_is_finished_before_it_is_used(
    image: ImageBoard, volume: str, jetson_bundle: Path
) -> None:
    """Without TensorRT that fails, with its words and its exit code, and nothing is predicted."""
    bundle = f"{volume}/{jetson_bundle.name}"
    done = image.run(["entrypoint.sh", "predict", bundle, f"{volume}/photo.jpg"])
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert "TensorRT is not installed" in done.stderr
