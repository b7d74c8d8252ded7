"""What TensorRT asks of a student before and on its device: lint, check, engine, evidence."""
