"""A stand-in for a phone: the device's side of adb's protocol, for Debian's real adb to talk to."""
