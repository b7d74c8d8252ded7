"""Search of an architecture by one network that holds all others, with images or without."""
