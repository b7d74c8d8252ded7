"""Training one stage: its module, optimisers, processes, checkpoints and progress."""
