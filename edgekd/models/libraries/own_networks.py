"""Networks of edgekd itself."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from torch import nn

from edgekd.errors import InputError
from edgekd.models.libraries.options import refuse_misplaced
from edgekd.models.mobile import Mobile, MobileOptions
from edgekd.recipe import convert

__all__ = ["create"]

_ELSEWHERE = {
    "num_classes": "the data set says how many classes there are",
    "classes": "the data set says how many classes there are",
    "pretrained": "`pretrained` stands beside `options`",
}
"""Options that are set elsewhere, and where."""


def create(name: str, classes: int, options: dict[str, Any]) -> nn.Module:
    """See `Library.create`; the nearest names are suggested."""
    if name not in _NETWORKS:
        near = difflib.get_close_matches(name, _NETWORKS, n=1) or sorted(_NETWORKS)
        raise InputError(f"edgekd has no network {name!r}", f"did you mean {', '.join(near)}?")
    refuse_misplaced(name, options, _ELSEWHERE)
    return _NETWORKS[name](classes, options)


def _mobile(classes: int, options: dict[str, Any]) -> nn.Module:
    return Mobile(convert(options, MobileOptions, "`options` of edgekd:mobile"), classes)


_NETWORKS: dict[str, Callable[[int, dict[str, Any]], nn.Module]] = {"mobile": _mobile}
