"""No engine opens a socket, asks the network for anything, or writes where it was not asked to.

The asynchronous twin is left out: an event loop wakes itself through a pair of sockets of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from abuse.bundles import BACKENDS, how_to_get, installed
from abuse.photos import photos
from abuse.sandbox import supported

TESTS = Path(__file__).resolve().parent.parent
KINDS = ("jpeg", "png", "tiff-lzw", "webp-lossy")

Home = tuple[Path, list[str]]

engines = pytest.mark.parametrize(
    "backend",
    [
        pytest.param(name, marks=pytest.mark.skipif(not installed(name), reason=how_to_get(name)))
        for name in BACKENDS
    ],
)
trap = pytest.mark.skipif(bool(supported()), reason=supported() or "no reason")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A user's home where nothing was ever run, and photos beside it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()
    files = [tmp_path / kind for kind in KINDS]
    for file in files:
        file.write_bytes(photos()[file.name])
    return tmp_path, [str(file) for file in files]


def alone(
    home: Path, *arguments: str, before: tuple[str, ...] = (), **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `abuse.alone` in a home of its own, with none of this process's settings."""
    environment = {
        "HOME": str(home / "home"),
        "TMPDIR": str(home / "temporary"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(TESTS),
        "PYTHONDONTWRITEBYTECODE": "1",
        **settings,
    }
    command = [*before, sys.executable, "-m", "abuse.alone", *arguments]
    return subprocess.run(
        command, env=environment, cwd=home / "home", capture_output=True, text=True, check=False
    )


def written(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@trap
def test_the_trap_kills_whoever_opens_a_socket(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert alone(tmp_path, "free", "socket", "").stdout == "opened a socket\n"
    done = alone(tmp_path, "trapped", "socket", "")
    assert (done.returncode, done.stdout) == (-signal.SIGSYS, "")


@trap
@engines
@pytest.mark.parametrize("form", ["folder", "bytes"])
def test_no_socket_is_opened(backend: str, form: str, home: Home) -> None:
    place, files = home
    done = alone(place, "trapped", backend, form, *files)
    assert done.returncode == 0, f"{signal.Signals(-done.returncode).name}: {done.stderr[-800:]}"
    assert done.stdout.split() == ["answer"] * len(files)


@trap
def test_no_socket_is_opened_for_dicom(home: Home) -> None:
    """pydicom's import brings `requests` where that is installed, and that one opens a socket."""
    pytest.importorskip("pydicom")
    place, _ = home
    (place / "photo.dcm").write_bytes(photos()["dicom-rgb"])
    backend = next(name for name in BACKENDS if installed(name))
    done = alone(place, "trapped", backend, "bytes", str(place / "photo.dcm"))
    assert done.returncode == 0, done.stderr[-800:]
    assert done.stdout == "answer\n"


@engines
def test_answers_in_a_network_namespace_with_nothing(backend: str, home: Home) -> None:
    before = ("unshare", "--map-root-user", "--net")
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(
            "needs user namespaces: sysctl kernel.unprivileged_userns_clone=1, or run as root"
        )
    place, files = home
    done = alone(place, "free", backend, "bytes", *files, before=before)
    assert done.stdout.split() == ["answer"] * len(files), done.stderr[-800:]


def network_calls(home: Path, *arguments: str) -> list[str]:
    """The calls that strace saw, `socket(AF_UNIX, …` and so on."""
    log = home / "calls"
    before = ("strace", "-f", "-e", "trace=network", "-o", str(log))
    if shutil.which("strace") is None or subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("there is no strace that may trace: apt install strace, and allow ptrace")
    done = alone(home, "free", *arguments, before=before)
    assert done.returncode == 0, done.stderr[-800:]
    return re.findall(r"(?m)^\d+ +(\w+\(.*)", log.read_text())


@engines
def test_strace_sees_no_call_to_the_network(backend: str, home: Home) -> None:
    place, files = home
    assert network_calls(place, "socket", "")[0].startswith("socket(AF_UNIX")
    assert network_calls(place, backend, "bytes", *files) == []


@engines
def test_nothing_is_written(backend: str, home: Home) -> None:
    """Engines' telemetry would leave a file with an identity in the user's home."""
    place, files = home
    assert alone(place, "free", backend, "folder", *files).returncode == 0
    assert written(place / "home") == []
    assert written(place / "temporary") == []


@pytest.mark.skipif(not installed("openvino"), reason=how_to_get("openvino"))
@pytest.mark.parametrize("form", ["folder", "bytes"])
def test_what_openvino_compiles_is_kept_in_the_cache_alone(form: str, home: Home) -> None:
    """Where the cache is asked for; a bundle in memory may have been decrypted and leaves none."""
    place, files = home
    done = alone(place, "free", "openvino", form, *files, EDGEKD_OPENVINO_CACHE="1")
    assert done.stdout.split() == ["answer"] * len(files)
    found = written(place / "home")
    assert len(found) == (form == "folder")
    assert all(name.startswith(".cache/edgekd/openvino/") for name in found)
    assert written(place / "temporary") == []
