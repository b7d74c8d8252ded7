"""The engine builder, on TensorRT-RTX where its wheels are, else on a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.lower.backends.tensorrt import library
from edgekd.lower.backends.tensorrt.builder import EngineBuildError, Phases, build_engine

needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="TensorRT-RTX's wheels are not installed (extra tensorrt-check)",
)


@pytest.fixture
def mobilenet(lowered_student: Callable[[str, str], Path]) -> dict[str, Path]:
    """`mobilenetv2_050` as the tensorrt backend lowers it, per precision."""
    return {
        precision: lowered_student("mobilenetv2_050", precision) for precision in ("fp32", "int8")
    }


@needs_rtx
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_tensorrt_takes_what_the_backend_lowers(
    precision: str, mobilenet: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "model.engine"
    report = build_engine(
        mobilenet[precision],
        out,
        trt=library.load_tensorrt_rtx(),
        workspace_bytes=1 << 28,
        compute_capabilities=("SM86", "SM89"),
    )
    assert report.path == out
    assert report.bytes == out.stat().st_size > 100_000
    assert report.seconds > 0
    assert "tensorrt_rtx_bindings" in report.versions


@needs_rtx
def test_parser_errors_name_the_node(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["image"], ["turned"], "layout", perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["turned"], ["logits"], "cast", to=TensorProto.FLOAT),
        ],
        "early transpose",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 4, 4, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, 4, 4])],
    )
    file = tmp_path / "model.onnx"
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), file)
    with pytest.raises((ArtefactError, EngineBuildError), match="layout"):
        build_engine(
            file,
            tmp_path / "model.engine",
            trt=library.load_tensorrt_rtx(),
            compute_capabilities=("SM86",),
        )
    assert not (tmp_path / "model.engine").exists()


@needs_rtx
def test_unknown_compute_capability(mobilenet: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot build for SM10") as caught:
        build_engine(
            mobilenet["fp32"],
            tmp_path / "model.engine",
            trt=library.load_tensorrt_rtx(),
            compute_capabilities=("SM10",),
        )
    assert "SM86" in caught.value.hint


@needs_rtx
@pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning")
def test_builder_settings_reach_tensorrt(mobilenet: dict[str, Path], tmp_path: Path) -> None:
    said: list[str] = []
    cache = tmp_path / "cache"
    report = build_engine(
        mobilenet["fp32"],
        tmp_path / "model.engine",
        trt=library.load_tensorrt_rtx(),
        workspace_bytes=1 << 27,
        compute_capabilities=("SM86",),
        timing_cache=cache,
        optimization_level=2,
        tf32=False,
        progress=said.append,
    )
    assert report.flags == {"workspace_bytes": 1 << 27, "optimization_level": 2, "tf32": False}
    assert said[0].startswith("Building engine")
    assert cache.stat().st_size > 0


def test_phases_one_in_the_other() -> None:
    said: list[str] = []
    phases = Phases(said.append, pause=0.0)
    phases.start("building", 6)
    phases.step("building", 2)
    phases.start("timing", 200)
    phases.step("timing", 50)
    phases.start("one kernel", 1)
    phases.finish("one kernel")
    phases.finish("timing")
    phases.step("timing", 51)  # a late word of another thread
    phases.step("building", 3)
    phases.finish("building")
    assert said == [
        "building 0/6",
        "building 2/6",
        "building 2/6; timing 0/200",
        "building 2/6; timing 50/200",
        "building 2/6; one kernel",
        "building 3/6",
    ]


def test_phases_do_not_flood() -> None:
    said: list[str] = []
    phases = Phases(said.append, pause=3600.0)
    phases.start("building", 6)
    for step in range(6):
        phases.step("building", step)
    phases.finish("building")
    phases.start("writing", 1)
    assert said == ["building 0/6", "writing"]


class Cache:
    """A timing cache that holds `content`."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"+"


class StandIn(ModuleType):
    """As much of TensorRT's module as the builder touches, with a record of its calls."""

    class ILogger:
        Severity = SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)

        def __init__(self) -> None: ...

    def __init__(self, version: str = "10.3.0", *, strongly_typed: bool = True) -> None:
        super().__init__("tensorrt")
        self.__version__ = version
        flags = {"STRONGLY_TYPED": 1} if strongly_typed else {}
        self.NetworkDefinitionCreationFlag = SimpleNamespace(**flags)
        self.MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
        self.BuilderFlag = SimpleNamespace(TF32="tf32", VERSION_COMPATIBLE="version compatible")
        self.plan: bytes | None = b"plan"
        self.parser_errors: list[Any] = []
        self.foreign_cache = b""
        self.calls: list[tuple[Any, ...]] = []

    def Builder(self, logger: Any) -> Any:
        self.logger = logger
        return SimpleNamespace(
            create_network=lambda flags: self.calls.append(("network", flags)),
            create_builder_config=self._config,
            build_serialized_network=lambda network, config: self._build(),
        )

    def OnnxParser(self, network: Any, logger: Any) -> Any:
        return SimpleNamespace(
            parse_from_file=lambda file: not self.parser_errors,
            num_errors=len(self.parser_errors),
            get_error=lambda index: self.parser_errors[index],
        )

    def _config(self) -> Any:
        self.config = SimpleNamespace(
            set_flag=lambda flag: self.calls.append(("set", flag)),
            clear_flag=lambda flag: self.calls.append(("clear", flag)),
            set_memory_pool_limit=lambda *limit: self.calls.append(("memory", *limit)),
            create_timing_cache=Cache,
            set_timing_cache=lambda cache, _: cache.content != self.foreign_cache or not cache,
        )
        return self.config

    def _build(self) -> bytes | None:
        if self.plan is None:
            self.logger.log(2, "only a warning")
            self.logger.log(1, "no kernel for\n node conv")
        return self.plan


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"onnx")
    return file


@pytest.mark.parametrize(("version", "flags"), [("10.3.0", 2), ("11.4.1", 0), ("1.7.1", 2)])
def test_network_is_strongly_typed(version: str, flags: int, onnx_file: Path) -> None:
    trt = StandIn(version)
    report = build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt)
    assert ("network", flags) in trt.calls
    assert report.versions == {"tensorrt": version}
    assert onnx_file.with_suffix(".engine").read_bytes() == b"plan"


def test_old_tensorrt_is_refused(onnx_file: Path) -> None:
    trt = StandIn("8.5.2", strongly_typed=False)
    with pytest.raises(InputError, match=r"8\.5\.2 knows no strongly typed"):
        build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt)


def test_workspace_is_bounded(onnx_file: Path) -> None:
    trt = StandIn()
    build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt, workspace_bytes=99)
    assert ("memory", "workspace", 99) in trt.calls


def test_float32_may_be_exact(onnx_file: Path) -> None:
    trt = StandIn()
    quick = build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt)
    assert quick.flags == {"tf32": True}
    assert ("clear", "tf32") not in trt.calls
    exact = build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt, tf32=False)
    assert exact.flags == {"tf32": False}
    assert ("clear", "tf32") in trt.calls


def test_no_engine_carries_host_code(onnx_file: Path) -> None:
    trt = StandIn()
    build_engine(
        onnx_file, onnx_file.with_suffix(".engine"), trt=trt, workspace_bytes=99, tf32=False,
        optimization_level=1,
    )  # fmt: skip
    assert not [call for call in trt.calls if call[0] == "set"]  # VERSION_COMPATIBLE, say
    assert trt.config.builder_optimization_level == 1


def test_tensorrt_without_a_progress_monitor(onnx_file: Path) -> None:
    said: list[str] = []
    trt = StandIn()
    build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt, progress=said.append)
    assert said == []
    assert not hasattr(trt.config, "progress_monitor")


def test_tensorrt_without_other_gpus(onnx_file: Path) -> None:
    with pytest.raises(InputError, match="cannot build for SM87"):
        build_engine(
            onnx_file, onnx_file.with_name("e"), trt=StandIn(), compute_capabilities=("SM87",)
        )


def test_parser_error_of_an_older_binding(onnx_file: Path) -> None:
    trt = StandIn()
    trt.parser_errors = [SimpleNamespace(node=lambda: 3, desc=lambda: "no such\noperator")]
    with pytest.raises(ArtefactError, match=r"node number 3: no such operator"):
        build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt)


def test_failed_build_keeps_the_old_engine(onnx_file: Path) -> None:
    out = onnx_file.with_suffix(".engine")
    out.write_bytes(b"old")
    trt = StandIn()
    trt.plan = None
    with pytest.raises(EngineBuildError, match=r"model\.onnx: no kernel for node conv"):
        build_engine(onnx_file, out, trt=trt)
    assert out.read_bytes() == b"old"


@pytest.mark.parametrize(("foreign", "kept"), [(b"none", b"known+"), (b"known", b"+")])
def test_timing_cache(foreign: bytes, kept: bytes, onnx_file: Path) -> None:
    cache = onnx_file.with_suffix(".timing")
    cache.write_bytes(b"known")
    trt = StandIn()
    trt.foreign_cache = foreign
    build_engine(onnx_file, onnx_file.with_suffix(".engine"), trt=trt, timing_cache=cache)
    assert cache.read_bytes() == kept


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="is missing"):
        build_engine(tmp_path / "absent.onnx", tmp_path / "engine", trt=StandIn())


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_missing_tensorrt(onnx_file: Path) -> None:
    with pytest.raises(MissingDependencyError, match="TensorRT is not installed") as caught:
        build_engine(onnx_file, onnx_file.with_suffix(".engine"))
    assert "JetPack" in caught.value.hint
