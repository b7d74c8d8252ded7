"""The result for people: a table for the terminal, a page for the one who signs off."""

from edgekd.bench.report.page import GalleryItem, write_page
from edgekd.bench.report.table import print_table

__all__ = ["GalleryItem", "print_table", "write_page"]
