"""Both files of a dossier, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from dossier_facts import facts_of

from edgekd.dossier.chapters import chapters, open_items
from edgekd.dossier.document import dossier_markdown, title_of, write_dossier
from edgekd.errors import InputError


def test_open_items_come_first_and_are_counted(tmp_path: Path) -> None:
    facts = facts_of()
    count = write_dossier(tmp_path / "out", facts)
    card = (tmp_path / "out" / "card.md").read_text(encoding="utf-8")
    assert count == len(open_items(chapters(facts)))
    assert f"{count} items are open" in card
    assert card.index("## Open items") < card.index("## 1. Intended use")
    assert (tmp_path / "out" / "dossier.html").read_text().startswith("<!doctype html>")


def test_the_products_name_is_the_title() -> None:
    assert title_of(facts_of()) == "tiny for cpu, fp32"
    named = facts_of({"device.name": ("Lens 2",)})
    assert title_of(named) == "Lens 2"
    assert dossier_markdown(named, chapters(named)).startswith("# Dossier: Lens 2\n")


def test_a_bundles_own_card_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="must stay as it was hashed"):
        write_dossier(tmp_path, facts_of())
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
