"""A real run that many tests share: painted images, a teacher, a student, its bundles."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import chromium
import lenient
import pytest
from filelock import FileLock
from on_request import ON_REQUEST

REPOSITORY = Path(__file__).resolve().parent.parent

SMALL_RUN = (
    "data.images=800",
    "data.size=64",
    "teacher.model={arch: resnet10t, options: {channels: [24, 48, 96, 192], stem_width: 16}}",
    "teacher.fit.epochs=4",
    "student.fit.epochs=5",
    "student.fit.batch_size=16",
    "trainer.threads=1",
)


def pytest_configure() -> None:
    """Prepare the process.

    Ctrl-C is tested, which a shell tells what it starts in the background to ignore. And a tenth of
    the time would go into garbage collections, of heaps that grow by whole deep-learning stacks.
    """
    gc.set_threshold(100_000, 20, 20)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one worker more than cores, since many tests wait for other processes; up to 8."""
    return min((os.cpu_count() or 1) + 1, 8)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that run on request only, unless `-m` names one of their marks."""
    requested = {mark for mark in ON_REQUEST if mark in config.option.markexpr}
    for item in items:
        marks = [mark for mark in ON_REQUEST if item.get_closest_marker(mark)]
        if marks and not requested.intersection(marks):
            reason = f"`make {marks[0]}` runs it ({ON_REQUEST[marks[0]]})"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all workers of this test session."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_session(shared_folder: Path) -> Iterator[None]:
    """Decoded images do not land in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKD_CACHE", str(shared_folder / "cache"))
        yield


@pytest.fixture(scope="session")
def made_once(shared_folder: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder by a function, once for all workers."""

    def make(name: str, maker: Callable[[Path], None]) -> Path:
        folder, done = shared_folder / name, shared_folder / f"{name}.done"
        with FileLock(f"{folder}.lock"):
            if not done.is_file():
                shutil.rmtree(folder, ignore_errors=True)
                maker(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def small_run(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A run made by `edgekd distill`: `teacher/` and `student/`."""

    def make(folder: Path) -> None:
        from edgekd.cli import main

        settings = [f"data.root={folder / 'data'}", *SMALL_RUN]
        flags = [argument for setting in settings for argument in ("--set", setting)]
        assert main(["distill", "demo", "--out", str(folder), *flags]) == 0

    return made_once("run", make)


@pytest.fixture(scope="session")
def bundles(small_run: Path, made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Bundles of all targets, in fp32 and int8, made by `edgekd build`."""

    def make(folder: Path) -> None:
        from edgekd.cli import main

        arguments = ["--target", "all", "--model", str(small_run), "--out", str(folder)]
        arguments += ["--policy", str(lenient.POLICY), "--precision", "fp32,int8"]
        assert main(["build", *arguments]) == 0

    return made_once("run/bundles", make)


@pytest.fixture(scope="session")
def teachable(
    small_run: Path, bundles: Path, made_once: Callable[[str, Callable[[Path], None]], Path]
) -> Path:
    """Bundles of the run in int8 with its features, for `cpu-onnx` and `rpi`."""

    def make(folder: Path) -> None:
        from edgekd.cli import main

        arguments = ["--target", "cpu-onnx,rpi", "--model", str(small_run), "--out", str(folder)]
        arguments += ["--policy", str(lenient.POLICY), "--precision", "int8", "--features"]
        assert main(["build", *arguments]) == 0

    return made_once("run/teachable", make)


@pytest.fixture(scope="session")
def students(
    small_run: Path, bundles: Path, made_once: Callable[[str, Callable[[Path], None]], Path]
) -> Path:
    """A folder of shipped students with one, `tiny-student`: of the run, certified for cpu-onnx."""

    def make(folder: Path) -> None:
        import msgspec

        from edgekd.lower.shipped.packing import pack_student
        from edgekd.lower.shipped.shipment import Shipment
        from edgekd.targets import load_target

        target = msgspec.structs.replace(load_target("cpu-onnx"), ladder=("int8",))
        pack_student(
            Shipment(
                run=small_run,
                name="tiny-student",
                out=folder,
                work=folder.with_name("shipping"),
                targets=[target],
                policy=lenient.POLICY,
            )
        )

    return made_once("students", make)


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Chromium]:
    """A browser for the pages of a module; skip the module where `chromium.PROGRAM` is None."""
    opened = chromium.Chromium()
    yield opened
    opened.close()
