"""The registries of extensions: edgekd's own, and those of third parties.

A task, backend, data source or method of edgekd's own has files of its own and one line in its
registry here; a target or a policy has its file alone. Third parties add theirs through the
entry-point group of the registry. An extension is imported when it is used.
"""
