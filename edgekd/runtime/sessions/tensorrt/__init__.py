"""TensorRT on the device: the session, and the machine that an engine file is bound to.

`session` opens engines, `run` executes one, `environment` and `sidecar` describe the machine of an
engine, `logger` keeps TensorRT's messages. The host's part is `edgekd.lower.backends.tensorrt`,
that of `edgekd doctor` is `edgekd.doctor.tensorrt`.
"""
