"""Decoded images: what they are, that they are kept, shared, mended and never torn."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.data import (
    Dataset,
    Sample,
    cache_folder,
    dataset_of,
    decode_images,
    decoded_at_sizes,
    decoded_images,
)
from edgekd.data.decoded import building
from edgekd.errors import ImageError
from edgekd.runtime.preprocess import load_image


@pytest.fixture
def dataset(tmp_path: Path, draw: Any) -> Dataset:
    samples = [Sample(f"{n}.png", "ab"[n % 2], str(n)) for n in range(6)]
    for number, sample in enumerate(samples):
        draw(tmp_path / "set" / sample.image, 30 * number)
    return dataset_of("x", tmp_path / "set", samples)


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("decoded/*/images.npy"))


def test_decodes_by_the_one_rule_in_order(cache: Path, dataset: Dataset) -> None:
    images = decoded_images(dataset, 16)
    assert images.shape == (6, 16, 16, 3)
    assert images.dtype == np.uint8
    for path, image in zip(dataset.paths(), images, strict=True):
        np.testing.assert_array_equal(image, load_image(path, 16))


def test_second_call_reads_the_file(cache: Path, dataset: Dataset) -> None:
    calls: list[tuple[int, int]] = []
    first = np.array(decoded_images(dataset, 16, lambda done, of: calls.append((done, of))))
    assert calls == [(6, 6)]
    (file,) = files(cache)
    stamp = file.stat().st_mtime_ns
    again = decoded_images(dataset, 16, lambda done, of: pytest.fail("decoded again"))
    np.testing.assert_array_equal(again, first)
    assert file.stat().st_mtime_ns == stamp


def test_mapped_images_cannot_be_written(cache: Path, dataset: Dataset) -> None:
    images = decoded_images(dataset, 16)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_several_sizes_come_from_one_decode_of_each_file(
    cache: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = building.load_at_sizes

    def counted(path: Path, sizes: Any) -> Any:
        read.append(path)
        return load(path, sizes)

    monkeypatch.setattr(building, "load_at_sizes", counted)
    arrays = decoded_at_sizes(dataset, (16, 20))
    assert sorted(read) == sorted(dataset.paths())
    for images, size in zip(arrays, (16, 20), strict=True):
        for path, image in zip(dataset.paths(), images, strict=True):
            np.testing.assert_array_equal(image, load_image(path, size))
    (other,) = decoded_at_sizes(dataset, (16,))
    assert len(read) == 6
    np.testing.assert_array_equal(other, arrays[0])


def test_one_size_twice_is_one_array(cache: Path, dataset: Dataset) -> None:
    first, second = decoded_at_sizes(dataset, (16, 16))
    assert first is second


def test_another_size_is_another_file(cache: Path, dataset: Dataset) -> None:
    decoded_images(dataset, 16)
    assert decoded_images(dataset, 20).shape == (6, 20, 20, 3)
    assert len(files(cache)) == 2


def test_changed_image_is_decoded_again(cache: Path, dataset: Dataset, draw: Any) -> None:
    decoded_images(dataset, 16)
    path = dataset.paths()[2]
    draw(path, 255)
    os.utime(path, ns=(1, 1))
    assert (decoded_images(dataset, 16)[2] == 255).all()
    assert len(files(cache)) == 2


def test_a_moved_data_set_is_not_decoded_again(
    cache: Path, dataset: Dataset, tmp_path: Path
) -> None:
    images = np.array(decoded_images(dataset, 16))
    shutil.copytree(dataset.root, tmp_path / "copy")
    samples = [Sample(s.image, s.label, s.group) for s in dataset.samples]
    copied = dataset_of("another name", tmp_path / "copy", samples)
    again = decoded_images(copied, 16, lambda *_: pytest.fail("decoded again"))
    np.testing.assert_array_equal(again, images)
    assert len(files(cache)) == 1


def test_images_of_one_name_in_two_folders_are_told_apart(
    tmp_path: Path, cache: Path, draw: Any
) -> None:
    samples = [Sample("a/1.bmp", "a", "1"), Sample("b/1.bmp", "b", "2")]
    for sample, level in zip(samples, (10, 200), strict=True):
        draw(tmp_path / sample.image, level)  # of one size, as bitmaps are
        os.utime(tmp_path / sample.image, (1_000, 1_000))
    for order in (samples, samples[::-1]):
        images = decoded_images(dataset_of("x", tmp_path, order), 16)
        levels = [int(image[0, 0, 0]) for image in images]
        labels = [sample.label for sample in order]
        assert dict(zip(labels, levels, strict=True)) == {"a": 10, "b": 200}


@pytest.mark.parametrize("damage", ["truncate", "remove", "empty"])
def test_damaged_image_leaves_nothing_half_written(
    cache: Path, dataset: Dataset, damage: str
) -> None:
    path = dataset.paths()[4]
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 60 if damage == "truncate" else 0])
    with pytest.raises(ImageError, match=r"4\.png"):
        decoded_images(dataset, 16)
    assert not list(cache.glob("decoded/*"))


def test_decode_images_of_no_paths() -> None:
    assert decode_images([], 16).shape == (0, 16, 16, 3)


def test_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKD_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("EDGEKD_CACHE")
    assert cache_folder() == Path("/b/edgekd")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder() == Path("/c/.cache/edgekd")


# Several processes, and those that were killed -------------------------------------------------

COUNT = 200
"""Images: seven blocks, of which the last is shorter."""

BUILD = """
import sys, time
from pathlib import Path

from edgekd.data import Sample, dataset_of, decoded_at_sizes
from edgekd.data.decoded import building

root, log, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
load = building.load_at_sizes


def slow(path, sizes):
    with log.open("a") as stream:
        print(path.name, *sizes, file=stream)
    time.sleep(pause)
    return load(path, sizes)


building.load_at_sizes = slow
names = sorted(path.name for path in root.iterdir())
dataset = dataset_of("x", root, [Sample(n, "ab"[i % 2], n) for i, n in enumerate(names)])
print("ready", flush=True)
arrays = decoded_at_sizes(dataset, (16, 20), lambda done, of: print(done, of, flush=True))
print("whole", *(int(array.sum(dtype="int64")) for array in arrays), flush=True)
"""


@pytest.fixture
def many(tmp_path: Path, draw: Any) -> Path:
    """A folder of images, each of its own grey."""
    for number in range(COUNT):
        draw(tmp_path / "many" / f"{number:03}.png", number)
    return tmp_path / "many"


@pytest.fixture
def start(tmp_path: Path, cache: Path, many: Path) -> Iterator[Any]:
    """Starts processes that decode `many` at 16 and 20 px."""
    processes: list[subprocess.Popen[str]] = []

    def begin(pause: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BUILD, str(many), str(tmp_path / "log"), str(pause)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def result(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out.splitlines()[-1]


SUMS = [sum(range(COUNT)) * size * size * 3 for size in (16, 20)]
WHOLE = f"whole {SUMS[0]} {SUMS[1]}"


def test_processes_that_build_at_once_decode_each_image_once(tmp_path: Path, start: Any) -> None:
    both = [start(0.002), start(0.002)]
    assert [result(process) for process in both] == [WHOLE, WHOLE]
    names = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(names) == [f"{number:03}.png" for number in range(COUNT)]


def test_a_killed_build_goes_on_where_it_was(tmp_path: Path, cache: Path, start: Any) -> None:
    killed = start(0.01)
    for line in killed.stdout:
        if line.startswith("64 "):  # two blocks are written
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not files(cache)
    before = len((tmp_path / "log").read_text().splitlines())
    assert before < COUNT
    assert result(start(0.0)) == WHOLE
    names = [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()]
    assert set(names) == {f"{number:03}.png" for number in range(COUNT)}
    assert len(names) - before <= COUNT - 64
    assert not list(cache.rglob("*.part"))


def test_waiting_for_another_process_shows_its_progress(start: Any) -> None:
    first = start(0.02)
    for line in first.stdout:
        if line.startswith("32 "):
            break
    second = start(0.0)
    assert result(first) == WHOLE
    out, _ = second.communicate(timeout=120)
    _, *ticks, whole = out.splitlines()
    assert whole == WHOLE
    assert all(tick.endswith(f" {COUNT}") for tick in ticks)
    assert ticks
    assert int(ticks[0].split()[0]) >= 32


# Damage ----------------------------------------------------------------------------------------


def damage(file: Path) -> None:
    """Changes one image of the second block."""
    raw = bytearray(file.read_bytes())
    raw[-(COUNT - 40) * 16 * 16 * 3] ^= 255
    file.write_bytes(raw)


def test_a_damaged_block_alone_is_made_again(
    cache: Path, many: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(path.name for path in many.iterdir())
    dataset = dataset_of("x", many, [Sample(n, "ab"[i % 2], n) for i, n in enumerate(names)])
    whole = np.array(decoded_images(dataset, 16))
    damage(files(cache)[0])
    read: list[str] = []
    load = building.load_at_sizes

    def counted(path: Path, sizes: Any) -> Any:
        read.append(path.name)
        return load(path, sizes)

    monkeypatch.setattr(building, "load_at_sizes", counted)
    np.testing.assert_array_equal(decoded_images(dataset, 16), whole)
    assert sorted(read) == names[32:64]
    assert "is damaged in 1 of 7 blocks; made again" in caplog.text


@pytest.mark.parametrize("file", ["blocks", "images.npy"])
@pytest.mark.parametrize("content", [b"", b"x" * 300])
def test_a_file_with_other_content_is_made_again(
    cache: Path, dataset: Dataset, file: str, content: bytes
) -> None:
    whole = np.array(decoded_images(dataset, 16))
    (files(cache)[0].with_name(file)).write_bytes(content)
    np.testing.assert_array_equal(decoded_images(dataset, 16), whole)


def test_an_image_that_changes_while_it_is_decoded_is_refused(
    cache: Path, dataset: Dataset, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = building.load_at_sizes

    def changing(path: Path, sizes: Any) -> Any:
        images = load(path, sizes)
        if path.name == "3.png":
            draw(path, 255)
        return images

    monkeypatch.setattr(building, "load_at_sizes", changing)
    with pytest.raises(ImageError, match=r"3\.png was changed while it was decoded"):
        decoded_images(dataset, 16)
    assert not list(cache.glob("decoded/*"))
