"""Signatures of architectures: hashes by which the architecture of a state dict is looked up.

A signature is of the names of all tensors, and of the shapes of those with three dimensions or more
outside of the classifier: the number of classes does not count. `signatures.json` has those of the
architectures of timm and torchvision; `python -m edgekd.models.importing.signatures` writes it
again, which takes minutes.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from edgekd.errors import InputError
from edgekd.files import write_atomically

__all__ = ["TABLE", "architectures_with", "shapes_of_architecture", "signature"]

TABLE = Path(__file__).with_name("signatures.json")

Shapes = Mapping[str, Sequence[int]]

_CLASSES = 7
_HEAD = re.compile(r"(^|\.)(head|heads|head_dist|classifier|fc|last_linear|logits)(\.|$)")
_NOT_ALWAYS_SAVED = ("num_batches_tracked", "relative_position_index", "attn_mask")


def signature(shapes: Shapes) -> str:
    """The signature of tensors by name and shape, 16 hex digits."""
    lines = []
    for name in sorted(shapes):
        if name.endswith(_NOT_ALWAYS_SAVED):
            continue
        shape = list(shapes[name])
        tells = len(shape) > 2 and not _HEAD.search(name)
        lines.append(f"{name} {shape}" if tells else name)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def architectures_with(hash_of_shapes: str) -> list[str]:
    """The architectures with a signature, those of timm first."""
    return _table().get(hash_of_shapes, [])


def shapes_of_architecture(arch: str, options: Mapping[str, object] | None = None) -> Shapes:
    """Shapes of the tensors of an architecture with seven classes, without memory for them.

    Raises:
        InputError: There is no such architecture, or it refuses the options.
    """
    import torch

    from edgekd.models.network import create_network

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constructors
        try:
            with torch.device("meta"):
                network = create_network(arch, _CLASSES, dict(options or {}))
        except (InputError, NotImplementedError):  # some constructors need their tensors' values
            network = create_network(arch, _CLASSES, dict(options or {}))
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@cache
def _table() -> dict[str, list[str]]:
    table: dict[str, list[str]] = msgspec.json.decode(TABLE.read_bytes(), type=dict[str, list[str]])
    return table


def _architectures() -> Iterator[str]:
    from edgekd.models.libraries import torchvision_networks
    from edgekd.models.libraries.timm_networks import timm

    yield from timm.list_models()
    yield from (f"torchvision:{name}" for name in torchvision_networks.names())


def _write() -> None:
    table: dict[str, list[str]] = {}
    for arch in _architectures():
        try:
            table.setdefault(signature(shapes_of_architecture(arch)), []).append(arch)
        except Exception as error:
            print(f"{arch} is left out: {error}")
    lines = [
        f'"{key}": {msgspec.json.encode(archs).decode()}'
        for key, archs in sorted(table.items(), key=lambda each: each[1])
    ]
    write_atomically(TABLE, "{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    _write()
