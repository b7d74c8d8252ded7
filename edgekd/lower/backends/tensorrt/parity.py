"""The process that makes `model.pt2` and compares it with `model.onnx`.

`python -m edgekd.lower.backends.tensorrt.parity job.json` is that process. The gate of a bundle saw
the outputs of `model.onnx`; they stand for the program only if both give the same ones, image by
image. What is fp16 in it is computed in float32 here: PyTorch is slow in fp16 on a CPU, and ONNX
Runtime, which gave the outputs to compare with, computes in float32 there too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.files import pretty_json, write_atomically
from edgekd.lower.backends.tensorrt.job import PROGRAM
from edgekd.lower.jobs.process import announce, run_in_process, serve

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

__all__ = ["ParityJob", "ParityReport", "compare_program"]

_MODULE = "edgekd.lower.backends.tensorrt.parity"  # this one; __name__ is __main__ there
_REPORT = "parity.json"
_EVERY = 50  # images between two reports of progress


class ParityJob(msgspec.Struct, frozen=True, kw_only=True):
    """A file to make a program of, and outputs to compare it with.

    Attributes:
        onnx: The file.
        images: File (.npy) with uint8 [N, S, S, 3].
        outputs: File (.npy) with the float32 outputs [N, …] of the ONNX file for these images.
        out: Folder that gets `model.pt2` and the report.
        threads: Threads of PyTorch.
    """

    onnx: str
    images: str
    outputs: str
    out: str
    threads: int = 1


class ParityReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far a program is from its ONNX file.

    Attributes:
        images: Number of images.
        max_difference: Largest absolute difference of an output; -1 where one is not finite.
        pairs: Number of Q/DQ pairs of the program.
    """

    images: int
    max_difference: float
    pairs: int


def compare_program(
    job: ParityJob, *, log: Path, report: Callable[[str], None] = lambda state: None
) -> ParityReport:
    """Make the program in a process of its own, and run it on every image.

    Args:
        job: The file, the images and the outputs.
        log: File for PyTorch's messages.
        report: Takes `done/total` after every 50 images.

    Raises:
        JobError: The file has no form in PyTorch (exit code 2), or a package is missing (3).
    """
    result = Path(job.out) / _REPORT
    title = f"{PROGRAM} for torch-tensorrt"
    raw = run_in_process(_MODULE, job, title=title, log=log, result=result, report=report)
    return msgspec.json.decode(raw, type=ParityReport)


def run_job(job: ParityJob) -> None:
    """Write the program, read it again, and compare what was read.

    Raises:
        EdgekdError: See `program_of` and `load_program`.
    """
    import torch

    from edgekd.lower.backends.tensorrt.program import (
        load_program,
        pairs_of,
        program_of,
        save_program,
    )

    torch.set_num_threads(job.threads)
    file = Path(job.out) / PROGRAM
    file.parent.mkdir(parents=True, exist_ok=True)
    save_program(program_of(Path(job.onnx)), file)
    program = load_program(file)
    images = np.load(job.images, mmap_mode="r", allow_pickle=False)
    difference = _difference(_outputs(program, images), np.load(job.outputs, allow_pickle=False))
    report = ParityReport(images=len(images), max_difference=difference, pairs=pairs_of(program))
    write_atomically(Path(job.out) / _REPORT, pretty_json(report))


def _outputs(program: ExportedProgram, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    import torch

    network, outputs = _in_float32(program.module()), []
    with torch.no_grad():
        for index in range(len(images)):
            if index % _EVERY == 0:
                announce(f"{index}/{len(images)}")
            image = np.array(images[index : index + 1])
            outputs.append(network(torch.from_numpy(image)).numpy())
    return np.concatenate(outputs)


def _in_float32(network: GraphModule) -> GraphModule:
    """`network`, changed in place, without half precision."""
    import torch
    from torch.utils._pytree import tree_map

    network.float()  # parameters and buffers that are floats
    for node in network.graph.nodes:
        node.args = tree_map(lambda a: torch.float32 if a is torch.float16 else a, node.args)
    network.recompile()
    return network


def _difference(outputs: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    difference = np.abs(outputs - expected).max()
    return float(difference) if np.isfinite(difference) else -1.0


if __name__ == "__main__":
    sys.exit(serve(ParityJob, run_job, sys.argv[1:]))
