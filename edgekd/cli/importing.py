"""`edgekd import`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekd.cli.console import emit_json, say, ticker
from edgekd.cli.options import ImageColumn, Json
from edgekd.cli.places import Reads, Writes
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK

if TYPE_CHECKING:
    from edgekd.data.labelled_rows import LabelledRow
    from edgekd.models import Checkpoint
    from edgekd.models.importing.check import Check
    from edgekd.models.importing.request import Preprocessing

__all__ = ["import_model"]

_HOW = "Its preprocessing"


class Role(str, Enum):
    """What a model is to be."""

    teacher = "teacher"
    student = "student"


class Channels(str, Enum):
    """Order of the colours of a network's input."""

    rgb = "rgb"
    bgr = "bgr"


class Layout(str, Enum):
    """Order of the dimensions of a network's input."""

    nchw = "nchw"
    nhwc = "nhwc"


class Resize(str, Enum):
    """What an image is resized to."""

    shorter_side = "shorter-side"
    squash = "squash"


class Interpolation(str, Enum):
    """Pillow's filters."""

    nearest = "nearest"
    bilinear = "bilinear"
    bicubic = "bicubic"
    lanczos = "lanczos"
    area = "area"
    hamming = "hamming"


class Gives(str, Enum):
    """What a network gives."""

    logits = "logits"
    probabilities = "probabilities"
    log_probabilities = "log-probabilities"
    sigmoids = "sigmoids"
    logit = "logit"
    probability = "probability"


def import_model(
    source: Annotated[
        Path,
        Reads.FOREIGN,
        typer.Argument(help="A state dict, Lightning checkpoint, Hugging Face folder, ONNX, …"),
    ],
    out: Annotated[Path, Writes.FOLDER, typer.Option(help="Folder of the checkpoint.")],
    classes: Annotated[
        str | None,
        typer.Option(help="Names of its outputs, in order: with commas, or a file."),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(help="resnet50 (timm), torchvision:resnet50, or package.module:Class."),
    ] = None,
    kwargs: Annotated[str, typer.Option(help="The architecture's further arguments, JSON.")] = "{}",
    weights: Annotated[
        str | None,
        typer.Option(help="Key of the weights in the file, or the prefix of their names."),
    ] = None,
    trust_code: Annotated[
        bool,
        typer.Option("--trust-code", help="Run the code in the pickle, and that of --arch."),
    ] = False,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=CLASS",
            help="The class of one of its outputs, `NAME=` to drop it; or a file of such lines.",
        ),
    ] = None,
    role: Annotated[Role, typer.Option(help="What it is to be.")] = Role.teacher,
    task: Annotated[str, typer.Option(help="What it predicts.")] = DEFAULT_TASK,
    size: Annotated[
        int | None, typer.Option(help="Side of its input in pixels.", rich_help_panel=_HOW)
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(help="Mean of red, green, blue, or of all.", rich_help_panel=_HOW),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(help="Deviation of red, green, blue, or of all.", rich_help_panel=_HOW),
    ] = None,
    scale: Annotated[
        float,
        typer.Option(help="White in --mean and --std: 1, or 255.", rich_help_panel=_HOW),
    ] = 1.0,
    channels: Annotated[
        Channels | None, typer.Option(help="Order of its colours.", rich_help_panel=_HOW)
    ] = None,
    layout: Annotated[
        Layout | None, typer.Option(help="Order of its dimensions.", rich_help_panel=_HOW)
    ] = None,
    resize: Annotated[
        Resize | None,
        typer.Option(help="The shorter side is resized, or both.", rich_help_panel=_HOW),
    ] = None,
    crop: Annotated[
        float | None,
        typer.Option(
            help="Side of the centre that is cut out, as a share of the resized side.",
            rich_help_panel=_HOW,
        ),
    ] = None,
    interpolation: Annotated[
        Interpolation | None, typer.Option(help="Of the resize.", rich_help_panel=_HOW)
    ] = None,
    gives: Annotated[
        Gives | None,
        typer.Option(help="What its outputs are; found out by running it.", rich_help_panel=_HOW),
    ] = None,
    check: Annotated[
        Path | None,
        Reads.TABLE,
        typer.Option(help="Table of images and labels on which it is run."),
    ] = None,
    images: Annotated[
        Path | None,
        Reads.IMAGES,
        typer.Option(help="Folder of these images; by default that of the table."),
    ] = None,
    image_column: ImageColumn = "image",
    label_column: Annotated[str, typer.Option(help="Column of labels.")] = "label",
    json: Json = False,
) -> None:
    """Make a checkpoint of a model that another tool trained.

    `--check` runs it on labelled images, and reports a wrong mean, exchanged colours or classes.
    """
    how = _preprocessing(
        size, _three("--mean", mean, scale), _three("--std", std, scale), crop, channels, layout,
        resize, interpolation,
    )  # fmt: skip
    from edgekd.models.importing.classes import read_classes, read_mapping
    from edgekd.models.importing.imported import import_model as import_one
    from edgekd.models.importing.request import ImportRequest

    request = ImportRequest(
        source=source, classes=read_classes(classes) if classes else None, arch=arch,
        options=_options(kwargs), weights=weights, trust_code=trust_code, role=role.value,
        task=task, preprocessing=how, gives=gives.value if gives else None,
        mapping=read_mapping(mapping or []),
    )  # fmt: skip
    rows = _rows(check, images, image_column, label_column, task)
    if trust_code:
        say("--trust-code: code of this file and of --arch is run")
    checkpoint = import_one(request, out, say)
    say(f"wrote {out}: {_teaches(checkpoint)}")
    result = None
    if check is not None:
        result = _checked(checkpoint, rows, images or check.parent)
    _report(checkpoint, result, json=json)


def _preprocessing(
    size: int | None, mean: Any, std: Any, crop: float | None, *choices: Enum | None
) -> Preprocessing:
    from edgekd.models.importing.request import Preprocessing

    channels, layout, resize, interpolation = (each.value if each else None for each in choices)
    if size is not None and not 16 <= size <= 2048:
        raise InputError(f"--size {size} is no side of an image", "give one of 16 to 2048 px")
    if crop is not None and not 0.1 <= crop <= 1.0:
        raise InputError(f"--crop {crop} is no share of a side", "give one of 0.1 to 1")
    return Preprocessing(
        size=size, mean=mean, std=std, resize=resize, fraction=crop, interpolation=interpolation,
        channels=channels.upper() if channels else None, layout=layout.upper() if layout else None,
        origin="the command line",
    )  # fmt: skip


def _three(flag: str, text: str | None, scale: float) -> tuple[float, ...] | None:
    """The numbers of the three channels for pixels in 0…1, from one or three."""
    if text is None:
        return None
    try:
        values = [float(part) / scale for part in text.split(",")]
    except (ValueError, ZeroDivisionError):
        values = []
    positive = flag == "--mean" or all(value > 0 for value in values)
    if len(values) not in (1, 3) or not positive:
        message = f"{flag} {text} is not one number or three, of red, green and blue"
        raise InputError(message, f"write e.g. {flag} 0.485,0.456,0.406")
    return tuple(values * (3 // len(values)))


def _options(text: str) -> dict[str, Any]:
    import msgspec

    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        message = f"--kwargs {text!r} is no JSON object: {error}"
        raise InputError(message, """write e.g. --kwargs '{"width": 32}'""") from error


def _teaches(checkpoint: Checkpoint) -> str:
    if checkpoint.card.outputs_alone:
        return "a teacher of outputs alone, as kd takes them"
    return "a network with outputs and features"


def _rows(
    table: Path | None, root: Path | None, image_column: str, label_column: str, task: str
) -> list[LabelledRow]:
    """The rows of the table, read before the model: a mistake in it costs nothing."""
    if table is None:
        return []
    from edgekd.models.importing.check import read_rows

    return read_rows(
        table, root or table.parent, image_column=image_column, label_column=label_column, task=task
    )


def _checked(checkpoint: Checkpoint, rows: list[LabelledRow], root: Path) -> Check:
    from edgekd.models.importing.check import check_model_on, labelled_images

    images = labelled_images(rows, root, checkpoint.card)
    tick, done = ticker("images"), 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        tick(done, len(images.labels))

    result = check_model_on(checkpoint, images, step)
    for warning in result.warnings:
        say(f"warning: {warning}")
    return result


def _report(checkpoint: Checkpoint, result: Check | None, *, json: bool) -> None:
    if json:
        import msgspec

        emit_json({"card": msgspec.to_builtins(checkpoint.card), "check": result})
    elif result is not None:
        print("\n".join(_table(result)))


def _table(result: Check) -> list[str]:
    """The check as lines of text."""
    wide = max(len(name) for name in result.classes) + 2
    cell = max(len(str(result.images)), *(len(name) for name in result.classes)) + 2
    head = "".join(f"{name:>{cell}}" for name in result.classes)
    rows = [
        f"{name:<{wide}}" + "".join(f"{count:>{cell}}" for count in row)
        for name, row in zip(result.classes, result.confusion, strict=True)
    ]
    return [
        f"{result.images} images: accuracy {result.accuracy:.3f}, balanced accuracy "
        f"{result.balanced_accuracy:.3f} (as training shows them: {result.as_shown:.3f})",
        "labels in rows, answers in columns:",
        f"{'':<{wide}}{head}",
        *rows,
    ]
