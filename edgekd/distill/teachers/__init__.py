"""Teachers: one network or several, how their outputs are computed, and where they are kept."""
