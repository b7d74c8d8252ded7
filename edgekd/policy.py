"""Policies: what a domain demands of a student and its files, whatever the device.

A policy is a TOML file: edgekd's own in `edgekd/policies/`, third parties' through entry points of
the group `edgekd.policies` (each a path of such a file), or a file of the user's. A recipe names
one, checkpoint and bundle remember it whole, and the command line may tighten it.
"""
