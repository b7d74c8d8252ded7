"""Which TensorRT a Jetson has, by the release of its system.

Sources: dusty-nv/jetson-containers `jetson_containers/l4t_version.py` and, for the TensorRT of each
CUDA, `packages/cuda/tensorrt/config.py`; NVIDIA TensorRT documentation, "Support matrix" of 11.4.1.
The table of targets/jetson/README.md is this one.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["JETPACKS", "JetPack", "jetpack_of"]


@dataclass(frozen=True)
class JetPack:
    """A family of JetPack releases.

    Attributes:
        name: Names of its releases.
        l4t: Prefixes of its releases of Linux for Tegra.
        tensorrt: Version of TensorRT that it contains.
        python: Version of Ubuntu's Python.
        cuda: Version of CUDA that it contains.
        image: `BASE_IMAGE` of Dockerfile.jetson; empty where none fits.
        advice: Why edgekd cannot use it and what to do; empty where it can.
    """

    name: str
    l4t: tuple[str, ...]
    tensorrt: str
    python: str
    cuda: str
    image: str = ""
    advice: str = ""


_JETPACK = "nvcr.io/nvidia/l4t-jetpack:r36.4.0"
_SBSA = "nvcr.io/nvidia/tensorrt:YY.MM-py3"
_WEAKLY_TYPED = "its TensorRT is older than 10 and knows no strongly typed networks"

JETPACKS = (
    JetPack(
        "4.6", ("32",), "8.2", "3.6", "10.2",
        advice=f"{_WEAKLY_TYPED}, its Python is older than 3.10, and the board gets no newer one: "
        "run the bundle by ONNX Runtime on another computer",
    ),
    JetPack(
        "5.0, 5.1", ("34", "35"), "8.5", "3.8", "11.4",
        advice=f"{_WEAKLY_TYPED}: flash an Orin with JetPack 6.1 or newer; a Xavier has none",
    ),
    JetPack(
        "6.0", ("36.0", "36.2", "36.3"), "8.6 or 10.0", "3.10", "12.2 or 12.4",
        advice="whether its TensorRT is new enough differs: update to JetPack 6.1 or newer",
    ),
    JetPack("6.1, 6.2", ("36",), "10.3", "3.10", "12.6", _JETPACK),
    JetPack("7.0, 7.1", ("38",), "10.13", "3.12", "13.0", _SBSA),
    JetPack("7.2", ("39",), "10 (11.4.1 from 7.2.2)", "3.12", "13.2", _SBSA),
)  # fmt: skip
"""From the oldest to the newest; a release belongs to the first row whose `l4t` matches."""


def jetpack_of(l4t: str) -> JetPack | None:
    """The row of a release such as `36.4.3`; None for a newer one than the table has."""
    for row in JETPACKS:
        if any(l4t == begin or l4t.startswith(f"{begin}.") for begin in row.l4t):
            return row
    return None
