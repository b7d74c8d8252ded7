"""Every file that a run keeps: a damage to it is noticed, told, and made good, or refused.

The files are those of a real run, found by walking its folder and its cache: one that is new is in
these tests by itself, and fails them until something guards it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import lenient
import msgspec
import pytest

from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.job import Answer, Job
from edgekd.bench.run.journal import CachedDevice, Journal
from edgekd.bench.subjects.labelled import data_of_run
from edgekd.bundle import MANIFEST, Bundle
from edgekd.cli import main
from edgekd.data.decoded.entry import ABOUT, Entry
from edgekd.distill.runs import role_run
from edgekd.distill.training.module import StageModule
from edgekd.errors import ArtefactError, EdgekdError
from edgekd.locks import only_writer
from edgekd.lower.source import load_source
from edgekd.models import load_checkpoint, read_card
from edgekd.models.card import read_metrics
from edgekd.recipe import Recipe
from edgekd.seals import SEAL, clear_place, flaw_of, flaws_of

Make = Callable[..., Recipe]
SSD_KD = {
    "name": "ssd_kd",
    "teacher_head": {"epochs": 1, "batch_size": 16, "optimizer": "adamw", "schedule": "one_cycle"},
}
BUNDLE = "cpu-onnx-fp32"


def model_of(*channels: int) -> dict[str, Any]:
    options = {"channels": channels, "stem_width": 4, "act_layer": "relu6"}
    return {"arch": "resnet10t", "options": options}


def cut(file: Path, tenths: int) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * tenths // 10])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def halve(file: Path) -> None:
    cut(file, 5)


class Chain:
    """A run with all that it keeps, and the verbs that use it, in this process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run, self.cache = home / "run", home / "cache"

    def distill(self, *options: str) -> int:
        return main(["distill", str(self.home / "recipe.yaml"), "--out", str(self.run), *options])

    def train(self, name: str = "interrupted") -> int:
        """A training of its own, which was interrupted."""
        student = ["--role", "student", "--set", "student.fit.epochs=3"]
        out = ["--out", str(self.run / name)]
        return main(["train", str(self.home / "recipe.yaml"), *student, *out])

    def build(self) -> int:
        where = ["--model", str(self.run), "--out", str(self.run / "bundles")]
        what = ["--target", "cpu-onnx", "--precision", "fp32", "--policy", str(lenient.POLICY)]
        return main(["build", *what, *where])

    def bench(self) -> Answer:
        """What a measurement asks first, by the journal of one that was interrupted."""
        device = CachedDevice(LocalDevice("cpu"), Journal.for_output(self.run / "result.json"))
        return device.run(Job(kind="facts"))

    def kept(self) -> list[Path]:
        """Every file but the painted images, the logs, locks, and what only people read: the
        history of a training that goes on, and what an entry of the cache is about.
        """
        places = (self.run, self.cache)
        files = (file for place in places for file in sorted(place.rglob("*")) if file.is_file())
        return [
            file
            for file in files
            if "logs" not in file.parts
            and (file.name != "history.csv" or ".training" not in file.parts)
            and not (is_decoded(file) and file.name == ABOUT)
            and not file.name.endswith((".use", ".build"))
        ]

    def relative(self) -> list[str]:
        return [str(file.relative_to(self.home)) for file in self.kept()]


def is_decoded(file: Path) -> bool:
    return file.parent.parent.name == "decoded"


def flaw_of_decoded(folder: Path) -> str | None:
    """What the entry of the cache says, if it is the one of the images of `recipe_of`."""
    (content,) = (folder.parent.parent / "contents").iterdir()
    entry = Entry.of(content.read_bytes()[:64].decode(), 200, 32)
    assert entry.folder.name == folder.name
    return replace(entry, folder=folder).flaw()


def recipe_of(home: Path) -> dict[str, Any]:
    fit = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3}
    data = {"source": "synthetic", "images": 200, "size": 32, "seed": 1, "root": str(home / "data")}
    return {
        "name": "tiny",
        "image_size": 32,
        "data": data,
        "split": {"validation": 0.3, "test": 0.2},
        "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
        "teacher": {"model": model_of(4, 8, 8, 16), "fit": {**fit, "epochs": 1}},
        "student": {"model": model_of(4, 4, 8, 8), "fit": fit},
        "method": SSD_KD,
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A run that is finished and built, with a measurement and a training that were cut short."""
    chain = Chain(tmp_path_factory.mktemp("kept"))
    (chain.home / "recipe.yaml").write_bytes(msgspec.json.encode(recipe_of(chain.home)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKD_CACHE", str(chain.cache))
        assert chain.distill() == 0
        assert chain.build() == 0
        chain.bench()
        shutil.copytree(chain.run / "teacher", chain.home / "teacher")
        with pytest.MonkeyPatch.context() as interrupted:
            interrupted.setattr(StageModule, "on_train_epoch_start", stop_second_epoch)
            assert chain.train() == 130
        yield chain


def stop_second_epoch(module: StageModule) -> None:
    if module.current_epoch == 1:
        raise KeyboardInterrupt


def flaw(file: Path, home: Path) -> str | None:
    """What the guard of a file says of it: its folder's seal, its bundle's manifest, or its own."""
    for folder in file.parents:
        if folder == home:
            break
        if (folder / SEAL).exists() and (name := file.relative_to(folder).as_posix()) in {
            SEAL,
            *sealed(folder),
        }:
            return flaws_of(folder).get(name)
        if (folder / MANIFEST).exists():
            return refusal(folder)
    return flaw_of_decoded(file.parent) if is_decoded(file) else flaw_of(file, None)


def sealed(folder: Path) -> list[str]:
    try:
        return list(msgspec.json.decode((folder / SEAL).read_bytes())["files"])
    except (msgspec.DecodeError, IsADirectoryError):
        return []


def refusal(bundle: Path) -> str | None:
    try:
        Bundle.open(bundle).close()
    except ArtefactError as error:
        return error.message
    return None


def test_every_file_is_guarded_and_every_cut_is_noticed(whole: Chain) -> None:
    """Ten cuts, a flipped bit, a folder in its place: of every file there is."""
    files = whole.kept()
    kinds = {file.suffix for file in files}
    assert {".ckpt", ".npy", ".json", ".csv", ".safetensors", ".onnx", ".npz"} <= kinds
    for file in files:
        content = file.read_bytes()
        assert flaw(file, whole.home) is None, f"nothing guards {file}"
        damages: list[Callable[[Path], None]] = [partial(cut, tenths=n) for n in range(10)]
        if file.name != MANIFEST:  # of one file of numbers and words: its signature guards it
            damages.append(flip)
        for damage in (*damages, replace_by_folder):
            damage(file)
            found = flaw(file, whole.home)
            clear_place(file)
            file.write_bytes(content)
            assert found is not None, f"{damage} of {file} is not noticed"


@pytest.fixture
def chain(whole: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chain]:
    """The same place, as it was, for one damage."""
    shutil.copytree(whole.run, tmp_path / "run")
    shutil.copytree(whole.cache, tmp_path / "cache")
    monkeypatch.setenv("EDGEKD_CACHE", str(whole.cache))
    yield whole
    for name in ("run", "cache"):
        shutil.rmtree(whole.home / name)
        shutil.copytree(tmp_path / name, whole.home / name)


def test_nothing_is_made_again_without_a_damage(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file: file.read_bytes() for file in chain.kept()}
    assert (chain.distill(), chain.build()) == (0, 0)
    assert capsys.readouterr().err.count("reused") == 2
    assert {file: file.read_bytes() for file in chain.kept()} == before


def runs_files() -> list[str]:
    """Of teacher and student; the test above knows of those that are not in this list."""
    names = ("model.json", "model.safetensors", "split.csv", "history.csv", "metrics.json",
             "recipe.json", "precision.json", SEAL)  # fmt: skip
    stages = [f"stages/teacher_head{suffix}" for suffix in (".safetensors", ".csv")]
    return [
        *(f"teacher/{name}" for name in names),
        *(f"student/{name}" for name in (*names, *stages, f"stages/{SEAL}")),
    ]


def test_the_list_of_a_runs_files_is_all_of_them(whole: Chain) -> None:
    found = {name for name in whole.relative() if name.startswith(("run/teacher", "run/student"))}
    assert found == {f"run/{name}" for name in runs_files()}


QUICK = (
    "teacher/model.safetensors", "student/model.json", "student/metrics.json", f"student/{SEAL}",
    "student/stages/teacher_head.safetensors",
)  # fmt: skip
"""Files that are trained again, made from the weights or removed: one of each kind."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in runs_files()],
)
def test_a_damaged_file_of_a_run_is_told_and_made_again(
    chain: Chain, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = (chain.run / "student" / "model.safetensors").read_bytes()
    halve(chain.run / name)
    assert chain.distill() == 0
    told = capsys.readouterr().err
    assert str(chain.run / name) in told
    stage = "stages" in name
    rewritten = name.endswith(("metrics.json", "split.csv", "recipe.json", "precision.json"))
    assert ("removed" in told) == stage
    assert ("made again from its weights" in told) == rewritten
    assert ("trained again" in told) == (not stage and not rewritten)
    assert all(flaw(file, chain.home) is None for file in chain.kept())
    assert stage or (chain.run / name).is_file()
    assert (chain.run / "student" / "model.safetensors").read_bytes() == weights
    assert chain.distill() == 0
    assert capsys.readouterr().err.count("reused") == 2


def test_what_is_made_again_from_the_weights_is_what_was_there(chain: Chain) -> None:
    names = ("metrics.json", "split.csv", "recipe.json", "precision.json")
    before = {file.name: file.read_bytes() for file in (chain.run / "student").glob("*.*")}
    for name in names:
        (chain.run / "student" / name).write_bytes(b"")
    assert chain.distill() == 0
    after = {file.name: file.read_bytes() for file in (chain.run / "student").glob("*.*")}
    assert after == before


@pytest.mark.parametrize("damage", [halve, flip, replace_by_folder])
@pytest.mark.parametrize(
    "name", ["model.json", "model.safetensors", "split.csv", "metrics.json", SEAL]
)
def test_verbs_that_read_a_run_refuse_a_damaged_one(
    chain: Chain, name: str, damage: Callable[[Path], None]
) -> None:
    student = chain.run / "student"
    card = read_card(student)
    damage(student / name)
    readers: dict[str, Callable[[], object]] = {
        "eval": lambda: load_checkpoint(student),
        "build": lambda: load_source(chain.run).checkpoint,
        "bench": lambda: data_of_run(student, card),
        "compare": lambda: read_metrics(student),
    }
    own = {"split.csv": {"build", "bench"}, "metrics.json": {"build", "compare"}}
    for verb in own.get(name, {"eval", "build"}):
        with pytest.raises(EdgekdError) as caught:
            readers[verb]()
        assert caught.value.exit_code == 6 or (damage is replace_by_folder and name == "model.json")
        assert name in caught.value.message


def test_a_folder_in_the_place_of_a_file_is_refused_before_the_training(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_by_folder(chain.run / "student" / "metrics.json")
    assert chain.distill() == 2
    told = capsys.readouterr().err
    assert "metrics.json is a folder" in told
    assert "epoch" not in told


def test_a_damaged_teacher_of_another_folder_is_refused(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    """It cannot be made again here."""
    for name in ("model.json", "model.safetensors", "metrics.json"):
        teacher = chain.home / "brought"
        shutil.copytree(chain.home / "teacher", teacher)
        halve(teacher / name)
        arguments = [
            "--out",
            str(chain.home / "other"),
            "--set",
            f"teacher={{checkpoint: {teacher}}}",
        ]
        assert main(["distill", str(chain.home / "recipe.yaml"), *arguments]) == 6
        assert name in capsys.readouterr().err
        shutil.rmtree(teacher)


@pytest.mark.parametrize("damage", [halve, flip, replace_by_folder, Path.unlink])
@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
def test_a_stage_whose_training_checkpoint_is_damaged_begins_again(
    chain: Chain, name: str, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    work = chain.run / "interrupted" / ".training"
    (stage,) = work.iterdir()
    damage(stage / name)
    assert chain.train() == 0
    told = capsys.readouterr().err
    begins = f"{name} " in told and "begins again" in told
    assert begins == (damage is not Path.unlink or name == "best.ckpt")
    assert "resuming" not in told
    assert "epoch 1/3" in told
    assert not work.exists()


def test_an_interrupted_training_goes_on_where_its_folder_was_moved_to(
    chain: Chain, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its best epoch lies before the interruption: its weights are in the folder's new place."""
    monkeypatch.setattr(StageModule, "_metric", lambda self: 0.0)
    shutil.copytree(chain.run / "interrupted", chain.home / "aside")
    weights = []
    for name in ("interrupted", "moved"):
        assert chain.train(name) == 0
        assert "resuming" in capsys.readouterr().err
        weights.append((chain.run / name / "model.safetensors").read_bytes())
        shutil.rmtree(chain.run / name)
        if name == "interrupted":
            (chain.home / "aside").rename(chain.run / "moved")
    assert weights[0] == weights[1]


@pytest.mark.parametrize("damage", [halve, flip, replace_by_folder, lambda file: cut(file, 0)])
def test_the_cache_of_decoded_images_is_made_again(
    chain: Chain, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The hash of the images' files, the images, and the hashes of their blocks, one by one."""
    files = [file for file in chain.kept() if is_decoded(file) or file.parent.name == "contents"]
    assert sorted(file.name for file in files[1:]) == ["blocks", "images.npy"]
    before = [file.read_bytes() for file in files]
    for file in files:
        caplog.clear()
        damage(file)
        assert chain.distill() == 0
        assert capsys.readouterr().err.count("reused") == 2
        assert str(file.parent if is_decoded(file) else file) in caplog.text
        assert [file.read_bytes() for file in files] == before


@pytest.mark.slow
def test_a_damaged_bundle_is_refused_and_built_again(
    chain: Chain, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """And what it could be made from is damaged too, each file in another way."""
    bundle = chain.run / "bundles" / BUNDLE
    kept = [file for file in chain.kept() if {"lowered", "students"}.intersection(file.parts)]
    before = (bundle / "model.onnx").read_bytes()
    halve(bundle / "model.onnx")
    for file, damage in zip(kept, cycle((halve, flip, replace_by_folder)), strict=False):
        damage(file)
    assert main(["verify", str(bundle)]) == 6
    assert "model.onnx" in capsys.readouterr().err
    assert chain.build() == 0
    assert "built again" in capsys.readouterr().err
    for place in ("students", "lowered"):
        assert f"/{place}/" in caplog.text
    assert (bundle / "model.onnx").read_bytes() == before
    assert main(["verify", str(bundle)]) == 0
    assert all(flaw(file, chain.home) is None for file in chain.kept())


@pytest.mark.parametrize("damage", [halve, flip, replace_by_folder])
def test_a_damaged_answer_of_an_interrupted_measurement_is_measured_again(
    chain: Chain, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = (chain.run / ".result.json.parts").iterdir()
    damage(file)
    again = chain.bench()
    assert again.machine
    assert str(file) in caplog.text
    assert flaw(file, chain.home) is None


def test_a_second_run_into_a_folder_is_told_of_the_first(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    halve(chain.run / "teacher" / "metrics.json")
    places = {
        chain.run / "student": ("trained", chain.distill),
        chain.run / "teacher": ("trained", chain.distill),
        chain.run / "interrupted": ("trained", chain.train),
        chain.run / "bundles" / BUNDLE: ("built", chain.build),
    }
    shutil.rmtree(chain.run / "bundles")
    for place, (what, verb) in places.items():
        with only_writer(place, what):
            assert verb() == 2
        told = capsys.readouterr().err
        assert f"{place} is being {what} already by process {os.getpid()} on" in told
        assert "Traceback" not in told


def test_two_may_reuse_a_finished_run_at_once(
    chain: Chain, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparisons of several seeds share a teacher; none of them holds it while it is read."""
    look = role_run.left_in

    def look_while_another_reuses_it(out: Path, *arguments: Any) -> object:
        with only_writer(out, "trained"):
            pass
        return look(out, *arguments)

    monkeypatch.setattr(role_run, "left_in", look_while_another_reuses_it)
    assert chain.distill() == 0
    assert capsys.readouterr().err.count("reused") == 2


def test_a_network_that_cannot_be_trained_is_told_before_an_image_is_decoded(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "empty"))
    for role in ("student", "teacher"):
        arguments = ["--out", str(tmp_path / "new"), "--set", f"{role}.model.options.in_chans=1"]
        assert main(["distill", str(chain.home / "recipe.yaml"), *arguments]) == 2
        told = capsys.readouterr().err
        assert "cannot be trained on images of 32 px" in told
        assert "remove `in_chans`" in told
        assert "Traceback" not in told
    assert not (tmp_path / "empty").exists()
    assert not (tmp_path / "new" / "student").exists()


def test_a_finished_run_that_nobody_here_may_write_to_is_reused(
    chain: Chain, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    with only_writer(chain.run / "student", "trained"):  # what it could not hold
        assert chain.distill() == 0
    assert capsys.readouterr().err.count("reused") == 2


def test_a_run_that_was_copied_in_part_is_made_whole(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    """However far the copy came: file by file, in the order of their names."""
    student = chain.run / "student"
    names = sorted(file.name for file in student.iterdir() if file.is_file())
    weights = (student / "model.safetensors").read_bytes()
    for name in reversed(names):
        (student / name).unlink()
        assert chain.distill() == 0
        assert f"{name} is missing" in capsys.readouterr().err
        assert all((student / each).is_file() for each in names)
        assert (student / "model.safetensors").read_bytes() == weights
    for name in names:
        (student / name).unlink()
    assert chain.distill() == 0
    assert "missing" not in capsys.readouterr().err  # there is nothing that anyone could miss
    assert (student / "model.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_two_processes_of_one_run_make_it_whole_again_together(chain: Chain) -> None:
    """The lock is held for both, and what was damaged is told once."""
    halve(chain.run / "teacher" / "model.safetensors")
    halve(chain.run / "student" / SEAL)
    halve(chain.run / "student" / "stages" / "teacher_head.csv")
    done = subprocess.run(
        [sys.executable, "-m", "edgekd", "distill", str(chain.home / "recipe.yaml"),
         "--out", str(chain.run), "--set", "trainer.devices=2"],
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trained again") == 2
    assert done.stderr.count("removed, and made again when it is needed") == 1
    assert all(flaw(file, chain.home) is None for file in chain.kept())
    assert not list(chain.run.glob(".*.lock"))


def test_files_of_another_run_do_not_pass(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of them is whole, and yet not what was written here."""
    student, teacher = chain.run / "student", chain.run / "teacher"
    for name in ("model.json", "model.safetensors", "history.csv", "metrics.json"):
        shutil.copy(teacher / name, student / name)
    with pytest.raises(ArtefactError):
        load_checkpoint(student)
    assert chain.distill() == 0
    assert "trained again" in capsys.readouterr().err
    load_checkpoint(student)


def test_an_image_that_was_replaced_under_its_name_size_and_date_is_noticed(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights depend on it: nothing that was made of the other image is reused."""
    first, second = sorted((chain.home / "data" / "images").iterdir())[:2]
    before, facts = first.read_bytes(), first.stat()
    content = bytearray(before)
    content[content.index(b"\xff\xdb") + 5] += 1  # a step of its quantisation: a sound JPEG still
    try:
        first.write_bytes(content)
        os.utime(first, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert first.stat().st_size == facts.st_size
        assert chain.distill() == 2
        assert "something else is another: images" in capsys.readouterr().err
        assert chain.distill("--force") == 0
        assert "reused" not in capsys.readouterr().err
    finally:
        first.write_bytes(before)
        os.utime(first, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert second.is_file()
