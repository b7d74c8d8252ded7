"""The bill of material of a bundle as CycloneDX 1.6 in JSON, checked by the official schema.

cyclonedx-python-lib writes the components; `modelCard`, which it has no model of, is added to its
JSON. The result is validated by the strict schema that the library brings.

Source: CycloneDX 1.6 (ECMA-424), JSON schema.
"""

from __future__ import annotations

import json
import uuid
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edgekd.bundle import Bundle
from edgekd.dossier.bom import components
from edgekd.dossier.bom.model_card import model_card
from edgekd.errors import ArtefactError, MissingDependencyError
from edgekd.files import pretty_json

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom

__all__ = ["bill_of_material", "problem_of"]


def bill_of_material(bundle: Bundle, *, installed: bool = False) -> bytes:
    """The JSON of a bundle's bill of material.

    Args:
        bundle: The opened bundle.
        installed: Take the versions of the runtime that are installed here, where this machine
            is the device.

    Raises:
        ArtefactError: The manifest has a text that CycloneDX does not allow.
        MissingDependencyError: cyclonedx-python-lib or its validation is not installed.
    """
    _require_cyclonedx()
    from cyclonedx.output.json import JsonV1Dot6

    written = json.loads(JsonV1Dot6(_bill(bundle, installed=installed)).output_as_string())
    written["metadata"]["component"]["modelCard"] = model_card(bundle.manifest)
    _add_data(written)
    content = pretty_json(written)
    problem = problem_of(content)
    if problem is not None:
        message = f"the bundle {bundle.label} gives no valid bill of material: {problem}"
        raise ArtefactError(message, "report it with the bundle's manifest.json")
    return content


def problem_of(content: bytes) -> str | None:
    """Where the JSON departs from the strict schema of CycloneDX 1.6; None where it does not."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode())
    if error is None:
        return None
    place = "/".join(str(part) for part in error.data.absolute_path)
    return f"{place}: {error.data.message}"


def _bill(bundle: Bundle, *, installed: bool) -> Bom:
    from cyclonedx.contrib.this.builders import this_component
    from cyclonedx.model.bom import Bom

    manifest, sha256 = bundle.manifest, bundle.sha256
    model, data = components.model(manifest, sha256), components.data_set(manifest)
    runtime = list(components.runtime(manifest, installed=installed))
    files = list(components.files(manifest))
    bill = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, sha256))
    bill.metadata.component = model
    bill.metadata.tools.components.add(this_component())
    bill.components.update([data, *files, *runtime, *components.lowering_tools(manifest)])
    bill.register_dependency(model, [data, *files, *runtime])
    return bill


def _add_data(written: dict[str, Any]) -> None:
    """Describe the data set as one, which the library has no model of either."""
    for component in written["components"]:
        if component["bom-ref"] == components.DATA:
            component["data"] = [{"type": "dataset", "name": component["name"]}]


def _require_cyclonedx() -> None:
    """Raise where the library or its validation, an extra of its own, is not installed."""
    try:
        import cyclonedx.output.json  # noqa: F401
    except ImportError:
        missing = True
    else:
        missing = find_spec("jsonschema") is None
    if missing:
        purpose = "write a bill of material"
        raise MissingDependencyError("cyclonedx-python-lib", "dossier", purpose)
