"""One extension of edgekd of each kind."""
