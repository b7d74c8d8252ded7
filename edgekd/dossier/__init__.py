"""The dossier: documents about a bundle, for those who sign for it."""
