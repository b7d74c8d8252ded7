"""What edgekd can be extended by: one registry for each kind of thing, edgekd's own and others'.

A task, a backend, a target, a policy, a data source or a method is added by its own files and one
line of its registry here, or from outside through the entry-point group of that registry. Nothing
is imported before it is asked for.
"""
