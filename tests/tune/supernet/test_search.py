"""A whole search with images and without: its limits, its files, its winner as a student."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from searches import network, raw_recipe
from small_space import RAW_SMALL, SMALL

from edgekd.cli.recipes import read_recipe
from edgekd.data.synthetic import CLASSES
from edgekd.distill.runs.pipeline import RunRequest, distill
from edgekd.errors import InputError
from edgekd.models import (
    DataCard,
    ModelCard,
    TrainingCard,
    create_network,
    save_checkpoint,
)
from edgekd.models.mobile import mobile_macs
from edgekd.recipe import Recipe, convert
from edgekd.tune.supernet.latency_table import Latencies, LatencyRow, LatencyTable, write_table
from edgekd.tune.supernet.outcome import SupernetResult
from edgekd.tune.supernet.plan import SupernetPlan
from edgekd.tune.supernet.search import SupernetRequest, search

PLAN = convert(
    {
        "space": RAW_SMALL,
        "synthesis": {"images": 24, "batch": 12, "rounds": 2, "half": 1, "whole": 2},
        "supernet": {"steps": 6, "batch": 8, "saved": 3},
        "evolution": {"population": 5, "generations": 2, "parents": 2, "crossed": 2, "mutated": 2},
        "recalibrating": 16,
    },
    SupernetPlan,
    "the test's plan",
)
MACS = 1.5 * mobile_macs(SMALL.smallest, len(CLASSES), 32)


def saved_teacher(folder: Path, arch: str, options: dict[str, Any]) -> Path:
    """A teacher with random weights, which nobody trained."""
    torch.manual_seed(0)
    made = create_network(arch, len(CLASSES), options)
    card = ModelCard(
        role="teacher", arch=arch, arch_options=options, classes=CLASSES, image_size=32,
        mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="any", params=1, macs=1,
        pretrained="none", data=DataCard(name="elsewhere", root="", sha256="", images={}),
        training=TrainingCard(method="none", seed=0, recipe_sha256="", stage_sha256="", epochs=0,
                              best_epoch=0),
    )  # fmt: skip
    save_checkpoint(folder, made, card)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("searches")
    section = network(4, 8, 8, 16)
    saved_teacher(place / "teacher", section["arch"], section["options"])
    return place


def recipe(folder: Path, **sections: Any) -> Recipe:
    known = {"teacher": {"checkpoint": str(folder / "teacher")}}
    return convert(raw_recipe(folder, **{**known, **sections}), Recipe, "the test's recipe")


def without_images(folder: Path, **sections: Any) -> Recipe:
    data = {"source": "none", "classes": list(CLASSES)}
    method = {"name": "fastdfkd"}
    return recipe(folder, **{"data": data, "method": method, **sections})


def request(folder: Path, out: str, **changes: Any) -> SupernetRequest:
    known = {"recipe": recipe(folder), "plan": PLAN, "out": folder / out, "max_macs": MACS}
    return SupernetRequest(**{**known, **changes})


@pytest.fixture(scope="module")
def with_images(folder: Path) -> SupernetResult:
    return search(request(folder, "recipe"))


def test_all_networks_are_within_the_limit(folder: Path, with_images: SupernetResult) -> None:
    assert with_images.metric == "balanced_accuracy"
    assert len(with_images.candidates) > 5
    for each in with_images.candidates:
        assert each.macs == mobile_macs(each.options, len(CLASSES), 32) <= MACS
        assert SMALL.holds(each.options)
    assert (folder / "recipe/supernet.svg").is_file()


def test_the_winner_is_distilled(folder: Path, with_images: SupernetResult) -> None:
    winner = read_recipe(str(folder / "recipe/winner.yaml"), ["student.fit.epochs=1"])
    card = distill(RunRequest(winner, folder / "distilled"))
    best = with_images.candidates[with_images.winner]
    assert card.macs == best.macs
    assert card.arch_options == best.options.plain


def test_without_images_it_sees_the_teacher_alone_and_continues(folder: Path) -> None:
    lines: list[str] = []
    first = request(folder, "none", recipe=without_images(folder), images="none", say=lines.append)

    def stop(line: str) -> None:
        if line.startswith("generation 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(replace(first, say=stop))
    assert not (folder / "none/winner.yaml").exists()
    result = search(first)
    assert (result.images, result.metric) == ("none", "agreement")
    assert not any(line.startswith(("images ", "supernet: ")) for line in lines)
    assert (folder / "none/synthesised/README.txt").is_file()
    winner = read_recipe(str(folder / "none/winner.yaml"), None)
    assert winner.student is not None
    assert winner.student.model is not None
    assert winner.student.model.options == result.candidates[result.winner].options.plain
    assert search(replace(first, say=lambda line: None)) == result


def test_a_table_of_latencies_is_kept_to(folder: Path) -> None:
    rows = [
        LatencyRow(options=options, p50_ms=1.0 + 3.0 * len(options.stages[2].kernels))
        for options in (
            SMALL.of([first, second, third])
            for first in (SMALL.smallest.stages[0], SMALL.largest.stages[0])
            for second in (SMALL.smallest.stages[1], SMALL.largest.stages[1])
            for third in (SMALL.smallest.stages[2], SMALL.largest.stages[2])
        )
    ]
    table = LatencyTable(
        device="local", target=None, precision="fp32", image_size=32, classes=len(CLASSES),
        rows=rows,
    )  # fmt: skip
    write_table(folder / "table.json", table)
    result = search(
        request(folder, "latency", max_macs=None, latency=folder / "table.json", max_latency=8.0)
    )
    assert (result.cost, result.limit, result.device) == ("latency", 8.0, "local")
    latencies = Latencies(table)
    for each in result.candidates:
        assert each.latency_ms == latencies.of(each.options)
        assert each.latency_ms <= 8.0
        assert len(each.options.stages[2].kernels) < 3
    assert max(each.macs for each in result.candidates) > MACS


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_macs": 10.0}, "limit of 10"),
        ({"max_latency": 3.0}, "--max-latency"),
        ({"latency": Path("t.json")}, "two costs"),
        ({"device": "rpi"}, "--device"),
        ({"lowered": "rpi"}, "--lowered"),
    ],
)
def test_options_that_make_no_search_are_refused(
    folder: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as error:
        search(request(folder, "refused", **changes))
    assert words in f"{error.value.message} {error.value.hint}"
    assert not (folder / "refused/supernet.safetensors").exists()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"method": {"name": "none"}}, "learns from a teacher"),
        ({"task": "multilabel"}, "exactly one class"),
        ({"trainer": {"devices": 2}}, "one device"),
        ({"teacher": {"logits": "x.npz"}}, "outputs are in a file"),
        ({"data": {"source": "none", "classes": list(CLASSES)}}, "it has none"),
    ],
)
def test_recipes_that_make_no_search_are_refused(
    folder: Path, sections: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        search(request(folder, "refused", recipe=recipe(folder, **sections)))


def test_a_teacher_without_batch_norm_is_refused(folder: Path) -> None:
    options = {"depths": [1, 1, 1, 1], "dims": [4, 4, 8, 8]}
    saved_teacher(folder / "convnext", "convnext_atto", options)
    plain = recipe(folder, teacher={"checkpoint": str(folder / "convnext")})
    with pytest.raises(InputError, match="no batch norm") as error:
        search(request(folder, "refused", recipe=plain, images="none"))
    assert "--data recipe" in error.value.hint


def test_another_seed_is_another_search(folder: Path, with_images: SupernetResult) -> None:
    other = search(request(folder, "seed", seed=1))
    assert msgspec.structs.replace(other, candidates=[]) != with_images
    assert [each.options for each in other.candidates] != [
        each.options for each in with_images.candidates
    ]
