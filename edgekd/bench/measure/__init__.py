"""What runs on the device: one measurement in one fresh process, a job in, an answer out.

It needs numpy, msgspec, OpenCV and one engine, and of edgekd what a device has anyway: a board gets
this room as plain Python beside the runtime.
"""
