"""Change control: two bundles compared, and a verdict by a plan that was made before."""
