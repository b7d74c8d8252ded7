"""TensorRT on the device: the session, and what an engine file is bound to.

`session` opens engines, `run` executes one, `environment` and `sidecar` hold which machine an
engine belongs to, `logger` keeps TensorRT's messages. What the host does is
`edgekd.lower.backends.tensorrt`, what `edgekd doctor` reports is `edgekd.doctor.tensorrt`.
"""
