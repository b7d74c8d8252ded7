"""The arms that are compared in each situation, as recipes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgekd.recipe import Recipe, convert

__all__ = ["FEW_SHOT", "SITUATIONS", "SPLIT", "Table", "recipes_of"]

SIZE = 48
SPLIT = {"validation": 0.15, "test": 0.25}
FIT = {"batch_size": 32, "learning_rate": 3e-3, "class_weights": "none", "class_sampling": "sqrt"}
WRONG = 0.2


def _resnet(*channels: int) -> dict[str, Any]:
    options = {"channels": list(channels), "stem_width": min(16, channels[0]), "act_layer": "relu6"}
    return {"arch": "resnet10t", "options": options}


LARGE, MEDIUM = _resnet(32, 64, 128, 256), _resnet(24, 48, 96, 192)
SMALL, TINY = _resnet(16, 32, 64, 128), _resnet(8, 16, 32, 64)
TEACHER = {
    "model": {"arch": "tf_efficientnet_lite0", "pretrained": "package"},
    "fit": {**FIT, "epochs": 5, "learning_rate": 1e-3},
}
KD = {"name": "kd", "temperature": 4.0, "weight": 0.7}


@dataclass(frozen=True)
class Table:
    """Arms that are compared with the first of them.

    Attributes:
        name: Folder of its runs below that of its situation.
        arms: Epochs of the student and method section, by the name of the arm. Where images
            without labels take part, an epoch has them all.
        student: The student's network.
        teacher: Whether there is one.
        split: Keys of `split` beside those of all tables.
        data: Keys of `data` beside those of the source.
        wrong: Share of the training labels that are replaced.
        classes: Classes whose mean sensitivity is compared, too.
    """

    name: str
    arms: dict[str, tuple[int, dict[str, Any]]]
    student: dict[str, Any]
    teacher: bool = True
    split: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    wrong: float = 0.0
    classes: tuple[str, ...] = ()


def _few(share: float, epochs: int) -> Table:
    """With so many epochs of the labelled images alone."""
    contrast = {**FIT, "learning_rate": 1e-3, "epochs": 6, "class_sampling": "none"}
    ssl = {"name": "ssl_kd", "network": MEDIUM, "contrast_fit": contrast,
           "finetune_fit": {**FIT, "epochs": epochs}}  # fmt: skip
    return Table(
        name=f"{share:.0%}".replace("%", "-per-cent"),
        arms={
            "none": (epochs, {"name": "none"}),
            "smpl": (8, {"name": "smpl", "ratio": 3, "ramp": 0.25}),
            "ssl_kd": (8, ssl),
        },
        student=SMALL,
        teacher=False,
        split={"train_share": share},
        data={"unlabelled": {"left_out": True}},
    )


_LADDER = {"assistants": [MEDIUM, SMALL]}
SITUATIONS: dict[str, list[Table]] = {
    "few-labels": [_few(0.02, 80), _few(0.1, 40), _few(0.3, 20)],
    "wide-gap": [
        Table(
            name="0.08-M",
            arms={
                "kd": (10, KD),
                "none": (10, {"name": "none"}),
                "assistants": (10, {"name": "assistants", **_LADDER}),
                "ces_kd": (10, {"name": "ces_kd", **_LADDER}),
            },
            student=TINY,
        )
    ],
    "wrong-labels": [
        Table(
            name="20-per-cent",
            arms={
                "kd": (12, KD),
                "none": (12, {"name": "none"}),
                "amal": (12, {"name": "amal", "of": KD, "every": 0.125}),
            },
            student=SMALL,
            wrong=WRONG,
        )
    ],
    "rare-classes": [
        Table(
            name="as-they-are",
            arms={
                "none": (12, {"name": "none"}),
                "meta_curriculum": (12, {"name": "meta_curriculum"}),
            },
            student=SMALL,
            teacher=False,
            classes=("df", "vasc", "akiec"),
        )
    ],
}

FEW_SHOT = Table(
    name="three-classes",
    arms={"none": (12, {"name": "none"}), "born_again": (12, {"name": "born_again"})},
    student=SMALL,
    teacher=False,
    classes=("df", "vasc", "akiec"),
)
"""Embeddings of the other classes, from which `classes` are taught by a few images."""


def recipes_of(table: Table, data: dict[str, Any]) -> dict[int, list[Recipe]]:
    """A recipe for each arm, by its epochs; those of as many differ in name and method alone."""
    raw: dict[str, Any] = {
        "image_size": SIZE,
        "data": data | table.data,
        "split": SPLIT | table.split,
        "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
    }
    if table.teacher:
        raw["teacher"] = TEACHER
    recipes: dict[int, list[Recipe]] = {}
    for name, (epochs, method) in table.arms.items():
        student = {"model": table.student, "fit": {**FIT, "epochs": epochs}}
        one = raw | {"name": name, "student": student, "method": method}
        recipes.setdefault(epochs, []).append(convert(one, Recipe, f"the arm {name}"))
    return recipes
