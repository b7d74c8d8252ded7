"""`edgekd serve`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_bundles import write_tiny_bundle
from tiny_page import make_page

from edgekd.cli import main
from edgekd.page import PageServer


def test_it_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    page = make_page(tmp_path / "page")
    words = ["serve", str(bundle), "--page", str(page), "--write", str(tmp_path / "out")]
    assert main(words) == 0
    assert (tmp_path / "out" / "bundle.edgekd").is_file()
    assert "wrote the page" in capsys.readouterr().err


def test_it_serves_until_it_is_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: PageServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "wait", interrupt)
    bundle = write_tiny_bundle(tmp_path / "bundle")
    page = make_page(tmp_path / "page")
    assert main(["serve", str(bundle), "--page", str(page), "--port", "0"]) == 0
    assert "http://127.0.0.1:" in capsys.readouterr().err
