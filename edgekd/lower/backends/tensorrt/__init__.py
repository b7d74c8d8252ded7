"""TensorRT on the host, and building an engine on the device.

`lowering` writes the ONNX, `lint` and `check` check it by TensorRT's rules and its builder,
`job` and `finish` build and gate the engine on the device, `one_op` is the smallest engine that
proves that TensorRT works. The session is in `edgekd.runtime.sessions.tensorrt`.
"""
