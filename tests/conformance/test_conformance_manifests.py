"""Manifests of the vectors."""

from __future__ import annotations

import pytest

from edgekd.bundle import Bundle
from edgekd.conformance.manifests import FILES, bundle_of, changed, manifest_bundles, manifest_of
from edgekd.errors import ArtefactError


def test_the_smallest_manifest_opens_and_a_changed_one_may_not() -> None:
    with Bundle.open(bundle_of(manifest_of()).content) as bundle:
        assert set(bundle.manifest.files) == set(FILES)
    with pytest.raises(ArtefactError, match="colour must be RGB"):
        Bundle.open(bundle_of(changed("model", colour="BGR")).content)


def test_a_change_of_a_section_leaves_the_others() -> None:
    one, other = manifest_of(), changed("model", name="large")
    assert {key for key in one if one[key] != other[key]} == {"model"}
    assert other["model"]["classes"] == one["model"]["classes"]


@pytest.mark.parametrize("name", manifest_bundles())
def test_what_begins_alike_is_said_where_it_is_needed(name: str) -> None:
    """A manifest with a `start` is refused with it; `refusal_of` raises where it is not."""
    made = manifest_bundles()[name]
    if made.start:
        with pytest.raises(ArtefactError) as caught:
            Bundle.open(made.content)
        assert caught.value.message.startswith(made.start)
