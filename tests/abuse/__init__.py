"""The runtime under abuse: damaged bundles and images, many threads, many openings, no network.

`make fuzz` runs the whole fuzz and `make abuse` the long tests; the ordinary tests run a part of
each. Everything here needs only the runtime and its engines: the models lie in `models/`.
"""
