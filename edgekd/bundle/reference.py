"""The float student that a bundle carries beside its model file, for `edgekd certify`.

Its files are in the folder `reference`, see `edgekd.bundle.beside`.
"""

from __future__ import annotations

from edgekd.bundle.beside import files_beside, model_beside
from edgekd.bundle.model_files import ModelFiles
from edgekd.bundle.reader import Bundle

__all__ = ["REFERENCE", "read_reference", "reference_files"]

REFERENCE = "reference"
"""Name of the folder."""


def read_reference(bundle: Bundle) -> ModelFiles | None:
    """The float student's files, in memory; None where the bundle does not have them.

    Raises:
        ArtefactError: They are not those that the manifest names.
    """
    record = bundle.manifest.reference
    if record is None:
        return None
    owner = "the files of its float student"
    return model_beside(bundle, REFERENCE, record.model_file, record.files, owner)


def reference_files(bundle: Bundle) -> dict[str, bytes]:
    """Content of each file of the float student by its name in the bundle; empty without one.

    Raises:
        ArtefactError: A file is missing beside others that are there, or is not the one that the
            manifest names.
    """
    record = bundle.manifest.reference
    return {} if record is None else files_beside(bundle, REFERENCE, record.files)
