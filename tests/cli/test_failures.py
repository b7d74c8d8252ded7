"""Errors of the system and of libraries, as a user is told of them."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
import yaml

from edgekd import cli
from edgekd.cli import main
from edgekd.cli.failures import explained
from edgekd.errors import ArtefactError
from edgekd.runtime import Classifier


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error

    return fail


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def of_msgspec() -> Exception:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(b"{")
    return caught.value


def of_yaml() -> Exception:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.safe_load("{")
    return caught.value


def of_the_system(code: int, name: str | None = None) -> OSError:
    return OSError(code, os.strerror(code), name)


def not_installed(name: str) -> ImportError:
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


TOLD = [
    (of_the_system(errno.ENOSPC, "run/x"), 2, "run/x: No space left", "make room"),
    (of_the_system(errno.EDQUOT, "run/x"), 2, "run/x: Disk quota", "make room"),
    (of_the_system(errno.EFBIG), 2, "File too large", "make room"),
    (RuntimeError("Io(Os { code: 28, message: No space left on device })"), 2, "No space", "room"),
    (caused(RuntimeError("write failed"), of_the_system(errno.ENOSPC)), 2, "No space", "room"),
    (of_the_system(errno.EACCES, "photo"), 2, "photo: Permission denied", "permissions"),
    (of_the_system(errno.EROFS, "run"), 2, "run: Read-only", "another place"),
    (of_the_system(errno.EMFILE), 2, "Too many open files", "ulimit"),
    (of_the_system(errno.EIO, "x"), 2, "x: Input/output error", "EDGEKD_DEBUG"),
    (OSError("libcudart.so.12: cannot open shared object file"), 2, "libcudart", "EDGEKD_DEBUG"),
    (MemoryError(), 2, "too little memory to run `edgekd verify`", "end other programs"),
    (RuntimeError("CUDA out of memory. Tried to allocate"), 2, "too little memory", "batches"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2, "UTF-8", "save it"),
    (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates"), 2, "cannot be written", "rename"),
    (of_msgspec(), 2, "cannot be read", "correct it"),
    (of_yaml(), 2, "cannot be read", "correct it"),
    (not_installed("torch"), 3, "torch is not installed", "pip install 'edgekd[distill]'"),
    (not_installed("litert_torch.x"), 3, "litert-torch is", "pip install 'edgekd[lower]'"),
    (not_installed("sklearn"), 3, "scikit-learn is not", "pip install 'edgekd[distill]'"),
    (not_installed("yaml"), 3, "pyyaml is not", "pip install 'edgekd[distill]'"),
    (not_installed("jinja2"), 3, "jinja2 is not", "pip install 'edgekd[report]'"),
    (not_installed("sympy"), 3, "sympy is not", "pip install sympy"),
    (ImportError("libGL.so.1: no such file", name="cv2"), 3, "does not import", "install it again"),
    (caused(RuntimeError("x"), ArtefactError("it is cut", "copy it")), 6, "it is cut", "copy it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code", "message", "hint"),
    TOLD,
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_it_is_told_in_two_lines(
    error: BaseException,
    code: int,
    message: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Classifier, "open", raising(error))
    assert main(["verify", str(tmp_path)]) == code
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second.startswith("       ")
    assert hint in second


def test_pytorchs_word_for_a_full_disk() -> None:
    torch = pytest.importorskip("torch", reason="install edgekd[distill]")
    with pytest.raises(RuntimeError) as caught:
        torch.save({"weights": torch.zeros(1 << 20)}, "/dev/full")
    told = explained(caught.value, "train")
    assert told is not None
    assert "disk may be full" in told.message
    assert "make room" in told.hint


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division by zero"),
        KeyError("x"),
        ImportError("cannot import name 'x'", name="edgekd.files"),
        not_installed("edgekd.new"),
    ],
    ids=repr,
)
def test_a_mistake_of_ours_keeps_its_traceback(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "open", raising(error))
    with pytest.raises(type(error)):
        main(["verify", str(tmp_path)])


def test_debug_shows_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Classifier, "open", raising(of_the_system(errno.EIO)))
    monkeypatch.setenv("EDGEKD_DEBUG", "1")
    assert main(["verify", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-2].startswith("error: ")


def test_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Classifier, "open", raising(KeyboardInterrupt()))
    assert main(["verify", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


TYPOS = [
    ["train", "demo", "--set", "method.name=ssdkd"],
    ["distill", "demo", "--set", "method.name=ssdkd"],
    ["compare", "demo", "--set", "method.name=ssdkd"],
    ["distill", "demo", "--set", "data.source=foldr"],
    ["distill", "demo", "--set", "data.imagess=3"],
    ["distill", "demo", "--set", "student.fit.epoch=3"],
    ["train", "dmo"],
    ["compare", "demo", "--seeds", "1,1"],
    ["compare", "demo", "--folds", "1"],
]


@pytest.mark.parametrize("words", TYPOS, ids=" ".join)
def test_a_typo_is_told_before_torch_is_imported(words: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import json, sys; from edgekd.cli import main; code = main(sys.argv[1:]);"
        "print(json.dumps([code, sorted({'torch', 'lightning', 'timm'} & set(sys.modules))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--out", str(out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout) == [2, []], done.stderr
    assert not out.exists()
    assert len(done.stderr.splitlines()) == 2


def test_every_verb_looks_at_its_places_first() -> None:
    for command in cli.app.registered_commands:
        assert hasattr(command.callback, "__wrapped__"), command.name
