"""Large libraries do not bring along what is not used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from edgekd.hidden_modules import without_modules


def test_a_hidden_module_cannot_be_imported_in_the_block_and_can_after_it() -> None:
    sys.modules.pop("this", None)
    with without_modules("antigravity_of_edgekd", "json"):
        assert sys.modules["antigravity_of_edgekd"] is None
        import_module("json")  # which is imported already
        with pytest.raises(ModuleNotFoundError):
            import_module("antigravity_of_edgekd")
    assert "antigravity_of_edgekd" not in sys.modules
    assert sys.modules["json"] is not None


def test_an_error_in_the_block_leaves_nothing_hidden() -> None:
    with pytest.raises(ValueError, match="stop"), without_modules("antigravity_of_edgekd"):
        raise ValueError("stop")
    assert "antigravity_of_edgekd" not in sys.modules


@pytest.mark.slow
def test_a_logger_is_not_loaded_with_networks() -> None:
    """It takes a second of each process; where it is not installed, this holds by itself."""
    pytest.importorskip("wandb", reason="wandb is not installed: edgekd[dev] brings it")
    program = "import sys, edgekd.models.network; print('wandb' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]
