"""External validation: several models side by side on labelled images that none of them learnt."""
