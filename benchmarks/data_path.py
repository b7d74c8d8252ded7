"""What the data path costs: building the decoded cache, and loading batches from it.

python benchmarks/data_path.py --json benchmarks/results/data-path.json \
    --markdown benchmarks/results/data-path.md

Building is compared with the decode limit: the same files, decoded in as many threads, with nothing
written. Both take turns in one process, and the ratio is taken within each round. Loading is timed
twice: drained as fast as it goes, and beside training steps of a small network, which gives the
share of the time that training waits. Every row is a process of its own; memory is what it has of
its own (RssAnon), above what it had before, since mapped images belong to the system's file cache.
A few painted images stand under many names (hard links): their content costs the same to decode.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

COUNTS = (1_000, 10_000, 100_000)
WORKERS = (1, 2)
DISTINCT = 100
"""Different images: file systems allow tens of thousands of links to one file."""
PAINTED, SIZE = 128, 64
"""Side of the many painted files, and of their images in the cache, in pixels."""
BATCH, STEPS = 32, 150
PHOTOS, PHOTO, PHOTO_SIZES = 400, 600, (224, 280)
"""A row of photos as large as ISIC's: how many, their side, and S with a margin of 1.25 from one
decode."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every row, print the tables, write them."""
    options = _options(arguments)
    if options.row:
        print(json.dumps(_row(json.loads(options.row))))
        return 0
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        result = _measured(Path(folder), options)
    text = _markdown(result)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text(text)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of images")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of a building row")
    parser.add_argument("--work", type=Path, help="folder with room for some gigabytes")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _measured(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    building, loading = [], []
    for count in options.counts:
        root = _linked(work, PAINTED, count)
        rounds = max(1, min(options.rounds, 20_000 // count))
        facts = {"root": str(root), "sizes": [SIZE], "rounds": rounds}
        building.append(_child({"kind": "build", **facts}, work))
        loading += [
            _child({"kind": "load", "workers": workers, **facts}, work) for workers in WORKERS
        ]
    photos = _linked(work, PHOTO, PHOTOS)
    facts = {"root": str(photos), "sizes": list(PHOTO_SIZES), "rounds": options.rounds}
    building.append(_child({"kind": "build", **facts}, work))
    return {"machine": _machine(), "building": building, "loading": loading}


def _linked(work: Path, size: int, count: int) -> Path:
    """A folder of `count` names for a few painted images."""
    from edgekd.data.synthetic import write_dataset

    painted = work / f"painted-{size}"
    write_dataset(painted, images=DISTINCT, seed=0, size=size)
    files = sorted((painted / "images").iterdir())
    root = work / f"{count}-{size}"
    root.mkdir()
    for number in range(count):
        os.link(files[number % len(files)], root / f"{number:06}.jpg")
    return root


def _child(row: dict[str, Any], work: Path) -> dict[str, Any]:
    """Measure a row in a process of its own."""
    env = {**os.environ, "EDGEKD_CACHE": str(work / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--row", json.dumps(row)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(measured), file=sys.stderr)
    return measured


def _row(row: dict[str, Any]) -> dict[str, Any]:
    from edgekd.data import Sample, dataset_of

    root = Path(row["root"])
    names = sorted(path.name for path in root.iterdir())
    samples = [Sample(name, "ab"[n % 2], name) for n, name in enumerate(names)]
    dataset = dataset_of("painted", root, samples)
    return (_build if row["kind"] == "build" else _load)(dataset, row)


# Building ----------------------------------------------------------------------------------


def _build(dataset: Any, row: dict[str, Any]) -> dict[str, Any]:
    """Seconds to build the cache and to decode alone, in turns."""
    from edgekd.data import decoded_at_sizes
    from edgekd.data.damage import cores
    from edgekd.data.decoded import content_of
    from edgekd.data.decoded.building import decode_block
    from edgekd.data.decoded.entry import decoded_folder

    sizes = row["sizes"]
    start = time.perf_counter()
    content = content_of(dataset)
    hashing = time.perf_counter() - start
    blocks = [content.paths[n : n + 32] for n in range(0, len(content.paths), 32)]

    def limit() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            for _ in pool.map(lambda block: decode_block(block, sizes)[1], blocks):
                pass

    def build() -> None:
        decoded_at_sizes(dataset, sizes, content=content)

    seconds: dict[str, list[float]] = {"limit": [], "build": []}
    processor: dict[str, list[float]] = {"limit": [], "build": []}
    peak = 0
    for turn in range(row["rounds"]):
        for name in ("limit", "build") if turn % 2 == 0 else ("build", "limit"):
            if name == "build":
                shutil.rmtree(decoded_folder(), ignore_errors=True)
            with _peak_memory() as memory:
                start, busy = time.perf_counter(), time.process_time()
                (limit if name == "limit" else build)()
                seconds[name].append(time.perf_counter() - start)
                processor[name].append(time.process_time() - busy)
            peak = max(peak, memory[-1]) if name == "build" else peak
    pairs = list(zip(seconds["limit"], seconds["build"], strict=True))
    return {
        "images": len(content.paths), "sizes": sizes, "threads": cores(), "rounds": row["rounds"],
        "hash_us": 1e6 * hashing / len(content.paths),
        "decode_us": 1e6 * median(seconds["limit"]) / len(content.paths),
        "build_us": 1e6 * median(seconds["build"]) / len(content.paths),
        "rate": median(limit / build for limit, build in pairs),
        "rate_with_hash": median(limit / (build + hashing) for limit, build in pairs),
        "processor_rate": sum(processor["limit"]) / sum(processor["build"]),
        "peak_mb": peak / 1e6,
    }  # fmt: skip


# Loading -----------------------------------------------------------------------------------


def _load(dataset: Any, row: dict[str, Any]) -> dict[str, Any]:
    """Seconds of an image drained, the share of waiting beside a training, and memory."""
    import torch

    from edgekd.data import decoded_at_sizes
    from edgekd.distill.samples.loading import BatchLoader, WaitingShare
    from edgekd.distill.samples.run_samples import EpochSampler

    torch.set_num_threads(1)
    (images,) = decoded_at_sizes(dataset, row["sizes"])
    targets, count, drained = dataset.targets(), len(images), []
    order = EpochSampler(count, None, 0, lambda: len(drained))
    loader = BatchLoader(
        images, range(count), order, BATCH, targets=[targets], workers=row["workers"]
    )
    step = _training_step(row["sizes"][0])
    step(next(iter(loader)))
    with _peak_memory() as memory:
        for _ in range(max(2, 20_000 // count)):
            start = time.perf_counter()
            for _ in loader:
                pass
            drained.append((time.perf_counter() - start) / count)
        waiting = WaitingShare()
        waiting.start(loader)
        for number, batch in enumerate(loader, 1):
            step(batch)
            if number == STEPS:
                break
        waiting.stop()
    return {
        "images": count, "workers": row["workers"], "batch": BATCH, "size": row["sizes"][0],
        "us": 1e6 * median(drained[1:]), "waiting": waiting.share, "peak_mb": memory[-1] / 1e6,
        "images_mb": images.nbytes / 1e6,
    }  # fmt: skip


def _training_step(size: int) -> Any:
    """A step of a small student: forward, backward, update."""
    import torch
    import torch.nn.functional as F

    from edgekd.models import create_network, pixels_of

    options = {"channels": [16, 32, 64, 128], "stem_width": 16}
    network = create_network("resnet10t", 2, options).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)

    def step(batch: list[Any]) -> None:
        pixels, targets, _ = batch
        loss = F.cross_entropy(network(pixels_of(pixels)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


# The machine -------------------------------------------------------------------------------


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """The largest RssAnon in bytes above that of the beginning, as the list's last value."""
    before, peaks, over = _anonymous(), [0], threading.Event()

    def sample() -> None:
        while not over.wait(0.01):
            peaks[0] = max(peaks[0], _anonymous() - before)

    thread = threading.Thread(target=sample)
    thread.start()
    yield peaks
    over.set()
    thread.join()


def _anonymous() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
    }


def _markdown(result: dict[str, Any]) -> str:
    machine = result["machine"]
    load = ", ".join(str(value) for value in machine["load_average"])
    lines = [
        "# The data path", "",
        "    python benchmarks/data_path.py --json benchmarks/results/data-path.json \\",
        "        --markdown benchmarks/results/data-path.md", "",
        f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}; load "
        f"average at the end {load}: other work ran beside it, so only ratios within a row hold.",
        "", "## Building the decoded cache", "",
        "Rate: time of decoding alone (the same files, as many threads, nothing written) divided",
        "by that of the build, in pairs; with the hash of the files, which is made once; and by",
        "processor time, which other work on the machine hardly changes.", "",
        "| images | sizes | threads | hash, µs | decode, µs | build, µs | rate | with hash "
        "| by processor time | memory, MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {row['images']:,} | {', '.join(map(str, row['sizes']))} px | {row['threads']} "
        f"| {row['hash_us']:.0f} | {row['decode_us']:.0f} | {row['build_us']:.0f} "
        f"| {row['rate']:.0%} | {row['rate_with_hash']:.0%} "
        f"| {row['processor_rate']:.0%} | {row['peak_mb']:.0f} |"
        for row in result["building"]
    ]
    lines += [
        "",
        "## Loading batches",
        "",
        f"Batches of {BATCH}. Time of an image where the loader is drained; share of the time that",
        "a training waits (a small student, one thread); memory of the process above that before.",
        "",
        "| images | side | workers | µs an image | waiting | memory, MB | images, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['images']:,} | {row['size']} px | {row['workers']} | {row['us']:.1f} "
        f"| {row['waiting']:.1%} | {row['peak_mb']:.0f} | {row['images_mb']:.0f} |"
        for row in result["loading"]
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
