"""`edgekd.page.chromium`: a real browser, started and ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekd.errors import MissingDependencyError
from edgekd.page.chromium import Chromium, ChromiumError, find_chromium, has_chromium

needs_chromium = pytest.mark.skipif(
    not has_chromium(), reason="there is no Chromium: apt install chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as opened:
        yield opened


def test_without_chromium_the_error_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGEKD_CHROMIUM", raising=False)
    assert not has_chromium()
    with pytest.raises(MissingDependencyError, match="no Chromium here") as caught:
        Chromium()
    assert "apt install chromium" in caught.value.hint


def test_the_variable_names_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDGEKD_CHROMIUM", str(program))
    assert find_chromium() == program


def test_a_program_that_is_no_browser_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ends"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDGEKD_CHROMIUM", str(program))
    with pytest.raises(ChromiumError, match="has ended"):
        Chromium(patience_s=20)


@needs_chromium
def test_expressions_and_promises_have_values(browser: Chromium) -> None:
    assert browser.version.startswith("Chrome/")
    assert browser.evaluate("[1, 'two', null]") == [1, "two", None]
    assert browser.evaluate("new Promise(done => setTimeout(() => done(3), 5))") == 3


@needs_chromium
def test_a_script_that_fails_is_an_error(browser: Chromium) -> None:
    with pytest.raises(ChromiumError, match="nothing is not defined"):
        browser.evaluate("nothing.at.all")
    with pytest.raises(ChromiumError, match="refuses Page"):
        browser.ask("Page.unknown")
    with pytest.raises(ChromiumError, match="cannot be loaded"):
        browser.open("http://127.0.0.1:9/")


@needs_chromium
def test_a_page_that_does_not_answer_is_an_error(browser: Chromium) -> None:
    with pytest.raises(ChromiumError, match="did not answer within"):
        browser.evaluate("new Promise(() => {})", patience_s=0.2)
    assert browser.evaluate("1 + 1") == 2


@needs_chromium
def test_files_are_chosen_as_a_person_does(browser: Chromium, tmp_path: Path) -> None:
    page, photo = tmp_path / "page.html", tmp_path / "photo.txt"
    page.write_text("<!doctype html><title>t</title><input type=file id=file>")
    photo.write_text("mole")
    browser.open(page.as_uri())
    browser.choose_files("#file", [photo])
    assert browser.evaluate("document.getElementById('file').files[0].text()") == "mole"


@needs_chromium
def test_its_work_is_counted(browser: Chromium) -> None:
    before = browser.cpu_seconds()
    browser.evaluate("for (let n = 0, sum = 0; n < 3e8; n++) sum += n % 7")
    assert browser.cpu_seconds() > before
    assert all(Path(f"/proc/{each}/status").is_file() for each in browser.renderers())


@needs_chromium
def test_a_browser_that_is_killed_is_noticed_and_its_profile_removed() -> None:
    browser = Chromium()
    profile = browser._profile
    assert profile.is_dir()
    os.kill(browser._process.pid, signal.SIGKILL)
    browser._process.wait(20)
    with pytest.raises(ChromiumError, match="has ended"):
        browser.evaluate("1")
    browser.close()
    assert not profile.exists()
