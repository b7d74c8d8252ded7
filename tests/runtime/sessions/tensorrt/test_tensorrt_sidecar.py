"""The sidecar of an engine is compared with this machine before TensorRT reads the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_tensorrt import FakeCuda, fake_tensorrt, put_in_place, with_sidecar

from edgekd.errors import ArtefactError, EdgekdError
from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions.tensorrt.sidecar import write_sidecar


def refused(trt: Any, plan: Path, match: str) -> EdgekdError:
    with pytest.raises(ArtefactError, match=match) as caught:
        open_session("tensorrt", plan)
    assert trt.read == []
    assert f"edgekd build --on-device {plan.parent}" in caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("tensorrt", "10.7.0", "TensorRT 10.7.0"),
        ("l4t", "36.3", "L4T 36.3"),
        ("cuda", "13.0", "CUDA 13.0"),
        ("gpu", "Thor", "Thor"),
        ("capability", "11.0", "compute capability 11.0"),
    ],
)
def test_a_stranger(
    monkeypatch: pytest.MonkeyPatch, plan: Path, field: str, value: str, told: str
) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    own = with_sidecar(plan, trt, cuda)
    environment = msgspec.structs.replace(own.environment, **{field: value})
    write_sidecar(plan, msgspec.structs.replace(own, environment=environment))
    put_in_place(monkeypatch, trt, cuda)
    error = refused(
        trt, plan, rf"model\.engine was built for .*{told}.*; this is TensorRT 10\.3\.0"
    )
    assert error.exit_code == 6


def test_no_sidecar(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    put_in_place(monkeypatch, trt, cuda)
    refused(trt, plan, r"model\.engine\.json is missing")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"environment": 1}', b"\xff\xfe"])
def test_a_damaged_sidecar(monkeypatch: pytest.MonkeyPatch, plan: Path, content: bytes) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    plan.with_name("model.engine.json").write_bytes(content)
    put_in_place(monkeypatch, trt, cuda)
    refused(trt, plan, r"model\.engine\.json is damaged")


@pytest.mark.parametrize("content", [b"pla", b"", b"plan2"])
def test_another_engine_or_a_part_of_it(
    monkeypatch: pytest.MonkeyPatch, plan: Path, content: bytes
) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    with_sidecar(plan, trt, cuda)
    plan.write_bytes(content)
    put_in_place(monkeypatch, trt, cuda)
    refused(trt, plan, r"is damaged, or not the engine that model\.engine\.json says")
