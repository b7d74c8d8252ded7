"""Folders of Hugging Face: `config.json` with weights, of timm's networks or of transformers'.

The names of the classes and the preprocessing are taken over. Code in the folder is never run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import InputError
from edgekd.models.card import Interpolation
from edgekd.models.importing.fitting import fit_architecture
from edgekd.models.importing.pickles import read_tensors
from edgekd.models.importing.preprocessing import preprocessing_of_timm, usual_preprocessing
from edgekd.models.importing.request import ImportRequest, Preprocessing, ReadModel
from edgekd.models.importing.states import State, choose_state
from edgekd.models.libraries.timm_networks import ELSEWHERE

__all__ = ["preprocessing_of_processor", "read", "recognises"]

_CONFIG, _PROCESSOR = "config.json", "preprocessor_config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.bin", "model.pth")
_SHARDS = "model.safetensors.index.json"
_ORIGIN = "the folder's configuration"
_FILTERS: dict[Any, Interpolation] = {
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "area",
    5: "hamming",
}
"""Pillow's filters by number."""
_CROPPED_BELOW = 384
"""Side below which processors with `crop_pct` cut out a part; larger images are resized alone."""
_INNER = "network."


def recognises(source: Path, head: bytes) -> bool:
    """Whether it is a folder with a configuration."""
    return source.is_dir() and (source / _CONFIG).is_file()


def read(request: ImportRequest) -> ReadModel:
    """The network of a folder; see `Kind.read`."""
    config = _json(request.source / _CONFIG)
    if "architecture" in config:
        return _of_timm(request, config)
    if config.get("architectures"):
        return _of_transformers(request, config)
    message = f"{request.source / _CONFIG} names no architecture"
    raise InputError(message, "give a folder of an image classifier of timm or transformers")


def _of_timm(request: ImportRequest, config: dict[str, Any]) -> ReadModel:
    file, state = _state(request)
    arch, known = str(config["architecture"]), config.get("model_args") or {}
    options = {key: value for key, value in known.items() if key not in ELSEWHERE}
    if config.get("global_pool") and "global_pool" not in options:
        options["global_pool"] = config["global_pool"]
    fitted = fit_architecture(state, arch, options, "")
    pretrained = config.get("pretrained_cfg") or {}
    names = config.get("label_names") or pretrained.get("label_names")
    return ReadModel(
        kind="a Hugging Face folder of timm", network=fitted.network, arch=arch, options=options,
        file=file, names=_label_names(names),
        preprocessing=(preprocessing_of_timm(pretrained, _ORIGIN), usual_preprocessing(arch)),
        notes=(f"architecture: {arch}, named by {_CONFIG}",),
    )  # fmt: skip


def _of_transformers(request: ImportRequest, config: dict[str, Any]) -> ReadModel:
    name = str(config["architectures"][0])
    if "auto_map" in config:
        message = f"{request.source} brings code of its own for {name}, which is not run"
        raise InputError(message, "export it as ONNX where you trust it, and import that")
    file, state = _state(request)
    arch = f"transformers:{name}"
    inner = State(state.key, {f"{_INNER}{key}": each for key, each in state.tensors.items()})
    options = _plain(config)
    fitted = fit_architecture(inner, arch, options, "")
    processor = request.source / _PROCESSOR
    known = preprocessing_of_processor(_json(processor)) if processor.is_file() else Preprocessing()
    return ReadModel(
        kind="a Hugging Face folder of transformers", network=fitted.network, arch=arch,
        options=options, file=file, names=_label_names(config.get("id2label")),
        preprocessing=(known, Preprocessing(size=_size_of(config), origin=_ORIGIN)),
        notes=(f"architecture: {name}, named by {_CONFIG}",),
    )  # fmt: skip


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what names this folder or its classes."""
    left = {"architectures", "id2label", "label2id", "num_labels", "_name_or_path", "torch_dtype",
            "dtype", "transformers_version", "problem_type"}  # fmt: skip
    return {key: value for key, value in config.items() if key not in left}


def _state(request: ImportRequest) -> tuple[Path, State]:
    folder = request.source
    if (folder / _SHARDS).is_file():
        message = f"the weights of {folder} are in several files"
        raise InputError(message, "save it again as one: save_pretrained(…, max_shard_size='99GB')")
    file = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if file is None:
        message = f"{folder} has no weights: {_WEIGHTS[0]} is missing"
        raise InputError(message, "copy the whole folder")
    content = read_tensors(file, trust_code=request.trust_code)
    return file, choose_state(file, content, request.weights)


def _json(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{file} cannot be read: {error}"
        raise InputError(message, "copy it again") from error


def _label_names(names: Any) -> tuple[str, ...] | None:
    """Names in the order of their numbers; None where they are numbers alone."""
    if isinstance(names, dict):
        try:
            names = [names[key] for key in sorted(names, key=int)]
        except ValueError:
            return None
    if not names or all(re.fullmatch(r"LABEL_\d+|\d+", str(name)) for name in names):
        return None
    return tuple(map(str, names))


def _size_of(config: dict[str, Any]) -> int | None:
    size = config.get("image_size")
    return size if isinstance(size, int) else None


def preprocessing_of_processor(config: dict[str, Any]) -> Preprocessing:
    """What the configuration of an image processor says.

    Raises:
        InputError: Its images are not square.
    """
    size, crop = config.get("size"), config.get("crop_size")
    cuts = bool(config.get("do_center_crop")) and crop is not None
    side, wide = _side(crop if cuts else size), _side(size)
    small = side is not None and side < _CROPPED_BELOW
    fraction = config.get("crop_pct") if small else None
    if cuts and side and wide:
        fraction = side / wide
    shorter = isinstance(size, dict) and "shortest_edge" in size and (small or cuts)
    normalises = config.get("do_normalize", True)
    scale = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    return Preprocessing(
        size=side, resize="shorter-side" if shorter or _is_crop_pct(config, small) else "squash",
        fraction=min(float(fraction or 1.0), 1.0),
        interpolation=_FILTERS.get(config.get("resample", 2)),
        mean=_scaled(config.get("image_mean") if normalises else [0.0] * 3, scale),
        std=_scaled(config.get("image_std") if normalises else [1.0] * 3, scale),
        channels="RGB", layout="NCHW", origin=_ORIGIN,
    )  # fmt: skip


def _is_crop_pct(config: dict[str, Any], small: bool) -> bool:
    """Whether a share of the shorter side is cut out, as by ConvNeXt's processor."""
    return small and bool(config.get("crop_pct")) and not config.get("do_center_crop")


def _scaled(values: Any, scale: float) -> tuple[float, float, float] | None:
    """Mean or standard deviation of pixels in 0…1, where the processor scales those of 0…255."""
    if not values:
        return None
    first, second, third = (float(value) / (scale * 255) for value in values)
    return first, second, third


def _side(size: Any) -> int | None:
    if isinstance(size, int):
        return size
    if not isinstance(size, dict):
        return None
    height, width = size.get("height"), size.get("width")
    if height != width:
        message = f"the images of the network are {height} by {width} px, and not square"
        raise InputError(message, "take one of square images")
    side = size.get("shortest_edge") if height is None else height
    return int(side) if side is not None else None
