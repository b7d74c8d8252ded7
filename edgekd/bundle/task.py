"""The manifest layer of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import msgspec

from edgekd.extensions.tasks import load_layer

if TYPE_CHECKING:
    from edgekd.bundle.manifest import ModelInfo

__all__ = ["ManifestTask", "manifest_task"]


class ManifestTask(ABC):
    """The manifest layer of a task: its section `decision`."""

    Decision: type[msgspec.Struct]
    """How outputs become a decision: a frozen struct. A field that was not fitted is null."""

    @abstractmethod
    def check(self, model: ModelInfo, decision: Any) -> str:
        """Contradictions in the decision's section, joined by "; "; empty where there is none.

        Args:
            model: The network that the decision belongs to.
            decision: An instance of `Decision`.
        """


def manifest_task(name: str) -> ManifestTask:
    """The manifest layer of a task; see `load_layer` for errors."""
    layer: ManifestTask = load_layer(name, "manifest", ManifestTask)
    return layer
