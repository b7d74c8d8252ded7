"""The same bundle, the same decisions: in this environment and in two that hold one engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulation.comparing import check_steady, tflite_reach, verdicts
from emulation.environments import ask, python_of
from emulation.missing import MissingError


@pytest.fixture(scope="module")
def plain(
    environments: Path, rpi_bundles: Path, photos: list[Path]
) -> Callable[[str, str], dict[str, Any]]:
    """What a plain environment says for a precision."""
    said: dict[tuple[str, str], dict[str, Any]] = {}

    def get(environment: str, precision: str) -> dict[str, Any]:
        try:
            python = python_of(environments, environment)
        except MissingError as missing:
            pytest.skip(str(missing))
        key = environment, precision
        if key not in said:
            said[key] = ask(python, rpi_bundles / f"rpi-{precision}", photos)
        return said[key]

    return get


@pytest.mark.parametrize("environment, engine", [("litert", "ai-edge-"), ("tflite", "tflite-")])
def test_a_plain_environment_holds_one_engine_and_nothing_of_the_host(
    plain: Callable[[str, str], dict[str, Any]], environment: str, engine: str
) -> None:
    answers = plain(environment, "int8")
    assert answers["heavy"] == []
    assert answers["facts"]["engine"].startswith(engine)
    assert len({"ai-edge-litert", "tflite-runtime"} & answers["packages"].keys()) == 1
    assert answers["packages"]["numpy"].startswith("1." if environment == "tflite" else "2.")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_litert_gives_the_same_bits_wherever_it_is_installed(
    plain: Callable[[str, str], dict[str, Any]],
    development: dict[str, dict[str, Any]],
    precision: str,
) -> None:
    answers = plain("litert", precision)
    assert answers["selftest"] == development[precision]["selftest"]
    assert answers["selftest"]["passed"]
    assert answers["photos"] == development[precision]["photos"]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_tflite_runtime_with_numpy_1_gives_the_same_decisions(
    plain: Callable[[str, str], dict[str, Any]],
    development: dict[str, dict[str, Any]],
    rpi_bundles: Path,
    precision: str,
) -> None:
    answers, here = plain("tflite", precision), development[precision]
    assert answers["selftest"]["passed"]
    for name, one in answers["photos"].items():
        assert one["pixels"] == here["photos"][name]["pixels"]
    check_steady(answers, here, rpi_bundles / f"rpi-{precision}", tflite_reach(here, precision))


def test_the_photos_bring_different_answers(development: dict[str, dict[str, Any]]) -> None:
    found = set(verdicts(development["int8"]).values())
    assert len({label for label, _ in found}) > 1
    assert len({decision for _, decision in found}) > 1
