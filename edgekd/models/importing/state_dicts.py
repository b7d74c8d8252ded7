"""State dicts: .pth, .pt, .bin and .safetensors of PyTorch, plain or among other values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from edgekd.errors import InputError
from edgekd.models.importing.fitting import Fitted, fit_architecture, guess_architecture
from edgekd.models.importing.pickles import is_pickle, read_tensors
from edgekd.models.importing.preprocessing import usual_preprocessing
from edgekd.models.importing.request import ImportRequest, ReadModel
from edgekd.models.importing.states import State, choose_state, states_in
from edgekd.models.libraries import is_own_class
from edgekd.models.trust import trust

__all__ = ["model_of_content", "read", "recognises"]


def recognises(source: Path, head: bytes) -> bool:
    """Whether it is safetensors, or a pickle of PyTorch."""
    return source.is_file() and (head[8:9] == b"{" or is_pickle(head))


def read(request: ImportRequest) -> ReadModel:
    """The network whose weights are in a file; see `Kind.read`."""
    content = read_tensors(request.source, trust_code=request.trust_code)
    kind = "a whole network" if isinstance(content, nn.Module) else "a state dict"
    return model_of_content(request, content, f"{kind} of PyTorch")


def model_of_content(request: ImportRequest, content: Any, kind: str) -> ReadModel:
    """The network whose weights are among what a file holds.

    Args:
        request: The import.
        content: What its file holds.
        kind: What the file is, for people.

    Raises:
        InputError: There are no weights, or no architecture fits them.
    """
    state = choose_state(request.source, content, request.weights)
    fitted = _fitted(request, state)
    notes = [f"{kind}: {fitted.state.text()}", *_further_weights(content, state), *fitted.notes]
    return ReadModel(
        kind=kind, network=fitted.network, arch=fitted.arch, options=dict(request.options),
        file=request.source, preprocessing=(usual_preprocessing(fitted.arch),), notes=tuple(notes),
    )  # fmt: skip


def _fitted(request: ImportRequest, state: State) -> Fitted:
    prefix = request.weights if request.weights not in (None, state.key) else None
    if request.arch is not None and is_own_class(request.arch) and request.trust_code:
        trust(request.arch)
    try:
        if request.arch is None:
            return guess_architecture(state, request.preprocessing.size or 224)
        return fit_architecture(state, request.arch, request.options, prefix)
    except InputError as error:
        raise InputError(f"{request.source}: {error.message}", error.hint) from error


def _further_weights(content: Any, chosen: State) -> list[str]:
    """The weights that are in the file, too, and how to take them."""
    keys = [state.key for state in states_in(content) if state.key != chosen.key]
    network = [key for key in keys if len(chosen.tensors) <= _size(content, key)]
    if not network:
        return []
    named = ", ".join(network)
    return [f"weights: {chosen.key}; there are also {named} (--weights KEY takes them)"]


def _size(content: Any, key: str) -> int:
    return next(len(state.tensors) for state in states_in(content) if state.key == key)
