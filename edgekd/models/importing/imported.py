"""From a model of another tool to a checkpoint of edgekd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import nn

from edgekd.errors import ArtefactError, InputError
from edgekd.files import (
    pretty_json,
    refuse_other_content,
    sha256_of,
    whole_folder,
    write_atomically,
)
from edgekd.models.adapted import adapted
from edgekd.models.card import (
    CARD,
    DataCard,
    ImportCard,
    ModelCard,
    OutputCard,
    TrainingCard,
)
from edgekd.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgekd.models.foreign import ForeignNetwork
from edgekd.models.importing.answers import Answer, answer_of
from edgekd.models.importing.classes import classes_after, mapped, mapping_notes
from edgekd.models.importing.kinds import kind_of
from edgekd.models.importing.preprocessing import Settled, settle
from edgekd.models.importing.request import ImportRequest, ReadModel
from edgekd.models.network import count_macs, count_params
from edgekd.models.normalised import NormalisedNetwork
from edgekd.runtime.preprocess import RULE
from edgekd.seals import seal_files

__all__ = ["Imported", "import_model", "read_model"]

_METHOD = "imported"
_CLOSE = 1e-4


@dataclass(frozen=True)
class Imported:
    """A model that was read, and is not written yet.

    Attributes:
        model: What was read.
        card: Its card.
        network: Maps normalised images to logits of the card's classes.
        settled: How it is shown its images.
    """

    model: ReadModel
    card: ModelCard
    network: nn.Module
    settled: Settled

    def normalised(self) -> NormalisedNetwork:
        """The network with its normalisation in front."""
        return NormalisedNetwork(self.network, self.card.mean, self.card.std).eval()


def import_model(
    request: ImportRequest, out: Path, say: Callable[[str], None] = lambda line: None
) -> Checkpoint:
    """Read a model, write it as a checkpoint, and read that again to compare.

    Args:
        request: The model.
        out: Folder of the checkpoint; an earlier import in it is replaced.
        say: Receives lines about the model.

    Raises:
        InputError: The model cannot be read, nothing fits it, or `out` holds something else.
        MissingDependencyError: A package that it needs is not installed.
    """
    refuse_other_content(out, "import", _is_import)
    imported = read_model(request, say)
    with whole_folder(out) as folder:
        _write(imported, folder)
        _compare(imported, load_checkpoint(folder))
    return load_checkpoint(out)


def read_model(request: ImportRequest, say: Callable[[str], None]) -> Imported:
    """Read a model, and find out what it takes and gives.

    Raises:
        InputError, MissingDependencyError: See `import_model`.
    """
    model = kind_of(request.source).read(request)
    for note in model.notes or (model.kind,):
        say(note)
    settled = settle((request.preprocessing, *model.preprocessing), model.shape)
    say(f"input: {settled.text()}")
    answer = answer_of(model.network, settled.size, settled.card, request.source)
    gives = _output_card(request, model, answer, say)
    classes = classes_after(gives)
    network = adapted(model.network, settled.card, gives, classes).eval()
    card = _card(request, model, settled, gives, network)
    say(f"classes: {', '.join(classes)}")
    return Imported(model, card, network, settled)


def _output_card(
    request: ImportRequest, model: ReadModel, answer: Answer, say: Callable[[str], None]
) -> OutputCard:
    names = request.classes or model.names
    gives = request.gives or answer.gives
    if names is None:
        message = f"{request.source} does not name its {answer.width} classes"
        raise InputError(message, "give them in the order of its outputs: --classes FILE|a,b,c")
    expected = 2 if gives in ("logit", "probability") else answer.width
    if len(names) != expected:
        message = f"{request.source} has {answer.width} outputs, and {len(names)} classes are named"
        raise InputError(message, "name each output in its order, and leave some out with --map")
    card = OutputCard(
        names=tuple(names), classes=mapped(names, request.mapping), gives=gives, key=answer.key
    )
    say(f"output: {gives}{_softmax(gives, request)}")
    for note in mapping_notes(card):
        say(note)
    return card


def _softmax(gives: str, request: ImportRequest) -> str:
    if request.gives:
        return ""
    inside = {
        "probabilities": ", a softmax is inside: their logarithms are the logits",
        "log-probabilities": ", a softmax is inside",
        "sigmoids": " in 0…1 that do not sum to 1, a sigmoid for each class",
        "probability": ", a sigmoid is inside: it is that of the second class",
        "logit": " alone: it is that of the second class",
    }
    return inside.get(gives, "")


def _card(
    request: ImportRequest,
    model: ReadModel,
    settled: Settled,
    gives: OutputCard,
    network: nn.Module,
) -> ModelCard:
    return ModelCard(
        task=request.task,
        role=request.role,
        arch=model.arch,
        arch_options=model.options,
        classes=classes_after(gives),
        image_size=settled.size,
        mean=settled.mean,
        std=settled.std,
        resize=RULE,
        params=count_params(network),
        macs=_macs(network, settled.size, model),
        pretrained=f"{_METHOD}: {request.source.name}",
        data=DataCard(name="", root="", sha256="", images={}),
        training=TrainingCard(
            method=_METHOD, seed=0, recipe_sha256="", stage_sha256="", epochs=0, best_epoch=0
        ),
        imported=ImportCard(
            kind=model.kind, file=request.source.name, sha256=sha256_of(model.file),
            assumed=settled.assumed,
        ),
        takes=settled.card,
        gives=gives,
    )  # fmt: skip


def _macs(network: nn.Module, size: int, model: ReadModel) -> int:
    """Multiply-accumulates of an image; 0 for a file of another program, where none are counted."""
    return 0 if model.shape is not None else count_macs(network, size)


def _write(imported: Imported, folder: Path) -> None:
    card = imported.card
    if isinstance(imported.model.network, ForeignNetwork):
        imported.model.network.save(folder / card.weights)
        card = msgspec.structs.replace(card, weights_sha256=sha256_of(folder / card.weights))
        write_atomically(folder / CARD, pretty_json(card))
    else:
        save_checkpoint(folder, imported.network, card)
    seal_files(folder, [CARD, card.weights])


def _compare(imported: Imported, checkpoint: Checkpoint) -> None:
    """Compare what was written with what was read, on images of noise.

    Raises:
        ArtefactError: They differ.
    """
    size = imported.card.image_size
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = imported.normalised()(images)
        difference = float((checkpoint.normalised()(images) - expected).abs().max())
    if not difference <= _CLOSE * max(float(expected.abs().max()), 1.0):
        message = f"the network of {imported.model.file} gives other outputs once it is written"
        hint = "it has a state that its weights do not hold; export it as ONNX"
        raise ArtefactError(message, hint)


def _is_import(folder: Path) -> bool:
    try:
        return bool(msgspec.json.decode((folder / CARD).read_bytes()).get("imported"))
    except (OSError, msgspec.DecodeError, AttributeError):
        return False
