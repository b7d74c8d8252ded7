"""What CI installs of Debian and runs: one list, which has what each test asks for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import tomllib
from emulation.missing import TOOLS
from on_request import ON_REQUEST

REPOSITORY = Path(__file__).resolve().parent.parent
CI = REPOSITORY / ".ci"
PACKAGES = (CI / "debian-packages.txt").read_text().split()
OF_A_BOARD = {"libnvinfer-bin", "python3-libnvinfer", "tensorrt"}
"""JetPack's, which no list of Debian's can give."""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def test_every_package_that_a_test_asks_for_is_listed() -> None:
    asked = {package for package in TOOLS.values() if " " not in package} - {"tar"}
    for file in (REPOSITORY / "tests").rglob("*.py"):
        if file != Path(__file__):
            asked |= set(re.findall(r"apt install ([a-z][\w.+-]+)", file.read_text()))
    assert {"adb", "chromium", "strace", "systemd"} <= asked
    assert asked - OF_A_BOARD <= set(PACKAGES)
    assert sorted(set(PACKAGES)) == PACKAGES


@pytest.fixture
def machine(tmp_path: Path):
    """A machine of scripts: who one is, what is installed, what can be had; `calls` are apt's."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for tool in ("bash", "env", "dirname", "grep", "cat"):
        (bin_ / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")
    there, calls = tmp_path / "there", tmp_path / "calls"
    there.mkdir()

    def script(name: str, text: str) -> None:
        (bin_ / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (bin_ / name).chmod(0o755)

    def run(*, user: int, installed: list[str], absent: str = "", debian: bool = True) -> str:
        shutil.rmtree(there)
        there.mkdir()
        for name in installed:
            (there / name).touch()
        calls.write_text("")
        script("id", f"echo {user}")
        if debian:
            # dpkg-query's last argument is the package
            script("dpkg-query", f'[ -e "{there}/${{@: -1}}" ] && echo "install ok installed"')
            script(
                "apt-get",
                f"""
echo "$@" >> {calls}
for name in "$@"; do [ "$name" = "{absent or "-"}" ] && exit 100; done
[ "$1" = update ] && exit 0
for name in "$@"; do case "$name" in -*|install) ;; *) : > "{there}/$name" ;; esac; done
exit 0""",
            )
        done = subprocess.run(
            [str(bin_ / "bash"), str(CI / "packages")],
            env={"PATH": str(bin_)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.calls = calls
    run.there = there
    return run


def test_root_installs_what_is_missing_and_no_more(machine) -> None:
    assert machine(user=0, installed=PACKAGES[2:]) == ""
    last = machine.calls.read_text().splitlines()[-1]
    assert last.endswith(" ".join(PACKAGES[:2]))
    assert machine(user=0, installed=PACKAGES) == ""
    assert machine.calls.read_text() == ""


def test_one_package_that_cannot_be_had_does_not_cost_the_others(machine) -> None:
    told = machine(user=0, installed=PACKAGES[4:], absent=PACKAGES[1])
    assert told.startswith(f"not installed: {PACKAGES[1]}; the tests that need them skip")
    assert {path.name for path in machine.there.iterdir()} == set(PACKAGES) - {PACKAGES[1]}


def test_without_root_it_says_what_is_missing(machine) -> None:
    told = machine(user=1000, installed=PACKAGES[2:])
    assert f"sudo apt install {' '.join(PACKAGES[:2])}" in told
    assert machine.calls.read_text() == ""


def test_what_the_runtime_for_android_needs_is_installed() -> None:
    script = (CI / "android").read_text()
    named = set(re.findall(r"apt install ([a-z][\w.+-]+)", script))
    assert named == {"default-jdk-headless", "maven"}
    assert named <= set(PACKAGES)


def test_without_debian_it_goes_on(machine) -> None:
    assert "no Debian" in machine(user=0, installed=[], debian=False)


def test_a_short_fuzz_is_in_ci_with_a_seed_of_the_commit() -> None:
    lines = (CI / "run").read_text().splitlines()
    assert ".ci/packages" in lines
    assert any(line.startswith("make fuzz") and "--seed $seed" in line for line in lines)
    (line,) = [line for line in lines if line.startswith("seed=")]
    script = f"{line}\necho $seed"
    done = subprocess.run(
        ["bash", "-euc", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout
    assert int(done.stdout) == int(head[:8] or "0", 16)
    assert os.access(CI / "packages", os.X_OK)


def test_every_mark_has_its_target_in_the_makefile() -> None:
    """A test that is skipped says `make MARK`."""
    targets = set(re.findall(r"(?m)^([a-z]+):.*##", (REPOSITORY / "Makefile").read_text()))
    marks = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["pytest"]
    names = {mark.split(":")[0] for mark in marks["ini_options"]["markers"]}
    assert names == set(ON_REQUEST)
    assert names <= targets


def test_ci_runs_what_runs_always_on_all_cores() -> None:
    lines = (CI / "run").read_text().splitlines()
    assert "make test" in lines
    assert lines.index("make android") > lines.index("make test")
    assert re.search(r"(?m)^PARALLEL := .*-n auto", (REPOSITORY / "Makefile").read_text())


CUT_OFF = "[ERROR] Could not transfer artifact a:b:pom:1 from/to central: Connection refused"
WRONG = "[ERROR] Compilation failure"


@pytest.mark.parametrize(("said", "code"), [(CUT_OFF, 0), (WRONG, 1), (None, 0)])
def test_android_is_skipped_where_maven_is_cut_off_alone(
    said: str | None, code: int, tmp_path: Path
) -> None:
    """What does not compile is no skip."""
    scripts = {
        "java": "echo 'openjdk version \"17.0.15\"' >&2",
        "javac": "true",
        "edgekd": "true",
        "python": "true",
        "mvn": f"echo '{said}'; exit 1" if said else "echo BUILD SUCCESS",
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [CI / "android", tmp_path], env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert ("the runtime for Android is not built" in done.stdout) == (said == CUT_OFF)
    assert ("fill ~/.m2" in done.stdout) == (said == CUT_OFF)


@pytest.mark.parametrize(
    ("said", "code"),
    [("npm error code ENOTFOUND", 0), ("npm error code EUSAGE", 1), (None, 0)],
)
def test_the_page_is_skipped_where_npm_is_cut_off_alone(
    said: str | None, code: int, tmp_path: Path
) -> None:
    """A lock file that does not fit is no skip."""
    copy, bin_ = tmp_path / "copy", tmp_path / "bin"
    (copy / ".ci").mkdir(parents=True)
    shutil.copy(CI / "browser", copy / ".ci")
    (copy / "targets" / "browser").mkdir(parents=True)
    (copy / "targets" / "browser" / "package-lock.json").write_text("{}")
    (copy / "build" / "browser" / "node_modules").mkdir(parents=True)
    bin_.mkdir()
    refusal = f"[ $1 = ci ] && {{ echo '{said}'; exit 1; }}; " if said else ""
    scripts = {"node": "echo v22.0.0", "npm": f"{refusal}true"}
    scripts |= dict.fromkeys(("edgekd", "python", "chromium"), "true")
    for name, text in scripts.items():
        (bin_ / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (bin_ / name).chmod(0o755)
    done = subprocess.run(
        [copy / ".ci" / "browser", bin_], env=os.environ | {"PATH": f"{bin_}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    skipped = "the runtime for browsers is not built: npm cannot fetch" in done.stdout
    assert skipped == (said == "npm error code ENOTFOUND")
