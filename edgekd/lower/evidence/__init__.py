"""Evidence: the gate, the ladder, the decision, and what the bundle tells of them."""
