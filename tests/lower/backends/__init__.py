"""A package, so that this folder is not searched for imports: `tensorrt` here is no TensorRT."""
