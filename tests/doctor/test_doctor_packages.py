"""What imports: in one process, and alone what fails or dies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.doctor.packages import import_modules, try_packages


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Modules that import well, raise, kill their process, or cannot stand one another."""
    log = f"open({str(tmp_path / 'log')!r}, 'a').write(__name__ + ' ')\n"
    written = {
        "good": "__version__ = '1.2'\n",
        "better": "import good\n__version__ = '1.3'\n",
        "broken": "raise RuntimeError('its library is too old\\nmore')\n",
        "deadly": "import os\nos.abort()\n",
        "jealous": "import sys\nassert 'good' not in sys.modules\n__version__ = '2'\n",
        "talkative": "print('hello', end='')\n__version__ = '3'\n",
    }
    for name, text in written.items():
        (tmp_path / f"{name}.py").write_text(log + text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "log"


def test_all_are_imported_once_in_one_process(modules: Path) -> None:
    results = import_modules(["good", "better", "talkative", "good"])
    assert {name: one.version for name, one in results.items()} == {
        "good": "1.2", "better": "1.3", "talkative": "3",
    }  # fmt: skip
    assert modules.read_text().split() == ["good", "better", "talkative"]


def test_what_fails_or_dies_is_told_and_the_others_are_results(modules: Path) -> None:
    names = ["good", "broken", "nowhere", "deadly", "jealous", "better"]
    results = import_modules(names)
    assert set(results) == set(names)
    assert results["broken"].failure == "RuntimeError: its library is too old"
    assert "No module named 'nowhere'" in results["nowhere"].failure
    assert results["deadly"].failure
    assert [results[name].failure for name in ("good", "jealous", "better")] == [""] * 3


def test_the_first_that_lacks_names_the_extra(modules: Path) -> None:
    found = try_packages("fly", ["good", "broken", "nowhere"], "wings", needed=True)
    assert (found.works, found.package, found.extra) == (False, "broken", "wings")
    assert found.detail.endswith("pip install 'edgekd[wings]'")
    assert try_packages("fly", ["good"], "wings", needed=True).detail == "good 1.2"
