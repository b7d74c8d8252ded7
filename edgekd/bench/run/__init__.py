"""One run of the harness: the device is reached, its files answer every image and are timed."""
