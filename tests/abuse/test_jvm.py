"""The fuzz of the runtime in Kotlin, as far as it needs no JVM; `make android` runs the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from abuse import jvm
from abuse.campaign import Campaign, Failure
from abuse.worker import Answer


def test_a_crash_is_wrong_unless_it_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "upstream.txt"
    known.write_text("# engine, what happens\ntflite crash SIGSEGV in libLiteRt.so  # of 2.3\n")
    monkeypatch.setattr(jvm, "UPSTREAM", known)
    assert jvm.upstream() == {("tflite", "crash SIGSEGV in libLiteRt.so")}
    listed = Failure("bundle:1", "model", "tflite", "crash SIGSEGV in libLiteRt.so")
    elsewhere = Failure("bundle:2", "zip", "", "crash SIGSEGV in libLiteRt.so")
    other = Failure("bundle:3", "model", "tflite", "hang")
    campaign = Campaign(failures=[listed, elsewhere, other])
    assert jvm.wrong(campaign) == [elsewhere, other]


def test_the_committed_list_is_read() -> None:
    assert all(engine in jvm.ENGINES for engine, _ in jvm.upstream())


def test_outcomes_must_be_those_of_python() -> None:
    names = [f"image:{number}" for number in range(60)]
    groups = {name: jvm.made_of(name, 0).group.split("-")[0] for name in names}
    jpeg = next(name for name in names if groups[name] == "jpeg")
    tiff = next(name for name in names if groups[name] == "tiff")
    answer, refused = Answer("", "answer"), Answer("", "ImageError")
    assert jvm.compared(jpeg, 0, answer, answer) == ""
    difference = jvm.compared(jpeg, 0, answer, refused)
    assert difference == "answer in Kotlin, ImageError in Python"
    assert jvm.compared(tiff, 0, refused, answer) == ""


def test_bundles_are_of_engines_that_kotlin_has() -> None:
    names = jvm.cases_of(20, 2, seed=0)
    assert len(names) == 22
    backends = {jvm.made_of(name, 0).backend for name in names[:20]}  # type: ignore[union-attr]
    assert backends == set(jvm.ENGINES)
