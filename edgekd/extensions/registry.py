"""Names and the objects they stand for: edgekd's own, and those of entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.errors import ArtefactError, InputError, MissingDependencyError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry"]


def _accept_all(candidate: object) -> bool:
    del candidate
    return True


@dataclass(frozen=True)
class Registry:
    """All extensions of one kind, by name.

    Attributes:
        kind: Noun for messages: `backend`, `task`.
        group: Entry-point group through which third parties add theirs.
        built_in: edgekd's own by name, each as `module:attribute`, as `module`, or as the path of
            a file or folder.
        extra: The extra of edgekd to install where a third party's extension lacks a package.
    """

    kind: str
    group: str
    built_in: Mapping[str, str | Path]
    extra: str = "all"

    def names(self) -> list[str]:
        """All names, edgekd's own first; nothing is imported."""
        return list(dict.fromkeys((*self.built_in, *self._foreign())))

    def __contains__(self, name: object) -> bool:
        """Whether an extension has this name, whether it loads or not."""
        return name in self.built_in or name in self._foreign()

    def owner(self, name: str) -> str:
        """Distribution and version that provide an extension; "" for edgekd's own."""
        if name in self.built_in or name not in self._foreign():
            return ""
        entry = self._foreign()[name]
        return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value

    def owners(self) -> dict[str, str]:
        """Distribution and version of every third-party extension, by name."""
        return {name: self.owner(name) for name in self._foreign() if name not in self.built_in}

    def module(self, name: str) -> str:
        """Module that provides an extension, without importing it.

        Raises:
            InputError: There is no extension of that name.
        """
        self.check(name)
        place = self.built_in[name] if name in self.built_in else self._foreign()[name].value
        return str(place).partition(":")[0]

    def check(self, name: str) -> None:
        """Refuse an unknown name.

        Raises:
            InputError: There is no extension of that name; the hint has the nearest name and all
                known ones.
        """
        if name in self:
            return
        known = self.names()
        import difflib  # only where a name is wrong: devices start without it

        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no {self.kind} {name!r}", f"{hint}known: {', '.join(known)}")

    def load(self, name: str, accept: Callable[[Any], bool] = _accept_all) -> Any:
        """The object of an extension.

        Args:
            name: Name of the extension.
            accept: Whether a third party's object is of the right kind.

        Raises:
            InputError: There is no extension of that name.
            MissingDependencyError: A third party's extension lacks a package that it imports.
            ArtefactError: A third party's extension cannot be loaded, or is not accepted.
        """
        self.check(name)
        if name in self.built_in:
            place = self.built_in[name]
            return place if isinstance(place, Path) else _object_at(place)
        entry = self._foreign()[name]
        return self._load_foreign(name, f"the {self.kind} {name}", entry.load, accept)

    def load_part(
        self, name: str, part: str, place: str, accept: Callable[[Any], bool] = _accept_all
    ) -> Any:
        """An object that the descriptor of an extension refers to.

        Args:
            name: Name of the extension.
            part: What the object is, for messages: `session`.
            place: Where it is, as `module:attribute`.
            accept: Whether a third party's object is of the right kind.

        Raises:
            MissingDependencyError, ArtefactError: As for `load`.
        """
        if name in self.built_in:
            return _object_at(place)
        subject = f"the {part} of the {self.kind} {name}"
        return self._load_foreign(name, subject, lambda: _object_at(place), accept)

    def _load_foreign(
        self, name: str, subject: str, load: Callable[[], Any], accept: Callable[[Any], bool]
    ) -> Any:
        """Load third-party code; every error of it names the distribution."""
        owner = self.owner(name)
        hint = f"install another version of {owner.split()[0]}, or uninstall it"
        try:
            loaded = load()
            accepted = accept(loaded)
        except ImportError as error:
            message = f"{subject} of {owner} does not import: {error}"
            raise MissingDependencyError(
                error.name or owner, self.extra, f"load a {self.kind}", message=message, hint=hint
            ) from error
        except Exception as error:
            message = f"{subject} of {owner} cannot be loaded: {error!r}"
            raise ArtefactError(message, hint) from error
        if not accepted:
            kind = type(loaded).__name__
            raise ArtefactError(f"{subject} of {owner} is a {kind}, which it cannot be", hint)
        return loaded

    def _foreign(self) -> dict[str, EntryPoint]:
        # Imported here: it takes 6 ms of a device's start, and most use edgekd's own alone.
        from importlib.metadata import entry_points

        return {entry.name: entry for entry in entry_points(group=self.group)}


def _object_at(place: str) -> Any:
    """The object at `module:attribute`, or the module itself."""
    module, _, attribute = place.partition(":")
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded
