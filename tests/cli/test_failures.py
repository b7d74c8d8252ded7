"""Errors of the system and of libraries, as a user is told of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
import yaml

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
