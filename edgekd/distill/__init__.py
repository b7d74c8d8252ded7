"""Training teachers and distilling students."""
