"""The same bundle, the same decisions: on aarch64 with the CPU models of two Raspberry Pis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulation.comparing import check_same, check_steady, tflite_reach, with_equal_pixels
from emulation.profiles import PROFILES

pytestmark = pytest.mark.emulated

AskBoard = Callable[..., dict[str, Any]]
Development = dict[str, dict[str, Any]]


@pytest.mark.parametrize("name", ["rpi4", "rpi5"])
def test_litert_int8_gives_the_decisions_and_bits_of_this_machine(
    ask_board: AskBoard, development: Development, few: list[Path], name: str
) -> None:
    answers = ask_board(name, "litert", "int8", few)
    assert (answers["machine"], answers["heavy"]) == ("aarch64", [])
    assert answers["qemu_cpu"] == PROFILES[name].qemu_cpu
    here = development["int8"]
    assert answers["facts"]["engine"] == here["facts"]["engine"]
    # The vectors of the self-test are pixels: what differed here would be the engine.
    assert answers["selftest"] == {**here["selftest"], "passed": True, "max_difference": 0.0}
    there, here = with_equal_pixels(answers, here)
    for photo, one in there["photos"].items():
        check_same(one, here["photos"][photo])


@pytest.mark.parametrize("environment, precision", [("litert", "fp32"), ("tflite", "int8")])
def test_the_decisions_are_the_same_where_roundings_differ(
    ask_board: AskBoard,
    development: Development,
    rpi_bundles: Path,
    few: list[Path],
    environment: str,
    precision: str,
) -> None:
    answers = ask_board("rpi4", environment, precision, few)
    assert answers["selftest"]["passed"]
    numpy = "1." if environment == "tflite" else "2."
    assert answers["packages"]["numpy"].startswith(numpy)
    reach = tflite_reach(development[precision], precision)
    there, here = with_equal_pixels(answers, development[precision])
    check_steady(there, here, rpi_bundles / f"rpi-{precision}", reach)


def test_a_cpu_on_which_litert_computes_rubbish_is_found_out(ask_board: AskBoard) -> None:
    """qemu 7.2's `max`: through its SVE, LiteRT's int8 kernels answer the same for every photo."""
    answers = ask_board("max", "litert", "int8", [])
    if answers.get("selftest", {}).get("max_difference") == 0.0:
        pytest.skip("the `max` CPU of this qemu computes rightly: there is no bad one to find out")
    assert answers["error"]["type"] == "ArtefactError"
    assert "self-test" in answers["error"]["message"]
