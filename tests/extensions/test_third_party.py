"""A package from outside brings one extension of each kind, and goes the whole way with them.

`package/` is built as a wheel and unpacked beside edgekd, which is not changed. Every command runs
in a process of its own, as a user's does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgekd.extensions.backends import BACKENDS
from edgekd.extensions.methods import METHODS
from edgekd.extensions.sources import SOURCES
from edgekd.extensions.tasks import LAYERS, TASKS
from edgekd.policy import POLICIES
from edgekd.targets import TARGETS

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PACKAGE = HERE / "package"
OWNER = "edgekd-outside 2.5"

KINDS = {
    "task": "regression",
    "backend": "reference",
    "target": "desk",
    "policy": "sizes",
    "data source": "discs",
    "method": "imitation",
}
"""What the package brings, by kind."""

_FIT = "{epochs: 8, batch_size: 16, learning_rate: 5.0e-3, class_weights: none}"
RECIPE = f"""
name: outside
task: regression
policy: sizes
image_size: 32
data: {{source: discs, root: images, images: 200, size: 48, seed: 1}}
split: {{validation: 0.3, test: 0.3}}
teacher: {{model: {{arch: test_efficientnet}}, fit: {_FIT}}}
student: {{model: {{arch: test_efficientnet}}, fit: {_FIT}}}
method: {{name: imitation, weight: 0.3}}
trainer: {{threads: 1, precision: fp32}}
"""

for package in ("torch", "lightning", "onnx", "onnxscript", "setuptools"):
    pytest.importorskip(package, reason=f"{package} is missing: pip install 'edgekd[dev]'")


class Place(NamedTuple):
    """A folder to work in, and where the package is installed for the processes of this test."""

    folder: Path
    site: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that sees the package."""
        paths = [str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])]
        return os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "EDGEKD_CACHE": str(self.folder / "cache"),
            "OMP_NUM_THREADS": "1",
        }

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command of edgekd, and check its exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "edgekd", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"edgekd {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done


def installed(home: Path) -> Path:
    """The folder into which the package's wheel was unpacked."""
    source = home / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = home.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home / "site")
    return home / "site"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp("outside")
    (home / "work").mkdir()
    (home / "work/recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return Place(home / "work", installed(home))


@pytest.fixture(scope="module")
def run(place: Place) -> Path:
    place.run("distill", "recipe.yaml", "--out", "run")
    return place.folder / "run"


@pytest.fixture(scope="module")
def bundle(place: Place, run: Path) -> dict[str, Any]:
    """The manifest of the bundle; a build again finds it there."""
    command = ("build", "--target", "desk", "--model", "run/student", "--out", "run/bundles")
    place.run(*command)
    assert "was there already" in place.run(*command).stdout
    manifest: dict[str, Any] = json.loads((run / "bundles/desk/manifest.json").read_bytes())
    return manifest


@pytest.fixture(scope="module")
def result(place: Place, bundle: dict[str, Any]) -> dict[str, Any]:
    place.run(
        "bench", "--device", "desk", "--run", "run", "--preset", "smoke", "--limit", "30",
        "--json", "bench.json",
    )  # fmt: skip
    found: dict[str, Any] = json.loads((place.folder / "bench.json").read_bytes())
    return found


@pytest.mark.slow
def test_doctor_sees_all_and_runs_the_backend(place: Place) -> None:
    done = place.run("doctor", "--target", "desk", "--json")
    findings = {one["ability"]: one for one in json.loads(done.stdout)}
    for kind, name in KINDS.items():
        finding = findings[f"use the {kind} {name}"]
        assert (finding["works"], finding["detail"]) == (True, f"of {OWNER}")
    assert findings["lower for desk"]["detail"].startswith("a tiny network to fp32; torch ")
    assert findings["run desk bundles"]["detail"] == "a tiny network was run"


@pytest.mark.slow
def test_student_was_taught_by_the_method_on_the_source(run: Path) -> None:
    card = json.loads((run / "student/model.json").read_bytes())
    assert (card["task"], card["classes"]) == ("regression", ["radius"])
    assert card["training"]["method"] == "imitation"
    assert card["policy"]["name"] == "sizes"
    assert card["data"]["name"] == "discs"


@pytest.mark.slow
def test_build_gates_and_decides_by_the_task_and_the_policy(bundle: dict[str, Any]) -> None:
    assert (bundle["task"], bundle["policy"]["name"]) == ("regression", "sizes")
    lowering = bundle["lowering"]
    assert (lowering["backend"], lowering["target"]) == ("reference", "desk")
    (rung,) = lowering["rungs"]
    assert rung["gate"]["passed"]
    assert rung["gate"]["measures"]["mean_change"] < 1e-5
    assert 0.1 <= bundle["decision"]["lowest"] < bundle["decision"]["highest"] <= 0.4
    assert {"r2", "mean_absolute_error"} == bundle["metrics"]["artefact"]["measures"].keys()
    assert [floor["code"] for floor in bundle["policy"]["floors"]] == ["answered"]


@pytest.mark.slow
def test_verify_runs_the_selftest(place: Place, bundle: dict[str, Any]) -> None:
    done = place.run("verify", "run/bundles/desk", "--json")
    selftest = json.loads(done.stdout)["selftest"]
    assert selftest["passed"]
    assert selftest["images"] >= 16


@pytest.mark.slow
def test_predict_answers_a_number_or_refers(place: Place, bundle: dict[str, Any]) -> None:
    done = place.run("predict", "run/bundles/desk", "images/disc-0001.png", "--json")
    (prediction,) = json.loads(done.stdout)
    value = prediction["values"]["radius"]
    assert prediction["label"] == f"{value:.3g}"
    decision, tolerance = bundle["decision"], 0.05
    inside = decision["lowest"] - tolerance <= value <= decision["highest"] + tolerance
    assert prediction["decision"] == ("answer" if inside else "refer")


@pytest.mark.slow
def test_bench_measures_it(result: dict[str, Any]) -> None:
    assert result["task"] == "regression"
    rows = {row["role"]: row for row in result["rows"]}
    artefact = rows["artefact"]
    assert (artefact["backend"], artefact["target"]) == ("reference", "desk")
    student, file = (rows[role]["metrics"]["measures"] for role in ("student", "artefact"))
    assert file["r2"]["value"] == pytest.approx(student["r2"]["value"], abs=1e-4)
    assert artefact["latency_ms"]["model"]["p50"] > 0
    assert artefact["vs_teacher"]["margin"]["metric"] == "r2"


@pytest.mark.slow
def test_report_shows_it(place: Place, result: dict[str, Any]) -> None:
    place.run("report", "bench.json", "--html", "report.html")
    page = (place.folder / "report.html").read_text(encoding="utf-8")
    assert "Mean absolute error" in page
    assert "desk fp32" in page


@pytest.mark.slow
def test_method_that_does_not_serve_the_task_is_refused(place: Place) -> None:
    done = place.run(
        "distill", "recipe.yaml", "--out", "other", "--set", "method={name: kd}", code=2
    )
    assert "the method kd does not serve the task regression" in done.stderr


def test_version_and_code_are_in_the_keys(place: Place) -> None:
    """Another version lowers again."""
    script = (
        "from edgekd.lower.store import providers_of\n"
        "print(providers_of('reference', 'regression'))"
    )
    providers = []
    for name in ("2.5", "2.6"):
        site = place.site.with_name(f"site-{name}")
        shutil.copytree(place.site, site)
        about = site / "edgekd_outside-2.5.dist-info/METADATA"
        about.write_text(about.read_text().replace("Version: 2.5", f"Version: {name}"))
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=place._replace(site=site).environment,
            capture_output=True,
            text=True,
            check=True,
        )
        providers.append(done.stdout)
    for line, version in zip(providers, ("2.5", "2.6"), strict=True):
        assert line.count(f"edgekd-outside {version}") == 2  # the backend, and the task


@pytest.mark.slow
def test_fault_in_the_package_is_reported_as_its_own(place: Place, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(place.site, broken)
    (broken / "edgekd_outside/task/evidence.py").write_text("import no_such_library\n")
    (broken / "edgekd_outside/backend/__init__.py").write_text("BACKEND = 7\n")
    other = place._replace(site=broken)
    done = other.run("doctor", "--target", "cpu-onnx", "--json")
    findings = {one["ability"]: one for one in json.loads(done.stdout)}
    task = findings["use the task regression"]
    assert not task["works"]
    assert "layer 'evidence' of the task regression of edgekd-outside 2.5" in task["detail"]
    assert "no_such_library" in task["detail"]
    backend = findings["use the backend reference"]
    assert "backend reference of edgekd-outside 2.5 is a int" in backend["detail"]
    assert findings["use the method imitation"]["works"]


# ---- the page that says where an extension goes ----

REGISTRIES = {
    "task": TASKS,
    "backend": BACKENDS,
    "target": TARGETS,
    "policy": POLICIES,
    "data source": SOURCES,
    "method": METHODS,
}
PAGE = (
    (REPOSITORY / "CONTRIBUTING.md")
    .read_text(encoding="utf-8")
    .partition("## Where an extension goes\n")[2]
    .partition("\n## ")[0]
)


def rows_of(page: str) -> dict[str, tuple[list[str], str, list[str]]]:
    """By kind: edgekd's own files, the entry-point group, and the files of a package."""
    rows = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == 4 and cells[0] in REGISTRIES:
            own, group, outside = (re.findall(r"`([^`]+)`", cell) for cell in cells[1:])
            rows[cells[0]] = (own, group[0], outside)
    return rows


def test_page_lists_every_kind_with_its_group() -> None:
    rows = rows_of(PAGE)
    assert rows.keys() == REGISTRIES.keys()
    for kind, (_, group, _) in rows.items():
        assert group == REGISTRIES[kind].group
    for layer in LAYERS:
        assert any(pattern.endswith(f"/{layer}.py") for pattern in rows["task"][0])


@pytest.mark.parametrize("kind", REGISTRIES)
def test_files_of_the_page_exist(kind: str) -> None:
    """For each extension of edgekd's own, and for the package of this test."""
    own, _, outside = rows_of(PAGE)[kind]
    assert own
    assert outside
    for pattern in own:
        for name in REGISTRIES[kind].built_in:
            matches = list(REPOSITORY.glob(pattern.replace("NAME", name)))
            assert matches, f"{kind} {name}: nothing is at {pattern}"
    for pattern in outside:
        assert (PACKAGE / pattern.replace("PACKAGE", "edgekd_outside")).exists(), pattern
