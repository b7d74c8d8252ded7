"""Models that others trained come in: files and folders of other tools become checkpoints."""
