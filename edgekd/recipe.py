"""Recipes: the typed and validated description of a run, with defaults.

A recipe is YAML. Sections whose keys depend on a choice (`data.source`, `method.name`) keep those
keys as options, which the chosen source or method validates with `convert`.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta

from edgekd.errors import InputError, MissingDependencyError
from edgekd.extensions.tasks import DEFAULT_TASK, TASKS
from edgekd.resources import recipe_file, recipe_names

__all__ = [
    "AugmentSection",
    "Balance",
    "FitSection",
    "ModelSection",
    "OptimiserSection",
    "Recipe",
    "RoleSection",
    "Section",
    "Seed",
    "SplitSection",
    "TrainerSection",
    "convert",
    "fingerprint",
    "load_recipe",
]

Positive = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0.0, lt=1.0)]
Rate = Annotated[float, Meta(gt=0.0)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""A seed in the range that NumPy accepts."""
Balance = Literal["none", "sqrt", "full"]
"""How strongly rare classes are raised: not at all, by the square root of imbalance, or fully."""
T = TypeVar("T")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a recipe: immutable, by keyword, no unknown keys."""


class SplitSection(Section, frozen=True, kw_only=True):
    """How the images are split: by lesion or patient (group), stratified by class.

    Attributes:
        validation: Share for model selection, gates and calibration of confidence.
        test: Share for evaluation alone.
        seed: Seed of the split alone, so that runs with other seeds share the split.
        folds: Number of cross-validation folds; `test` is then not read, and `validation` is a
            share of the images outside the test fold. `edgekd compare --folds` runs all folds.
        fold: The fold that is the test part, counted from 0.
    """

    validation: Fraction = 0.15
    test: Fraction = 0.2
    seed: Seed = 0
    folds: Annotated[int, Meta(ge=0, le=1000)] = 0
    fold: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Refuse a single fold, and a `fold` outside of `folds`."""
        if self.folds == 1 or self.fold >= max(self.folds, 1):
            raise ValueError(f"there is no fold {self.fold} of {self.folds}: 2 folds are the least")


class ModelSection(Section, frozen=True, kw_only=True):
    """A network.

    Attributes:
        arch: Name of the architecture in timm.
        pretrained: `none`, `package`, `hub`, or the path of a safetensors file.
        options: Further arguments of timm's constructor.
        mean: Mean of each channel that the pretrained weights expect; by default their source's.
        std: Standard deviation of each channel that they expect; by default their source's.
    """

    arch: str
    pretrained: str = "none"
    options: dict[str, Any] = {}
    mean: tuple[float, float, float] | None = None
    std: tuple[Rate, Rate, Rate] | None = None


class OptimiserSection(Section, frozen=True, kw_only=True):
    """An optimiser and the schedule of its learning rate; by default AdamW with one cycle.

    Attributes:
        optimizer: `adamw`, or `sgd` with momentum.
        learning_rate: Largest rate of the schedule.
        momentum: Momentum of SGD, constant under every schedule.
        weight_decay: Weight decay, not applied to biases and norms.
        schedule: `one_cycle` (Smith & Topin 2018; with AdamW its β₁ falls from 0.95 to 0.85 and
            comes back); `plateau` (a tenth after `patience` epochs without a better
            validation score); or `steps` (a tenth at each of `milestones`).
        warmup: Share of the steps in which the one cycle rises.
        patience: Number of epochs, for `plateau`.
        milestones: Numbers of the epochs, for `steps`.
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Rate = 1e-3
    momentum: Fraction = 0.9
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.02
    schedule: Literal["one_cycle", "plateau", "steps"] = "one_cycle"
    warmup: Fraction = 0.2
    patience: Positive = 10
    milestones: tuple[Positive, ...] = ()


class FitSection(OptimiserSection, frozen=True, kw_only=True):
    """How a network is trained.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images of a batch, on each device.
        stop_after: Stop after so many epochs without a better validation score; 0 never does.
        class_weights: Weight of a class of n images in the hard-label loss: ∝ 1, 1/√n or 1/n.
        class_sampling: How often a class of n images is drawn: ∝ n, ∝ √n, or all equally.
        label_smoothing: Share of a hard label that is spread over its alternatives.
    """

    epochs: Positive = 10
    batch_size: Positive = 64
    stop_after: Annotated[int, Meta(ge=0)] = 0
    class_weights: Balance = "sqrt"
    class_sampling: Balance = "none"
    label_smoothing: Fraction = 0.0


class RoleSection(Section, frozen=True, kw_only=True):
    """A teacher or a student: a network and its training, or an existing checkpoint."""

    model: ModelSection | None = None
    fit: FitSection = FitSection()
    checkpoint: str | None = None


class AugmentSection(Section, frozen=True, kw_only=True):
    """Random changes of the training images.

    Attributes:
        policy: `light`, which the other keys set; or `dermoscopy`, the fixed one of the SSD-KD
            paper (zoom, flips, turns, blur, dropout, brightness or hue).
        flip: Mirror left-right and top-bottom, each half of the time.
        quarter_turns: Turn by a random multiple of 90°.
        zoom: Scale by a factor in 1 ± zoom.
        colour: Brightness, contrast and saturation by factors in 1 ± colour.
    """

    policy: Literal["light", "dermoscopy"] = "light"
    flip: bool = True
    quarter_turns: bool = True
    zoom: Fraction = 0.0
    colour: Fraction = 0.1

    def __post_init__(self) -> None:
        """Refuse keys that the policy does not read."""
        if self.policy == "light":
            return
        if msgspec.structs.replace(self, policy="light") != AugmentSection():
            raise ValueError(f"the policy {self.policy} takes no further keys")


class TrainerSection(Section, frozen=True, kw_only=True):
    """The machine, for Lightning's trainer.

    Attributes:
        accelerator: `auto`, `cpu`, `gpu`.
        devices: Number of devices on each node.
        nodes: Number of nodes.
        precision: `auto` is bf16 on processors that are faster with it, else fp32.
        threads: CPU threads; 0 uses all cores.
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Positive = 1
    nodes: Positive = 1
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: Annotated[int, Meta(ge=0)] = 0


class Recipe(Section, frozen=True, kw_only=True):
    """A whole run.

    Attributes:
        name: Name for folders and reports.
        task: What the network predicts: one class for each image, or another task's name.
        policy: What the domain demands of students and their files: the name of a policy that is
            shipped (`dermoscopy`, `fundus`, `none`) or installed, or the path of a TOML file.
        seed: Seed of initial weights, order of images and augmentation.
        image_size: S, the side of the square input in pixels.
        data: `source` and that source's own keys.
        split: How the images are split.
        augment: Random changes of the training images.
        teacher: The teacher.
        student: The student.
        method: `name` and that method's own keys.
        trainer: The machine, for Lightning's trainer.
    """

    name: str
    task: str = DEFAULT_TASK
    policy: str = "dermoscopy"
    seed: Seed = 0
    image_size: Annotated[int, Meta(ge=16, le=2048)] = 224
    data: dict[str, Any]
    split: SplitSection = SplitSection()
    augment: AugmentSection = AugmentSection()
    teacher: RoleSection | None = None
    student: RoleSection | None = None
    method: dict[str, Any] = msgspec.field(default_factory=lambda: {"name": "kd"})
    trainer: TrainerSection = TrainerSection()


def load_recipe(name: str, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        name: Path of a YAML file, or the name of a recipe that edgekd ships.
        overrides: `section.key=value` texts, applied in order; values are YAML.

    Raises:
        InputError: There is no such recipe, it is not YAML, or a key or value is wrong (the
            nearest right one is named).
    """
    path = Path(name)
    if not path.is_file():
        path = recipe_file(name) or path
    if not path.is_file():
        message = f"there is no recipe {name!r}"
        raise InputError(message, f"give a YAML file, or one of: {', '.join(recipe_names())}")
    raw = _parse_yaml(path.read_bytes(), str(path))
    if not isinstance(raw, dict):
        raise InputError(f"the recipe {path} is not a mapping", "start it with `name: …`")
    for override in overrides or []:
        _apply(raw, override)
    recipe = convert(raw, Recipe, f"the recipe {path}")
    try:
        TASKS.check(recipe.task)
    except InputError as error:
        message = f"the recipe {path}: {error.message} (at task)"
        raise InputError(message, error.hint) from None
    return recipe


def convert(raw: Any, kind: type[T], where: str) -> T:
    """Convert plain values to the struct `kind`.

    Raises:
        InputError: An unknown key (with the nearest right one), a missing key or a wrong value,
            such as one that is not finite.
    """
    _refuse_unknown_keys(raw, kind, where, "")
    try:
        # Not strict: YAML 1.1 reads 3e-3 as text.
        section = msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        text = re.sub(r" - at `\$\.?(.*?)`", r" (at \1)", str(error))
        text = re.sub(r" - at `key` in `\$\.?(.*?)`", r" (at a key of \1)", text)
        raise InputError(f"{where}: {text}", _remedy(text)) from error
    try:
        plain = msgspec.to_builtins(section)
    except RecursionError:  # YAML's anchors make this possible
        raise InputError(f"{where}: a value holds itself", "correct the value") from None
    _refuse_infinite(plain, where)
    return section


def _refuse_infinite(value: Any, where: str, path: str = "") -> None:
    """Refuse infinities and NaN, with which training would end in NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{where}: {value} is not a finite number (at {path})"
        raise InputError(message, "correct the value")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_infinite(inner, where, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_infinite(inner, where, f"{path}[{index}]")


def _remedy(text: str) -> str:
    """A hint for a value of a wrong type, which is often YAML's interpretation of a plain word."""
    if re.search(r"Expected `str[^`]*`, got `(bool|int|float|null|date|datetime|time)`", text):
        return (
            "put quotes around it: YAML takes no, yes, on, off, null, numbers and dates for "
            'something else than text, so write "no" and "0"'
        )
    if re.search(r"Expected `array[^`]*`, got `str`", text):
        return "write a list: [one, two]"
    return "correct the value"


def fingerprint(*parts: Any) -> str:
    """Hex SHA-256 of plain values or structs, independent of the order of keys."""
    encoded = msgspec.json.encode(msgspec.to_builtins(parts), order="deterministic")
    return hashlib.sha256(encoded).hexdigest()


def _parse_yaml(text: str | bytes, where: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("pyyaml", "distill", "read recipes") from error
    try:
        return yaml.load(text, _loader())
    except Exception as error:  # its constructors raise nearly anything, e.g. for 2024-99-99
        line = " ".join(str(error).split())
        raise InputError(f"{where} is not YAML: {line}", "correct it") from error


@cache
def _loader() -> Any:
    """PyYAML's safe loader, made to refuse repeated keys, of which it keeps the last."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            keys = [(key.tag, key.value) for key, _ in node.value if key.id == "scalar"]
            twice = next((key for tag, key in keys if keys.count((tag, key)) > 1), None)
            if twice is not None:
                where = node.start_mark.line + 1
                raise yaml.YAMLError(f"the key {twice!r} is there twice below line {where}")
            return node

    return Loader


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        message = f"the override {override!r} is not of the form section.key=value"
        raise InputError(message, "write e.g. --set student.fit.epochs=20")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = raw.setdefault(section, {})
        if not isinstance(inner, dict):
            raise InputError(f"{section!r} in {override!r} is not a section", "check the key")
        raw = inner
    raw[last] = _parse_yaml(value, f"the value of {override!r}")


def _refuse_unknown_keys(raw: Any, kind: Any, where: str, path: str) -> None:
    """Refuse unknown keys and name the nearest known one, which msgspec's message lacks."""
    if not isinstance(raw, dict):
        return
    struct = _struct_of(kind)
    if struct is None:
        return
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in raw.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}"
            raise InputError(f"{where}: unknown key {f'{path}{key}'!r}", hint)
        _refuse_unknown_keys(value, fields[key], where, f"{path}{key}.")


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The struct type of `kind`, or of `kind` without None."""
    candidates = (kind, *get_args(kind))
    structs = [c for c in candidates if isinstance(c, type) and issubclass(c, msgspec.Struct)]
    return structs[0] if structs else None
