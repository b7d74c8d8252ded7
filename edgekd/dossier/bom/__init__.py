"""The bill of material of a bundle: CycloneDX 1.6, with the model's card."""

from edgekd.dossier.bom.document import bill_of_material

__all__ = ["bill_of_material"]
