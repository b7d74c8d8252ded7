"""The registries of extensions: edgekd's own, and those of third parties.

A task, a backend, a data source or a method is added by its own files and one line of its registry
here; a target or a policy by its file alone. From outside each comes through the entry-point group
of its registry. An extension is imported when it is used.
"""
