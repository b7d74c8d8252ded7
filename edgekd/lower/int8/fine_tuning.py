"""The student of a build with weights that were fine-tuned for int8, kept in the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekd.data import cache_folder
from edgekd.extensions.tasks import TASKS
from edgekd.files import whole_folder
from edgekd.lower.context import BuildContext
from edgekd.lower.int8.quantisation_aware import fine_tune_quantisation_aware
from edgekd.lower.int8.sensitivity import deploy_graph_of
from edgekd.lower.source import Source
from edgekd.lower.store import code_sha256, tool_versions
from edgekd.lower.task import evidence_task
from edgekd.models import read_card, save_checkpoint
from edgekd.recipe import fingerprint
from edgekd.seals import is_whole, seal_files

__all__ = ["fine_tuned_source"]


def fine_tuned_source(context: BuildContext) -> Source:
    """The student with weights that withstand int8 better; its images stay the same.

    Fine-tuned on the training part, without labels, towards the float student's own outputs; its
    files are compared with the original float student.
    """
    source = context.source
    key = fingerprint(source.card, code_sha256(), tool_versions(), TASKS.owner(source.card.task))
    folder = cache_folder() / "students" / f"{key[:32]}.fine-tuned"
    if not is_whole(folder):
        _fine_tune(context, folder)
    return replace(source, folder=folder, card=read_card(folder))


def _fine_tune(context: BuildContext, folder: Path) -> None:
    source = context.source
    network = fine_tune_quantisation_aware(
        deploy_graph_of(context),
        np.asarray(source.pixels[source.split.indices("train")]),
        imitation_loss=evidence_task(source.card.task).imitation_loss,
        say=context.observer.line,
    )
    with whole_folder(folder) as beside:
        save_checkpoint(beside, network, source.card)
        seal_files(beside, [file.name for file in beside.iterdir()])
