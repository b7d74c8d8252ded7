"""Evidence: the gate, the precision ladder, the decision, and their records in the bundle."""
