"""`benchmarks/study/tables.py`: known records to tables, and the page that is committed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from bench_results import sample_result
from sklearn.metrics import roc_auc_score
from study_design import importing, write_design

from edgekd.bench.result.file import write_result
from edgekd.metrics import softmax

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
IMAGES = 210
PAGE = """\
Before.
<!-- study: main -->
old
<!-- end -->
Between.
<!-- study: teachers -->
<!-- end -->
<!-- study: lowered -->
<!-- end -->
<!-- study: cost -->
<!-- end -->
After.
"""


@pytest.fixture(scope="module")
def module() -> Iterator[Callable[[str], Any]]:
    """Imports a module of the study."""
    yield from importing()


class Records:
    """Writes records of rows whose logits are drawn."""

    def __init__(self, folder: Path, module: Callable[[str], Any]) -> None:
        self.folder, self.module = folder, module
        self.design = module("design").read_design(write_design(folder / "design"))
        self.results = folder / "results"

    def judged(self, skill: float, seed: int) -> Any:
        """Logits of the test part: a better row is right where a worse one is."""
        labels = np.arange(IMAGES) % len(CLASSES)
        logits = np.random.default_rng(7).normal(size=(IMAGES, len(CLASSES)))
        logits += 0.2 * np.random.default_rng(seed).normal(size=logits.shape)
        logits[np.arange(IMAGES), labels] += skill
        return self.module("records").Judged.of(logits, labels, np.arange(IMAGES))

    def write(self, table: str, row: str, seed: int, skill: float, **changed: Any) -> Any:
        """The record of a row with this much skill."""
        records, costs = self.module("records"), self.module("costs")
        job = self.design.job(table, row, seed)
        judged = {part: self.judged(skill, seed) for part in job.parts}
        session = costs.Session(
            wall_seconds=7200.0, processor_seconds=3600.0,
            machine={"cpu": "Abacus", "cores_usable": 2},
        )  # fmt: skip
        values = {
            "table": table, "row": row, "seed": seed, "recipe_sha256": job.recipe_sha256,
            "data": records.Data(
                name="drawn", classes=CLASSES, images={"validation": IMAGES, "test": IMAGES},
                split_sha256="s", content_sha256="c",
            ),
            "recipe": {},
            "network": records.Network(
                arch="a", image_size=24, params=2_230_000, macs=1, weights_sha256=f"{row}{seed}"
            ),
            "method": row,
            "teachers": tuple(
                records.Taught(
                    run=f"{each.table}/{each.name}", recipe_sha256="r", weights_sha256="w"
                )
                for each in job.teachers
            ),
            "epochs": 0 if job.kind == "average" else 4,
            "best_epoch": 3,
            "precision": "fp32",
            "metrics": {part: records.scores_of(each, CLASSES) for part, each in judged.items()},
            "cost": costs.Cost(sessions=() if job.kind == "average" else (session,)),
            "versions": {},
            "revision": None,
        }  # fmt: skip
        record = records.Record(**{**values, **changed})
        records.write_record(self.results, record, judged)
        return record

    def page(self, bench: Path | None = None) -> str:
        """The page that the records give."""
        text: str = self.module("tables").filled(PAGE, self.design, self.results, bench)
        return text


@pytest.fixture
def records(tmp_path, module) -> Records:
    return Records(tmp_path, module)


def cells(page: str, row: str) -> dict[str, str]:
    """The first line of a row, by the heads of its table."""
    lines = page.splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith(f"| {row} |"))
    top = next(n for n in range(number, -1, -1) if lines[n].startswith("|---"))
    heads, values = (
        [cell.strip() for cell in lines[n].strip("|").split("|")] for n in (top - 1, number)
    )
    return dict(zip(heads, values, strict=True))


def test_without_records_every_row_is_not_run_yet(records):
    page = records.page()
    assert page.startswith("Before.\n<!-- study: main -->\nNot run yet:\n\n- none: ")
    assert "|" not in page
    assert "old" not in page
    assert page.endswith(
        "<!-- study: cost -->\nHours of training: not run yet.\n<!-- end -->\nAfter.\n"
    )
    assert "<!-- study: lowered -->\nLowered files: not run yet.\n<!-- end -->" in page
    for row in ("none", "at", "one", "two", "both"):
        assert f"\n- {row}: " in page
    assert records.module("tables").filled(page, records.design, records.results) == page


def test_the_numbers_of_a_row(records):
    made = [records.write("main", "at", seed, 1.2) for seed in range(3)]
    row = cells(records.page(), "at")
    judged = [records.judged(1.2, seed) for seed in range(3)]
    recalls = [
        [np.mean(each.logits.argmax(1)[each.labels == k] == k) for k in range(len(CLASSES))]
        for each in judged
    ]
    balanced = 100 * np.mean(recalls, axis=1)
    assert row["BACC"] == f"{balanced.mean():.1f} ± {balanced.std(ddof=1):.1f}"
    melanoma = 100 * np.array(recalls)[:, CLASSES.index("mel")]
    assert row["mel sens."] == f"{melanoma.mean():.1f} ± {melanoma.std(ddof=1):.1f}"
    areas = 100 * np.array(
        [roc_auc_score(each.labels == 4, softmax(each.logits)[:, 4]) for each in judged]
    )
    assert row["mel AUROC"] == f"{areas.mean():.1f} ± {areas.std(ddof=1):.1f}"
    assert (row["seeds"], row["epochs"], row["M params"]) == ("3", "4", "2.23")
    assert row["hours"] == "1.0"
    assert made[0].metrics["test"].auroc["mel"] == pytest.approx(areas[0] / 100)


def test_a_difference_has_the_interval_of_compare(records):
    for seed in range(3):
        records.write("main", "none", seed, 1.0)
    for seed in range(2):
        records.write("main", "at", seed, 1.8)
    page = records.page()
    row = cells(page, "at")
    assert row["seeds"] == "2 of 3"
    from edgekd.metrics.classification import balanced_accuracy_of
    from edgekd.metrics.seeds import seeds_difference

    decided = [
        np.stack([records.judged(skill, seed).logits.argmax(1) for seed in range(2)])
        for skill in (1.0, 1.8)
    ]
    labels = records.judged(1.0, 0).labels
    expected = seeds_difference(
        balanced_accuracy_of, *decided, labels, len(CLASSES), groups=np.arange(IMAGES)
    )
    low, high = 100 * expected.low, 100 * expected.high
    assert row["− control [95 %]"] == f"{100 * expected.value:+.1f} [{low:+.1f}, {high:+.1f}]"
    assert cells(page, "none")["− control [95 %]"] == "—"
    from edgekd.metrics.seeds import seeds_auroc_difference

    ranked = [
        np.stack([softmax(records.judged(skill, seed).logits) for seed in range(2)])
        for skill in (1.0, 1.8)
    ]
    of = CLASSES.index("mel")
    area = seeds_auroc_difference(*ranked, labels, of=of, groups=np.arange(IMAGES))
    low, high = 100 * area.low, 100 * area.high
    shown = f"{100 * area.value:+.1f} [{low:+.1f}, {high:+.1f}]"
    assert cells(page, "at")["mel AUROC − control [95 %]"] == shown
    assert cells(page, "none")["mel AUROC − control [95 %]"] == "—"
    assert "Intervals hold what other seeds and other lesions would change" in page


def test_one_seed_has_no_interval(records):
    records.write("main", "none", 0, 1.0)
    records.write("main", "at", 0, 1.8)
    page = records.page()
    assert re.fullmatch(r"\+\d+\.\d", cells(page, "at")["− control [95 %]"])
    assert "A difference without an interval is of one seed" in page


def test_rows_of_other_images_are_not_compared(records):
    control = records.write("main", "none", 0, 1.0)
    import msgspec

    other = msgspec.structs.replace(control.data, content_sha256="other")
    records.write("main", "at", 0, 1.8, data=other)
    page = records.page()
    assert cells(page, "at")["− control [95 %]"] == "—"
    assert "Records are of different image files" in page


def test_rows_that_are_not_run_stand_below_the_table(records):
    records.write("main", "none", 0, 1.0)
    page = records.page()
    table, below = page.split("Not run yet:\n", 1)
    assert "| none |" in table
    assert "| at |" not in page
    assert "- at: " in below
    assert "- none: " not in below.split("<!-- end -->")[0]


def test_a_stale_record_is_not_shown(records):
    records.write("main", "none", 0, 1.0, recipe_sha256="of another recipe")
    page = records.page()
    assert "\n- none: " in page
    assert "Not shown, because their recipes have changed since: none-seed0." in page


def test_unequal_precision_and_teachers_are_told(records):
    taught = records.module("records").Taught(
        run="teachers/one-seed0", recipe_sha256="r", weights_sha256="other"
    )
    records.write("main", "at", 0, 1.0)
    records.write("main", "at", 1, 1.0, precision="bf16", teachers=(taught,))
    page = records.page()
    assert "Precisions differ: fp32: at-seed0; bf16: at-seed1." in page
    assert (
        "with other weights under the same recipe (figures are of the weights on record): " in page
    )
    assert "on record): teachers/one-seed0." in page


def test_the_teachers_stand_below_their_students(records):
    records.write("main", "at", 0, 1.0)
    assert "Their teachers" not in records.page()
    teacher = records.write("teachers", "one", 0, 1.5)
    page = records.page()
    assert "Their teachers, test part:" in page
    row, test = cells(page, "teachers/one-seed0"), teacher.metrics["test"]
    assert row["of"] == "at"
    assert row["epochs"] == "4"
    assert row["BACC"] == f"{100 * test.balanced_accuracy:.1f}"
    assert row["mel AUROC"] == f"{100 * test.auroc['mel']:.1f}"
    assert row["macro AUROC"] == f"{100 * test.macro_auroc:.1f}"
    # Its students learnt from weights of another training.
    assert "on record): teachers/one-seed0." in page


def test_members_of_an_average_are_no_teachers(records):
    for name in ("one", "two", "both"):
        records.write("teachers", name, 0, 1.0)
    assert "Their teachers" not in records.page()


def test_a_teacher_that_was_not_judged_on_the_part_is_left_out(records):
    records.write("main", "at", 0, 1.0)
    teacher = records.write("teachers", "one", 0, 1.5)
    validation = {"validation": teacher.metrics["test"]}
    runs = {"teachers/one-seed0": msgspec.structs.replace(teacher, metrics=validation)}
    summary = records.module("summaries").summary_of(records.design, "main", records.results)
    assert "Their teachers" not in records.module("layout").table_markdown(summary, runs)


def test_a_teacher_with_the_weights_on_record_was_trained_once(records):
    teacher = records.write("teachers", "one", 0, 1.5)
    taught = records.module("records").Taught(
        run="teachers/one-seed0", recipe_sha256="r", weights_sha256=teacher.network.weights_sha256
    )
    records.write("main", "at", 0, 1.0, teachers=(taught,))
    assert "Trained more than once" not in records.page()


def test_what_it_cost(records):
    for name in ("one", "two", "both"):
        records.write("teachers", name, 0, 1.0)
    records.write("main", "none", 0, 1.0)
    records.write("labels", "all", 0, 1.0, same_as="main/none-seed0")
    page = records.page()
    assert cells(page, "both")["hours"] == "2.0"  # those of its members
    assert cells(page, "both")["epochs"] == "—"
    assert "| main | 1 | 1.0 | 2.0 |\n| teachers | 2 | 2.0 | 4.0 |\n| all | 3 | 3.0 | 6.0 |" in page
    assert "Machines: 2 cores of Abacus." in page


def test_a_cost_that_was_not_measured_is_no_zero(records, module):
    records.write("teachers", "one", 0, 1.0, cost=module("costs").Cost(sessions=()))
    assert cells(records.page(), "one")["hours"] == "—"


def test_lowered_files(records, tmp_path):
    result = sample_result()
    write_result(tmp_path / "bench.json", result)
    page = records.page(tmp_path / "bench.json")
    student = next(row for row in result.rows if row.role == "student")
    artefact = next(row for row in result.rows if row.role == "artefact" and row.vs_teacher)
    row = cells(page, artefact.name)
    values = [each.metrics.balanced_accuracy.value for each in (artefact, student)]
    assert row["− float student"] == f"{100 * (values[0] - values[1]):+.1f}"
    assert row["of teacher's size"] == f"1/{artefact.vs_teacher.size_ratio:.1f}"
    assert row["MB"] == f"{artefact.size_bytes / 1e6:.2f}"
    assert cells(page, student.name)["− float student"] == "—"


def test_check_refuses_a_page_that_is_out_of_date(records, tmp_path, module, capsys):
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    options = ["--page", str(page), "--results", str(records.results)]
    options += ["--design", str(tmp_path / "design")]
    assert module("tables").main([*options, "--check"]) == 4
    assert page.read_text() == PAGE
    assert module("tables").main(options) == 0
    assert module("tables").main([*options, "--check"]) == 0
    records.write("main", "none", 0, 1.0)
    assert module("tables").main([*options, "--check"]) == 4
    assert "is not what the records give" in capsys.readouterr().err


def test_a_damaged_record_is_refused(records, tmp_path, module, capsys):
    records.write("main", "none", 0, 1.0)
    (records.results / "main/none-seed0.json").write_text("{")
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    code = module("tables").main(
        ["--page", str(page), "--results", str(records.results), "--design",
         str(tmp_path / "design")]
    )  # fmt: skip
    assert code == 6
    assert "none-seed0.json is damaged" in capsys.readouterr().err
    assert page.read_text() == PAGE


def test_the_committed_page_is_what_the_committed_records_give(module):
    assert module("tables").main(["--check"]) == 0


def test_every_row_of_the_study_can_be_read(module):
    """And what must be equal is: the parts of choosing tables, the epochs of compared rows."""
    design = module("design").read_design()
    named = {"teachers", "ingredients", "screen", "main", "labels", "all-images", "resolution"}
    assert set(design.tables) == named
    for name in ("ingredients", "screen"):
        assert design.table(name).parts == ("validation",)
    for name, table in design.tables.items():
        jobs = {job.row: job for job in design.jobs(name, seeds=[0])}
        assert len({job.recipe_sha256 for job in jobs.values()}) == len(jobs)
        for row, section in table.rows.items():
            control = section.control or table.control
            if control and name != "ingredients":
                pair = [jobs[each].recipe.student.fit.epochs for each in (row, control)]
                assert pair[0] == pair[1], (name, row)
    splits = {job.recipe.split for name in design.tables for job in design.jobs(name, seeds=[0])}
    assert {split.train_share for split in splits} == {0.1, 0.3, 1.0}
    assert len({(split.validation, split.test, split.seed) for split in splits}) == 1


def test_students_are_taught_on_their_own_parts(module):
    """A teacher may have further images to train on, or fewer, as its row says."""
    design = module("design").read_design()
    for name in design.tables:
        for job in design.jobs(name, seeds=[1]):
            for teacher in job.teachers:
                assert teacher.recipe.split == job.recipe.split
                assert without_further(teacher.recipe.data) == without_further(job.recipe.data)
                assert set(teacher.parts) == set(job.parts)
    taught = design.job("all-images", "kd-three", 0)
    assert [f"{one.table}/{one.name}" for one in taught.teachers] == [
        "teachers/lite0-seed0", "teachers/lite0-all-seed0", "all-images/none-seed0",
    ]  # fmt: skip


def without_further(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "training_root"}
