"""The server of examples/server, on a real bundle: in this process, and as its README starts it."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tiny_bundles import ANSWER, REFER, RETAKE, plate, write_tiny_bundle

from edgekd.errors import ArtefactError

pytest.importorskip("fastapi")
testclient = pytest.importorskip("fastapi.testclient")


def png(colour: tuple[int, int, int]) -> bytes:
    return cv2.imencode(".png", plate(colour)[..., ::-1])[1].tobytes()


@pytest.fixture(scope="module")
def application(examples: Path) -> Any:
    spec = importlib.util.spec_from_file_location("server_app", examples / "server" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


@pytest.fixture
def client(application: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("EDGEKD_BUNDLE", str(bundle))
    monkeypatch.setenv("EDGEKD_MAX_UPLOAD", "200000")
    with testclient.TestClient(application) as running:
        yield running


@pytest.mark.parametrize(
    ("colour", "decision", "code"),
    [(ANSWER, "answer", None), (REFER, "refer", "unsure"), (RETAKE, "retake", "dark")],
)
def test_bytes_and_form_get_the_same_decision(
    client: Any, colour: tuple[int, int, int], decision: str, code: str | None
) -> None:
    photo = png(colour)
    raw = client.post("/predict", content=photo)
    form = client.post("/predict", files={"photo": ("a.png", photo, "image/png")}, data={"id": "7"})
    assert (raw.status_code, form.status_code) == (200, 200)
    first, second = ({**answer.json(), "timings_ms": None} for answer in (raw, form))
    assert first == second
    assert first["decision"] == decision
    assert [reason["code"] for reason in first["reasons"]][:1] == ([code] if code else [])
    assert set(first["probabilities"]) == {"bkl", "mel", "nv"}


def test_health_tells_the_bundle_and_its_self_test(client: Any) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    facts = answer.json()
    assert (facts["status"], facts["bundle"], facts["warnings"]) == ("ok", "tiny", [])
    assert facts["selftest"]["passed"] is True
    assert facts["selftest"]["images"] == 4


@pytest.mark.parametrize("content", [b"", b"no image", png(ANSWER)[:60]])
def test_what_is_no_photo_is_422(client: Any, content: bytes) -> None:
    for answer in (
        client.post("/predict", content=content),
        client.post("/predict", files={"photo": ("a.png", content)}),
    ):
        assert answer.status_code == 422
        assert set(answer.json()) == {"message", "hint"}
        assert answer.json()["message"]


def test_a_large_upload_is_413(client: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    photo = cv2.imencode(".png", noise)[1].tobytes()
    assert len(photo) > 200_000
    parts = (photo[start : start + 1000] for start in range(0, len(photo), 1000))
    for answer in (
        client.post("/predict", content=photo),
        client.post("/predict", content=parts),  # its length is not told beforehand
        client.post("/predict", files={"photo": ("a.png", photo)}),
    ):
        assert answer.status_code == 413
        assert "200000" in answer.json()["message"]


def test_a_form_without_a_file_is_400(client: Any) -> None:
    broken = {"content-type": "multipart/form-data"}
    two = [("photo", ("a.png", png(ANSWER))), ("photo", ("b.png", png(ANSWER)))]
    for answer in (
        client.post("/predict", files={"photo": (None, "text")}),
        client.post("/predict", content=b"x", headers=broken),
        client.post("/predict", files=two),
    ):
        assert answer.status_code == 400
        assert "multipart form" in answer.json()["hint"]


def test_a_photo_never_touches_a_disk(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form's file above a megabyte would be spooled to one, which is not there here."""
    client.app.state.max_upload = 4_000_000
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3)).astype(np.uint8)
    photo = cv2.imencode(".png", noise)[1].tobytes()
    assert len(photo) > 1_100_000
    assert client.post("/predict", files={"photo": ("a.png", photo)}).status_code == 200


def test_pages_that_would_load_from_the_internet_are_off(client: Any) -> None:
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404


def test_a_bundle_that_computes_otherwise_is_not_served(
    application: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = write_tiny_bundle(tmp_path / "wrong", wrong_by=1.0)
    monkeypatch.setenv("EDGEKD_BUNDLE", str(wrong))
    with pytest.raises(ArtefactError, match="self-test"), testclient.TestClient(application):
        pass


def test_a_bundle_without_the_signature_that_is_asked_for_is_not_served(
    application: Any, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key = tmp_path / "key.pem"
    key.write_bytes(public.public_bytes(serialization.Encoding.PEM, form))
    monkeypatch.setenv("EDGEKD_BUNDLE", str(bundle))
    monkeypatch.setenv("EDGEKD_PUBLIC_KEY", str(key))
    with pytest.raises(ArtefactError, match="sign"), testclient.TestClient(application):
        pass


def test_it_runs_as_its_readme_says(examples: Path, bundle: Path) -> None:
    pytest.importorskip("uvicorn")
    text = (examples / "server" / "README.md").read_text()
    line = next(line.strip() for line in text.splitlines() if "uvicorn app:app" in line)
    options = line.split("uvicorn ", 1)[1].split()
    port = free_port()
    options[options.index("--port") + 1] = str(port)
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *options],
        cwd=examples / "server",
        env=os.environ | {"EDGEKD_BUNDLE": str(bundle)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", data=png(ANSWER))
        assert b'"decision":"answer"' in answered(request, server)
    finally:
        server.terminate()
        _, said = server.communicate(timeout=30)
    assert "Traceback" not in said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def answered(request: urllib.request.Request, server: subprocess.Popen[str]) -> bytes:
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.URLError:
            if server.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.2)
