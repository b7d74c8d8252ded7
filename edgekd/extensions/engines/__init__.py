"""Descriptors of edgekd's own backends, one file each; see `edgekd.extensions.backends`."""
