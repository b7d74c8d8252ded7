"""Names and where to find what they stand for: edgekd's own, and those of entry points."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.errors import ArtefactError, InputError, MissingDependencyError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry"]


@dataclass(frozen=True)
class Registry:
    """The things of one kind that can be asked for by name.

    Attributes:
        kind: What they are, for messages: `backend`, `task`.
        group: Entry-point group through which others add their own.
        own: edgekd's own by name, each as `module:attribute`, or the path of a file or folder that
            is the thing itself.
        extra: The extra of edgekd that usually brings what a third party's lacks.
    """

    kind: str
    group: str
    own: Mapping[str, str | Path]
    extra: str = "all"

    def names(self) -> list[str]:
        """All names, edgekd's own first; nothing is imported."""
        return list(dict.fromkeys((*self.own, *self._foreign())))

    def __contains__(self, name: object) -> bool:
        """Whether there is one of that name, be it loadable or not."""
        return name in self.own or name in self._foreign()

    def owner(self, name: str) -> str:
        """Distribution and version of a third party's, for messages and keys; "" for edgekd's."""
        if name in self.own or name not in self._foreign():
            return ""
        entry = self._foreign()[name]
        return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value

    def owners(self) -> dict[str, str]:
        """Distribution and version of every third party's, by name."""
        return {name: self.owner(name) for name in self._foreign() if name not in self.own}

    def check(self, name: str) -> None:
        """Refuse a name that there is none of.

        Raises:
            InputError: There is none; with the nearest name and all that are known.
        """
        if name in self:
            return
        known = self.names()
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no {self.kind} {name!r}", f"{hint}known: {', '.join(known)}")

    def load(self, name: str, accept: Callable[[Any], bool] = lambda found: True) -> Any:
        """What a name stands for.

        Args:
            name: The name.
            accept: Whether a third party's object is of the right kind.

        Raises:
            InputError: There is none of that name.
            MissingDependencyError: A third party's lacks something that it imports.
            ArtefactError: A third party's cannot be loaded, or is not accepted.
        """
        self.check(name)
        if name in self.own:
            place = self.own[name]
            if isinstance(place, Path):
                return place
            module, attribute = place.split(":")
            return getattr(import_module(module), attribute)
        return self._load_foreign(name, accept)

    def _load_foreign(self, name: str, accept: Callable[[Any], bool]) -> Any:
        """Whatever a third party does wrong is reported as its own."""
        owner = self.owner(name)
        hint = f"install another version of {owner.split()[0]}, or uninstall it"
        try:
            found = self._foreign()[name].load()
            accepted = accept(found)
        except ImportError as error:
            message = f"the {self.kind} {name} of {owner} does not import: {error}"
            raise MissingDependencyError(
                error.name or owner, self.extra, f"load a {self.kind}", message=message, hint=hint
            ) from error
        except Exception as error:
            message = f"the {self.kind} {name} of {owner} cannot be loaded: {error!r}"
            raise ArtefactError(message, hint) from error
        if not accepted:
            message = (
                f"the {self.kind} {name} of {owner} is a {type(found).__name__}, which it cannot be"
            )
            raise ArtefactError(message, hint)
        return found

    def _foreign(self) -> dict[str, EntryPoint]:
        # Imported here: it takes 6 ms of a device's start, and most have edgekd's own alone.
        from importlib.metadata import entry_points

        return {entry.name: entry for entry in entry_points(group=self.group)}
