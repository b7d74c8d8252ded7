"""Processes of their own: converters that write files, engines that run them."""
