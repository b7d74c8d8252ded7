"""The camera loop of `edgekd predict --camera`: frames in, decisions on a screen or on stdout."""
