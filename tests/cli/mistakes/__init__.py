"""Users' mistakes with files and folders, made from the declarations of the verbs' parameters.

A verb that is added to `edgekd.cli.app` is in the table by itself: its parameters say what they
are read or written as (`edgekd.cli.places`). `examples` has a good example of each of those,
`spoils` the ways in which it can be spoilt, `rows` the table. `python -m mistakes` goes through
some rows in a process of its own.
"""
