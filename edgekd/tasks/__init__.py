"""Tasks that edgekd ships: one folder each, one file a layer (see `edgekd.extensions.tasks`)."""
