"""int8: on which images its ranges are measured, which layers it harms, what is done about it."""
