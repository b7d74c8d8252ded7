"""The work of one engine on a stream: CUDA graph, memory, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_tensorrt import IMAGE, FakeCuda

from edgekd.errors import DeviceUnreachableError


def test_a_graph_runs_the_engine(opened: Callable[..., Any]) -> None:
    session, cuda, _ = opened()
    assert (session.facts["cuda_graph"], session.facts["cuda_graph_failure"]) == (True, None)
    cuda.calls.clear()
    first, second = session.run(IMAGE), session.run(IMAGE + 1)
    assert first.tolist() == [[0, 1, 2]]
    assert second.tolist() == [[1, 2, 3]]
    assert cuda.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"] * 2
    session.close()
    assert not cuda.memory
    assert cuda.graphs == 0
    assert cuda.calls[-1] == "cudaStreamDestroy"


@pytest.mark.parametrize(
    ("fail", "capturable", "why"),
    [
        ("cudaStreamBeginCapture", True, "cudaStreamBeginCapture: cudaErrorMemoryAllocation"),
        ("cudaGraphInstantiate", True, "cudaGraphInstantiate: cudaErrorMemoryAllocation"),
        ("", False, "TensorRT could not run the engine"),
    ],
)
def test_without_a_graph_it_runs_all_the_same(
    opened: Callable[..., Any], fail: str, capturable: bool, why: str
) -> None:
    session, cuda, _ = opened(fail, capturable=capturable)
    assert session.facts["cuda_graph"] is False
    assert why in session.facts["cuda_graph_failure"]
    assert cuda.captured is None  # the stream is no longer in capture
    assert "cudaGetLastError" in cuda.calls
    assert session.run(IMAGE).tolist() == [[0, 1, 2]]
    assert session.run(IMAGE + 7).tolist() == [[7, 8, 9]]
    session.close()
    assert not cuda.memory


@pytest.mark.parametrize("fail", ["cudaStreamCreate", "cudaHostAlloc", "cudaMalloc"])
def test_a_gpu_without_memory_gives_all_back(opened: Callable[..., Any], fail: str) -> None:
    cudas: list[FakeCuda] = []
    original = FakeCuda.__init__

    def keep(self: FakeCuda, *arguments: Any) -> None:
        original(self, *arguments)
        cudas.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeCuda, "__init__", keep)
        with pytest.raises(DeviceUnreachableError, match=f"{fail}: cudaErrorMemoryAlloc"):
            opened(fail)
    assert not cudas[0].memory
    assert ("cudaStreamDestroy" in cudas[0].calls) == (fail != "cudaStreamCreate")


HELD = (
    "cudaStreamSynchronize", "cudaGraphExecDestroy", "cudaFree", "cudaFree", "cudaFreeHost",
    "cudaFreeHost", "cudaStreamDestroy",
)  # fmt: skip


@pytest.mark.parametrize("fail", sorted(set(HELD)))
def test_all_is_given_back_whatever_fails_and_the_first_error_is_told(
    opened: Callable[..., Any], fail: str
) -> None:
    session, cuda, _ = opened()
    cuda.calls.clear()
    cuda.fail = fail
    with pytest.raises(DeviceUnreachableError, match=f"CUDA failed in {fail}: "):
        session.close()
    assert tuple(cuda.calls) == HELD
    # CUDA reports an error of the GPU at each later call: the first is the one that tells.
    session, cuda, _ = opened()
    cuda.calls.clear()
    cuda.fails_from = fail
    with pytest.raises(DeviceUnreachableError, match=f"CUDA failed in {fail}: "):
        session.close()
    assert tuple(cuda.calls) == HELD


def test_error_that_ends_the_start_is_not_hidden_by_those_of_giving_back(
    opened: Callable[..., Any],
) -> None:
    """The engine's first run breaks the GPU, and nothing can be given back after that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeCuda, "fails_from", "cudaMemcpyAsync")
        with pytest.raises(DeviceUnreachableError, match="CUDA failed in cudaMemcpyAsync: "):
            opened()
