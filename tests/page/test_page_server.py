"""`edgekd.page.server`: real requests on loopback."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tiny_page import make_page

from edgekd.errors import InputError
from edgekd.page import HEADERS, PageServer


def test_files_come_with_the_headers(tmp_path: Path) -> None:
    make_page(tmp_path / "page")
    with PageServer(tmp_path / "page") as server:
        assert server.url.startswith("http://127.0.0.1:")
        for path, kind in (("", "text/html"), ("sw.js", "text/javascript"),
                           ("litert/engine.wasm", "application/wasm")):  # fmt: skip
            with urllib.request.urlopen(server.url + path, timeout=30) as answer:
                assert answer.headers.get_content_type() == kind
                assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("path", ["litert/", "none.js", "../secret", "%2e%2e/secret"])
def test_nothing_else_is_served(tmp_path: Path, path: str) -> None:
    make_page(tmp_path / "page")
    (tmp_path / "secret").write_text("secret")
    with PageServer(tmp_path / "page") as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(server.url + path, timeout=30)
        with caught.value as error:
            assert error.code == 404


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with PageServer(make_page(tmp_path / "page")) as server:
        port = int(server.url.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(InputError, match="cannot listen"):
            PageServer(tmp_path / "page", port=port)


def test_scripts_run_without_eval() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "'unsafe-eval'" not in policy
    assert "'unsafe-inline'" not in policy
    assert "http" not in policy


def test_a_browser_that_ends_a_request_is_not_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (make_page(tmp_path / "page") / "large.bin").write_bytes(bytes(50_000_000))
    with PageServer(tmp_path / "page") as server:
        port = int(server.url.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.sendall(b"GET /large.bin HTTP/1.0\r\n\r\n")
            link.recv(10)
    assert capsys.readouterr().err == ""
