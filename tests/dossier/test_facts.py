"""What a dossier knows by itself, and which validation is one of the bundle."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from dossier_facts import DATA, external, facts_of
from scripted import mixed
from tiny_bundles import write_tiny_bundle

from edgekd.bundle import Bundle
from edgekd.dossier.facts import DossierFacts, external_facts
from edgekd.errors import InputError


def test_attributes_by_what_they_say() -> None:
    facts = facts_of()
    assert facts.of_people == ["sex"]
    assert facts.of_reference == ["dx_type"]
    assert facts.of_acquisition == ["camera"]
    assert facts.evidence == {"manifest", "people", "reference"}
    assert facts_of(data=None).evidence == {"manifest"}
    bare = msgspec.structs.replace(DATA, parts={})
    assert facts_of(data=bare).evidence == {"manifest"}


def test_a_validation_on_images_that_are_not_known_to_be_new_is_none() -> None:
    assert "validation" in facts_of(external=external()).evidence
    assert "subgroups" in facts_of(external=external()).evidence
    for state in ("found", "not checked"):
        assert "validation" not in facts_of(external=external(state)).evidence


def test_a_validation_of_this_very_file_alone(tmp_path: Path) -> None:
    result = mixed().result
    with Bundle.open(write_tiny_bundle(tmp_path / "bundle")) as bundle:
        with pytest.raises(InputError, match="other models"):
            external_facts(bundle, result)
        sha256 = bundle.manifest.files["model.onnx"].sha256
        rows = [msgspec.structs.replace(row, sha256=sha256) for row in result.rows[1:2]]
        mine = msgspec.structs.replace(result, rows=[result.rows[0], *rows, result.rows[2]])
        facts = DossierFacts.of(bundle, {}, mine)
        assert facts.external is not None
        assert facts.external.model.name == result.rows[1].name
        with pytest.raises(InputError, match="no external validation"):
            external_facts(bundle, msgspec.structs.replace(result, validation=None))
