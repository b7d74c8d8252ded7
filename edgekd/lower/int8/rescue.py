"""The last rescue of int8: the student's weights are trained on with simulated int8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from edgekd.data import cache_folder
from edgekd.files import whole_folder
from edgekd.lower.candidate import Lowering
from edgekd.lower.int8.quantisation_aware import finish_quantisation_aware
from edgekd.lower.int8.sensitivity import deploy_graph_of
from edgekd.lower.source import Source
from edgekd.lower.store import code_sha256, tool_versions
from edgekd.models import read_card, save_checkpoint
from edgekd.recipe import fingerprint
from edgekd.seals import is_whole, seal_files

__all__ = ["rescued_source"]


def rescued_source(lowering: Lowering) -> Source:
    """The student with weights that withstand int8 better; its images stay the same.

    Trained on the training part, without labels, towards the float student's own answers. The
    weights are kept in the cache; they are judged against the float student as it was.
    """
    source = lowering.source
    key = fingerprint(source.card, code_sha256(), tool_versions())
    folder = cache_folder() / "students" / f"{key[:32]}.rescued"
    if not is_whole(folder):
        _write(lowering, _finished(lowering), folder)
    return replace(source, folder=folder, card=read_card(folder))


def _finished(lowering: Lowering) -> nn.Module:
    source = lowering.source
    images = np.asarray(source.pixels[source.split.indices("train")])
    return finish_quantisation_aware(deploy_graph_of(lowering), images, say=lowering.watch.line)


def _write(lowering: Lowering, network: nn.Module, folder: Path) -> None:
    with whole_folder(folder) as beside:
        save_checkpoint(beside, network, lowering.source.card)
        seal_files(beside, [file.name for file in beside.iterdir()])
