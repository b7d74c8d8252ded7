"""The code that runs on the device: one measurement in one fresh process, a job in, an answer out.

It needs numpy, msgspec, OpenCV, one engine, and the device side of edgekd: a board gets this
package as plain Python together with the runtime.
"""
