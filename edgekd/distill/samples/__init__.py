"""The images of a run, the kinds of samples that a stage takes, and the batches it receives."""
