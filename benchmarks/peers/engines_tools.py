"""The engines' own tools: how each is called for one thread and single images, and read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines_subject import Subject
from environments import UnavailableError, last_line

__all__ = ["TOOLS", "Call", "Reading", "Tool"]

_BARE = Path(__file__).with_name("engines_bare.py")
_BENCHMARK_APP = "import sys; from openvino.tools.benchmark.main import main; sys.exit(main())"
"""The code of its console script; running the module with `-m` does nothing."""
_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_FEWEST_RUNS = 64
_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Call:
    """How a tool is to measure.

    Attributes:
        threads: Threads of the engine.
        seconds: Seconds to measure.
        warmup_seconds: Seconds of warm-up, where the tool lets them be set.
        run_ms: About how long one run takes, for tools that count runs.
        environment: Variables of the process.
    """

    threads: int
    seconds: float
    warmup_seconds: float
    run_ms: float
    environment: Mapping[str, str]

    @property
    def runs(self) -> int:
        """Number of measured runs."""
        return max(_FEWEST_RUNS, round(1e3 * self.seconds / self.run_ms))

    @property
    def warmup_runs(self) -> int:
        """Number of warm-up runs."""
        return max(5, round(1e3 * self.warmup_seconds / self.run_ms))


@dataclass(frozen=True)
class Reading:
    """The result of a tool.

    Attributes:
        ms: Milliseconds by the tool's statistic.
        runs: Number of runs.
        obtained: The settings that it reports.
        inner_ms: The engine's own part of the time, where the tool reports it.
    """

    ms: float
    runs: int
    obtained: dict[str, str] = field(default_factory=dict)
    inner_ms: float | None = None


@dataclass(frozen=True)
class Tool:
    """A tool that times a model file.

    Attributes:
        name: Name in the tables.
        backend: The engine whose files it takes.
        own: Whether it belongs to the engine; else it is our loop over the engine's call.
        statistic: The statistic that it reports; the same one of ours is compared with it.
        clock: What its clock covers, in words.
        read: Measures a subject once, in a process of its own.
    """

    name: str
    backend: str
    own: bool
    statistic: str
    clock: str
    read: Callable[[Subject, Call], Reading]


def benchmark_app(subject: Subject, call: Call) -> Reading:
    """OpenVINO's `benchmark_app`, synchronous.

    With a performance hint on the command line, streams and threads cannot be set. The hint comes
    from a file of settings instead, as the tool's help says.
    """
    with tempfile.TemporaryDirectory(prefix="edgekd-engines-") as folder:
        settings = Path(folder, "settings.json")
        settings.write_text(json.dumps({"CPU": {"PERFORMANCE_HINT": "LATENCY"}}))
        told = _python(
            call, "-c", _BENCHMARK_APP, "-m", subject.model, "-d", "CPU",
            "-api", "sync", "-hint", "none", "-load_config", settings,
            "-nstreams", 1, "-nthreads", call.threads, "-infer_precision", "f32",
            "-inference_only", "false", "-i", subject.arrays, "-niter", call.runs,
        )  # fmt: skip
    value, unit = _found(r"Median:\s+([\d.]+) (ms|us)", told)
    return Reading(
        ms=float(value) / (1e3 if unit == "us" else 1),
        runs=int(_found(r"Count:\s+(\d+) iterations", told)[0]),
        obtained=_openvino_settings(told),
    )


def litert_benchmark(subject: Subject, call: Call) -> Reading:
    """LiteRT's `benchmark_litert_model`, which uses the CompiledModel interface."""
    with tempfile.TemporaryDirectory(prefix="edgekd-engines-") as folder:
        out = Path(folder, "result.json")
        _python(
            call, "-m", "ai_edge_litert.tools.benchmark_litert_model", f"--model={subject.model}",
            f"--num_runs={call.runs}", f"--warmup_runs={call.warmup_runs}",
            f"--num_threads={call.threads}", f"--result_json={out}",
        )  # fmt: skip
        told = json.loads(out.read_text())
    obtained = {
        "threads": str(told["num_threads"]),
        "fully_accelerated": str(told["fully_accelerated"]),
    }
    latency = told["latency"]
    return Reading(latency["median_ms"], latency["num_runs"], obtained)


def onnxruntime_test(subject: Subject, call: Call) -> Reading:
    """ONNX Runtime's `onnxruntime_test`; it has no option for threads, so the file sets them.

    The settings are in the metadata of a copy, where ONNX Runtime reads them if an environment
    variable is set (`ort_config`, onnxruntime/core/session/inference_session_utils.cc); the graph
    is the same.
    """
    with tempfile.TemporaryDirectory(prefix="edgekd-engines-") as folder:
        copy = Path(folder, "model.onnx")
        copy.write_bytes(_with_settings(subject.model.read_bytes(), call.threads))
        told = _python(
            call, "-m", "onnxruntime.tools.onnxruntime_test", copy, call.runs,
            ORT_LOAD_CONFIG_FROM_MODEL="1",
        )  # fmt: skip
    ms, runs = _found(r"avg latency: ([\d.]+) ms", told)[0], _found(r"iterations: (\d+)", told)[0]
    return Reading(float(ms), int(runs), {"threads": str(call.threads)})


def bare_loop(subject: Subject, call: Call) -> Reading:
    """`engines_bare.py` in a process of its own."""
    told = _python(
        call, _BARE, subject.backend, subject.model, subject.arrays, call.threads,
        call.warmup_seconds, call.seconds,
    )  # fmt: skip
    answer = json.loads(told.splitlines()[-1])
    return Reading(answer["p50"], answer["runs"], answer["obtained"], answer["inner_p50"])


TOOLS = (
    Tool(
        "benchmark_app", "openvino", True, "p50",
        "the C++ call alone: no Python, no copy of the result; the same images, handed over by "
        "address before the clock starts",
        benchmark_app,
    ),
    Tool(
        "litert-benchmark", "tflite", True, "p50",
        "CompiledModel.run_by_name: no copy of image or result; one random image, set once",
        litert_benchmark,
    ),
    Tool(
        "onnxruntime_test", "onnx", True, "mean",
        "InferenceSession.run, all runs together, the first one included; one random image",
        onnxruntime_test,
    ),
    Tool(
        "bare loop", "openvino", False, "p50",
        "InferRequest.infer, which copies image and result; the same images",
        bare_loop,
    ),
    Tool(
        "bare loop", "tflite", False, "p50",
        "Interpreter.set_tensor, invoke, get_tensor; the same images",
        bare_loop,
    ),
    Tool(
        "bare loop", "onnx", False, "p50",
        "InferenceSession.run; the same images",
        bare_loop,
    ),
)  # fmt: skip
"""ONNX Runtime's wheel has no `onnxruntime_perf_test`; `onnxruntime_test` is what it has."""


def _python(call: Call, *arguments: object, **variables: str) -> str:
    """The output of a Python process.

    Raises:
        UnavailableError: It fails.
    """
    command = [sys.executable, *map(str, arguments)]
    environment = {**call.environment, "OMP_NUM_THREADS": str(call.threads), **variables}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"it did not end in {_TIMEOUT_SECONDS} s", "try it alone") from error
    if done.returncode:
        words = last_line(done.stderr or done.stdout)
        raise UnavailableError(words, f"tried: {' '.join(command)}")
    return done.stdout


def _found(pattern: str, told: str) -> Sequence[str]:
    found = re.search(pattern, told)
    if found is None:
        raise UnavailableError(f"its output has changed: no {pattern}", "read its output anew")
    return found.groups()


def _openvino_settings(told: str) -> dict[str, str]:
    """The compiled model's settings, which benchmark_app prints; types by their short names."""
    names = "PERFORMANCE_HINT|NUM_STREAMS|INFERENCE_NUM_THREADS|INFERENCE_PRECISION_HINT"
    found = re.findall(rf" ({names}): (?:<Type: ')?(\w+)", told)
    return {name: _TYPES.get(value, value) for name, value in found}


def _with_settings(model: bytes, threads: int) -> bytes:
    import onnx

    loaded: Any = onnx.load_from_string(model)
    settings = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
    entry = loaded.metadata_props.add()
    entry.key, entry.value = "ort_config", json.dumps({"session_options": settings})
    return bytes(loaded.SerializeToString())
