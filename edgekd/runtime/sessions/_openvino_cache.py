"""Compiled OpenVINO models on disk: off unless `EDGEKD_OPENVINO_CACHE=1`.

It is off because it gains little on a CPU and bypasses the bundle's hashes. Measured with 2026.4.1
on two cores of a Xeon, from file to compiled model, after 320 ms for the import of OpenVINO: an
int8 student of 0.7 MB 89 → 44 ms, MobileNetV2 in fp32 97 → 60 ms, ResNet-18 in fp32 87 → 129 ms.
Anyone who can write to the folder can replace the model, even if the bundle is signed.

OpenVINO's own CACHE_DIR is not used, as it accepts damaged blobs: with one bit flipped in the first
4,000 bytes, 91 of 120 blobs were loaded without an error and gave other logits. Here a SHA-256
precedes each blob, and where it does not match, the model is compiled again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import InputError
from edgekd.files import atomic_write, sha256_of
from edgekd.runtime.sessions._engine import version_of
from edgekd.user_folders import cache_folder

__all__ = ["Cache"]

_SWITCH = "EDGEKD_OPENVINO_CACHE"
_DIGEST = hashlib.sha256().digest_size


class Cache:
    """Compiles one model, or loads it as compiled by an earlier process.

    Attributes:
        state: After `compile`: `off`, `made` (compiled and stored) or `used` (loaded).
    """

    def __init__(self, core: Any, model: Path | None) -> None:
        self.state = "off"
        self._core = core
        self._model = model

    @classmethod
    def of(cls, core: Any, model: ModelFiles) -> Cache:
        """The cache for `model`; always off for files in memory, which must not reach a disk."""
        return cls(core, model.path if os.environ.get(_SWITCH) == "1" else None)

    def compile(self, network: Any, device: str, settings: dict[str, str | int]) -> Any:
        """The network, compiled for `device`.

        Raises:
            RuntimeError: OpenVINO cannot compile it.
        """
        file = self._file(device, settings)
        if file is None:
            return self._core.compile_model(network, device, settings)
        compiled = self._load(file, device, settings)
        if compiled is not None:
            self.state = "used"
            return compiled
        compiled = self._core.compile_model(network, device, settings)
        self.state = "made" if _store(compiled, file) else "off"
        return compiled

    def _file(self, device: str, settings: dict[str, str | int]) -> Path | None:
        """File for the compiled model, or None where the cache is off."""
        if self._model is None:
            return None
        try:
            hardware = self._core.get_property(device, "FULL_DEVICE_NAME")
            can = self._core.get_property(device, "OPTIMIZATION_CAPABILITIES")
        except RuntimeError:  # AUTO and the like are not devices
            return None
        files = [sha256_of(self._model), sha256_of(self._model.with_suffix(".bin"))]
        key = repr([version_of("openvino"), device, hardware, can, sorted(settings.items()), files])
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return cache_folder() / "openvino" / f"{name}.blob"

    def _load(self, file: Path, device: str, settings: dict[str, str | int]) -> Any:
        try:
            content = file.read_bytes()
        except OSError:
            return None
        digest, blob = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(blob).digest() != digest:
            return None
        try:
            return self._core.import_model(blob, device, settings)
        except RuntimeError:  # stored by an incompatible OpenVINO
            return None


def _store(compiled: Any, file: Path) -> bool:
    """Store a compiled model; False where the file cannot be written."""
    try:
        blob = compiled.export_model().getvalue()
        with atomic_write(file) as beside:
            beside.write_bytes(hashlib.sha256(blob).digest() + blob)
    except (InputError, OSError, RuntimeError):
        return False
    return True
