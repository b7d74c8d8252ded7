"""The description of a search in its folder."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import searches

from edgekd.errors import ArtefactError, InputError
from edgekd.tune.job import JOB, read_job, write_job


def test_a_search_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path, cost="params", seed=4)
    write_job(tmp_path, job)
    assert read_job(tmp_path) == job
    assert read_job(tmp_path).typed_recipe.student.fit.epochs == 2
    assert set(read_job(tmp_path).typed_space.domains) == {searches.WIDTHS, searches.RATE}


def test_the_same_search_may_have_more_trials_workers_and_threads(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    write_job(tmp_path, job)
    trainer = {**job.recipe["trainer"], "threads": 7}
    again = msgspec.structs.replace(
        job, trials=9, workers=2, recipe={**job.recipe, "trainer": trainer}
    )
    write_job(tmp_path, again)
    assert read_job(tmp_path).trials == 9
    assert again.key() == job.key()


@pytest.mark.parametrize(
    ("field", "value"),
    [("cost", "none"), ("lowered", "cpu"), ("seed", 1), ("chance", 0.5), ("device", "rpi")],
)
def test_another_search_is_refused(tmp_path: Path, field: str, value: object) -> None:
    write_job(tmp_path, searches.job_of(tmp_path))
    other = searches.job_of(tmp_path, **{field: value})
    with pytest.raises(InputError, match=f"another search: it differs in {field}"):
        write_job(tmp_path, other)
    assert other.key() != searches.job_of(tmp_path).key()


def test_another_recipe_is_another_search(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    write_job(tmp_path, job)
    other = searches.job_of(tmp_path, recipe={**job.recipe, "image_size": 48})
    with pytest.raises(InputError, match="differs in recipe"):
        write_job(tmp_path, other)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"recipe": 1}'])
def test_a_damaged_description_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / JOB).write_bytes(content)
    with pytest.raises(ArtefactError, match="damaged"):
        read_job(tmp_path)


def test_one_objective_or_two(tmp_path: Path) -> None:
    assert searches.job_of(tmp_path, cost="none").directions == ["maximize"]
    assert searches.job_of(tmp_path, cost="latency").directions == ["maximize", "minimize"]
