"""One run of the harness: reach the device, run every model on every image, and time them."""
