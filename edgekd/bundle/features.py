"""The student's features that a bundle carries beside its model file, for `edgekd enrol`.

Their files are in the folder `features`, see `edgekd.bundle.beside`.
"""

from __future__ import annotations

from edgekd.bundle.beside import files_beside, model_beside
from edgekd.bundle.model_files import ModelFiles
from edgekd.bundle.reader import Bundle

__all__ = ["FEATURES", "features_files", "read_features"]

FEATURES = "features"
"""Name of the folder."""


def read_features(bundle: Bundle) -> ModelFiles | None:
    """The files of the features, self-test vectors among them, in memory.

    Returns:
        None where the bundle does not have them.

    Raises:
        ArtefactError: They are not those that the manifest names.
    """
    record = bundle.manifest.features
    if record is None:
        return None
    owner = "the files of its features"
    return model_beside(bundle, FEATURES, record.model_file, record.files, owner)


def features_files(bundle: Bundle) -> dict[str, bytes]:
    """Content of each file of the features by its name in the bundle; empty without any.

    Raises:
        ArtefactError: A file is missing beside others that are there, or is not the one that the
            manifest names.
    """
    record = bundle.manifest.features
    return {} if record is None else files_beside(bundle, FEATURES, record.files)
