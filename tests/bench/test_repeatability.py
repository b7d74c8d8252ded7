"""The table of ten runs: its verdict, and a short real one."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "repeatability.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("repeatability", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def runs(script, condition: str, flagged: int, n: int = 10) -> list:
    flags = ["other-load: model, x", "drift: model, y", "other-load: end-to-end, x"]
    return [
        script.Run(
            condition=condition,
            p50_ms={"model": 1.0 + index / 100},
            p90_ms={"model": 2.0},
            flags=flags if index < flagged else [],
        )
        for index in range(n)
    ]


@pytest.mark.parametrize(
    ("quiet", "loaded", "holds"),
    [(0, 10, True), (1, 9, True), (2, 10, False), (0, 8, False), (10, 10, False)],
)
def test_the_aim(script, quiet, loaded, holds):
    both = runs(script, "quiet", quiet) + runs(script, "cpu", loaded)
    assert script.holds(both) is holds


def test_every_load_has_to_be_noticed(script):
    three = runs(script, "quiet", 0) + runs(script, "cpu", 10) + runs(script, "memory", 5)
    assert not script.holds(three)
    assert script.flagged_share(three, "memory") == 0.5


def test_the_table(script):
    text = script.markdown(runs(script, "quiet", 1) + runs(script, "cpu", 10))
    assert (
        "| quiet | model | 10 | 1.000, 1.045, 1.090 | 2.9% | 2.000, 2.000, 2.000 | 0.0% |" in text
    )
    assert "| quiet | 1 of 10 | other-load (1), drift (1) |" in text
    assert "| cpu | 10 of 10 | other-load (10), drift (10) |" in text
    assert "The aim holds" in text


def test_a_short_real_table(script, make_bundle, data, tmp_path, capsys):
    out, markdown = tmp_path / "table.json", tmp_path / "table.md"
    options = ["--bundle", str(make_bundle("repeated")), "--images", str(data.paths[0].parent)]
    options += ["--runs", "1", "--preset", "smoke", "--load", "cpu"]
    code = script.main([*options, "--json", str(out), "--markdown", str(markdown)])
    written = json.loads(out.read_bytes())
    assert code == (0 if written["holds"] else 4)
    assert [run["condition"] for run in written["runs"]] == ["quiet", "cpu"]
    for run in written["runs"]:
        assert set(run["p50_ms"]) == set(run["watch"]) == {"model", "end-to-end"}
        assert run["watch"]["model"]["seconds"] >= 0.2
    assert markdown.read_text() == capsys.readouterr().out[:-1]


def test_a_wrong_bundle_ends_in_its_exit_code(script, tmp_path, capsys):
    assert script.main(["--bundle", str(tmp_path / "nowhere"), "--preset", "smoke"]) == 2
    assert "error: " in capsys.readouterr().err
    assert script.main(["--bundle", "x", "--images", str(tmp_path)]) == 2
    assert "no JPEGs" in capsys.readouterr().err
