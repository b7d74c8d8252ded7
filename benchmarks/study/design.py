"""The study's tables: their rows, and the recipe of each run, without anything of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgekd.errors import InputError
from edgekd.recipe import Recipe, Section, convert, fingerprint, load_recipe
from edgekd.recipe.files import parse_yaml

__all__ = [
    "HERE",
    "Design",
    "Job",
    "Part",
    "Row",
    "Table",
    "read_design",
    "with_teachers",
    "written",
]

HERE = Path(__file__).resolve().parent
TEACHERS = "teachers"
"""The table whose rows teach the others."""

_APART = ("name", "seed", "data", "trainer")
"""Keys of a recipe that are hashed apart, or not at all."""
_TRAINING_ONLY = "training_root"
"""The key of `data` that names images for training alone."""

Part = Literal["validation", "test"]
Kind = Literal["teacher", "student", "average"]


class Row(Section, frozen=True, kw_only=True):
    """One row of a table.

    Attributes:
        says: What it is, in a few words, for the page.
        recipe: Its recipe; by default the table's.
        set: Keys of the recipe, with dots, and their values.
        teacher: The row of `teachers` that teaches it; "" for none.
        teacher_set: Keys of the recipes of the networks that teach it, and their values.
        of: Rows that are averaged, instead of any training: of the same table, or TABLE/ROW.
        start: The row, or TABLE/ROW, whose network of the same seed it goes on from; "" for the
            recipe's start.
        control: The row that it is compared with; by default the table's.
    """

    says: str
    recipe: str = ""
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    teacher: str = ""
    teacher_set: dict[str, Any] = msgspec.field(default_factory=dict)
    of: tuple[str, ...] = ()
    start: str = ""
    control: str = ""


class Table(Section, frozen=True, kw_only=True):
    """One table.

    Attributes:
        title: Its title on the page.
        recipe: Name of a file in `recipes/`.
        role: The role of the recipe that is trained.
        parts: Parts that its networks are judged on. Without `test` no network of the table ever
            sees a test image.
        seeds: Seeds of each row, unless the command names others.
        control: The row that the others are compared with.
        set: Keys of the recipe that all rows share.
        rows: The rows by name.
    """

    title: str
    recipe: str
    role: Literal["teacher", "student"]
    parts: tuple[Part, ...]
    seeds: tuple[int, ...]
    control: str = ""
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    rows: dict[str, Row] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One run: a row with a seed.

    Attributes:
        table: Name of the table.
        row: Name of the row.
        seed: Its seed.
        kind: What it makes: a teacher, a student, or an average of teachers.
        recipe: Its recipe. Paths of data, weights and teachers are still to be put in.
        parts: Parts that it is judged on.
        teachers: The runs whose networks teach it, or are averaged.
        start: The run whose network it goes on from; None for the recipe's start.
        derived: Whether it is a teacher of other data, another split or other keys than those of
            its row, after which it is named.
    """

    table: str
    row: str
    seed: int
    kind: Kind
    recipe: Recipe
    parts: tuple[Part, ...]
    teachers: tuple[Job, ...] = ()
    start: Job | None = None
    derived: bool = False

    @property
    def name(self) -> str:
        """Name of its folder and of its record, unique within the table."""
        return f"{self.row}-seed{self.seed}"

    @cached_property
    def recipe_sha256(self) -> str:
        """Hash of all that it depends on besides images: its recipe, teachers' and start's.

        Only what differs from its default counts: a key that edgekd learns later changes no hash.
        """
        sections = {key: one for key, one in written(self.recipe).items() if key not in _APART}
        data = {
            key: value for key, value in self.recipe.data.items() if key not in ("root", "file")
        }
        taught_by = [teacher.recipe_sha256 for teacher in self.teachers]
        precision = self.recipe.trainer.precision
        begun = [self.start.recipe_sha256] if self.start else []
        return fingerprint(self.kind, self.seed, sections, data, precision, taught_by, *begun)


@dataclass(frozen=True)
class Design:
    """All tables, and the folder of their recipes.

    Attributes:
        tables: The tables by name.
        recipes: Folder of the recipes.
    """

    tables: Mapping[str, Table]
    recipes: Path

    def table(self, name: str) -> Table:
        """The table of that name.

        Raises:
            InputError: There is none.
        """
        if name not in self.tables:
            raise InputError(f"there is no table {name!r}", f"known: {', '.join(self.tables)}")
        return self.tables[name]

    def jobs(self, name: str, rows: Sequence[str] = (), seeds: Sequence[int] = ()) -> Iterator[Job]:
        """The runs of a table, all rows of the first seed first.

        Args:
            name: Name of the table.
            rows: Rows to take; empty for all.
            seeds: Seeds to take; empty for the table's.

        Raises:
            InputError: There is no such table or row, or a recipe is wrong.
        """
        table = self.table(name)
        for row in rows:
            self._row(name, row)
        for seed in seeds or table.seeds:
            for row in rows or table.rows:
                yield self.job(name, row, seed)

    def job(self, name: str, row: str, seed: int) -> Job:
        """The run of one row and seed.

        Raises:
            InputError: There is no such row, or its recipe is wrong.
        """
        if self._row(name, row).of:
            return self._average(name, row, seed)
        return self._trained(name, row, seed)

    def _trained(
        self, name: str, row: str, seed: int, more: Mapping[str, Any] | None = None
    ) -> Job:
        table, chosen = self.table(name), self._row(name, row)
        file = str(self.recipes / f"{chosen.recipe or table.recipe}.yaml")
        taught = self._taught(chosen.teacher) if chosen.teacher else {}
        keys = {**table.set, **taught, **chosen.set, **(more or {})}
        named = {"seed": seed, "name": f"{name}-{row}"}
        recipe = load_recipe(file, _overrides({**keys, **named}))
        teachers = self._teachers(chosen, recipe, table.parts) if chosen.teacher else ()
        start = self.job(*_located(chosen.start, name), seed) if chosen.start else None
        recipe = _named(recipe, teachers)
        return Job(name, row, seed, table.role, recipe, table.parts, teachers, start)

    def _average(self, name: str, row: str, seed: int) -> Job:
        table, chosen = self.table(name), self._row(name, row)
        members = tuple(self.job(*_located(each, name), seed) for each in chosen.of)
        keys = {**table.set, "teacher": {}, **_several(chosen.of), **chosen.set, "seed": seed}
        file = str(self.recipes / f"{chosen.recipe or table.recipe}.yaml")
        recipe = load_recipe(file, _overrides({**keys, "name": f"{name}-{row}"}))
        return Job(name, row, seed, "average", _named(recipe, members), table.parts, members)

    def _row(self, name: str, row: str) -> Row:
        rows = self.table(name).rows
        if row not in rows:
            message = f"the table {name} has no row {row!r}"
            raise InputError(message, f"known: {', '.join(rows)}")
        return rows[row]

    def _taught(self, teacher: str) -> dict[str, Any]:
        """Keys of a student's recipe for that teacher: those of an average, and its members."""
        row = self._row(TEACHERS, teacher)
        return {"teacher": {}, **_several(row.of), **(row.set if row.of else {})}

    def _teachers(self, chosen: Row, student: Recipe, parts: tuple[Part, ...]) -> tuple[Job, ...]:
        """The networks that teach a student: seed 0, on the student's data and parts."""
        row = self._row(TEACHERS, chosen.teacher)
        return tuple(
            self._teacher(name, chosen.teacher_set, student, parts)
            for name in row.of or (chosen.teacher,)
        )

    def _teacher(
        self, name: str, keys: Mapping[str, Any], student: Recipe, parts: tuple[Part, ...]
    ) -> Job:
        """A teacher's run, judged on the student's parts; under a name of its own if it differs."""
        table, row = _located(name, TEACHERS)
        own = self._trained(table, row, 0)
        job = self._trained(table, row, 0, keys)
        recipe = _with_parts_of(student, job.recipe)
        if written(recipe) == written(own.recipe):
            return replace(own, parts=parts)
        name = f"{row}-{fingerprint(written(recipe))[:8]}"
        return replace(job, row=name, recipe=recipe, parts=parts, derived=True)


def read_design(folder: Path = HERE) -> Design:
    """The tables in `folder/tables`, with the recipes in `folder/recipes`.

    Raises:
        InputError: A table is wrong.
    """
    files = sorted((folder / "tables").glob("*.yaml"))
    return Design({file.stem: _table(file) for file in files}, folder / "recipes")


def _table(file: Path) -> Table:
    where = f"the table {file}"
    raw = parse_yaml(file.read_bytes(), str(file))
    written = raw.pop("rows", {}) if isinstance(raw, dict) else {}
    rows = {name: convert(row, Row, f"{where}, row {name}") for name, row in written.items()}
    return msgspec.structs.replace(convert(raw, Table, where), rows=rows)


def _located(row: str, table: str) -> tuple[str, str]:
    """The table and the row that `TABLE/ROW` names, or `ROW` of a table."""
    other, _, name = row.rpartition("/")
    return other or table, name


def _with_parts_of(student: Recipe, teacher: Recipe) -> Recipe:
    """A teacher's recipe on the student's data and parts.

    A teacher of another split may have seen the student's test images. Images for training alone
    stay those of the teacher's row: none of them is of a lesion that is validated or tested.
    """
    training_only = {key: one for key, one in teacher.data.items() if key == _TRAINING_ONLY}
    data = {key: one for key, one in student.data.items() if key != _TRAINING_ONLY}
    changed = msgspec.structs.replace
    split = changed(student.split, even_train_only=teacher.split.even_train_only)
    return changed(teacher, data={**data, **training_only}, split=split)


def _several(rows: Sequence[str]) -> dict[str, Any]:
    """A recipe's `teachers`, still without paths; a single one stands in `teacher`."""
    if len(rows) < 2:
        return {}
    return {"teachers": [{"checkpoint": row} for row in rows]}


def _named(recipe: Recipe, teachers: Sequence[Job]) -> Recipe:
    """The recipe with the names of its teachers' runs in the place of their folders."""
    return with_teachers(recipe, [f"{teacher.table}/{teacher.name}" for teacher in teachers])


def with_teachers(recipe: Recipe, folders: Sequence[str]) -> Recipe:
    """The recipe with the checkpoints of its teachers, if it has any."""
    changed = msgspec.structs.replace
    if len(folders) == 1:
        assert recipe.teacher is not None
        return changed(recipe, teacher=changed(recipe.teacher, checkpoint=folders[0]))
    pairs = zip(recipe.teachers, folders, strict=True)
    return changed(
        recipe, teachers=tuple(changed(each, checkpoint=folder) for each, folder in pairs)
    )


def written(section: msgspec.Struct) -> dict[str, Any]:
    """The keys of a recipe that differ from their defaults, as plain values."""
    fields = msgspec.structs.fields(section)
    values = {field.name: (getattr(section, field.name), field.default) for field in fields}
    return {name: _plain(value) for name, (value, default) in values.items() if value != default}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return written(value) if isinstance(value, msgspec.Struct) else value


def _overrides(keys: Mapping[str, Any]) -> list[str]:
    """Texts as of `--set`; JSON is YAML."""
    return [f"{key}={msgspec.json.encode(value).decode()}" for key, value in keys.items()]
