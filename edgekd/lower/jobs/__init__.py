"""Jobs in separate processes: converters that write files, engines that run them."""
