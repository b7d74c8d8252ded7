"""Training several methods on the same images, and the comparison of their students."""
