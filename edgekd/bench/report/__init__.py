"""The results for people: terminal, Markdown, CSV, a page for the one who signs off."""

from edgekd.bench.report.gallery import GalleryItem, Resolver, images_below
from edgekd.bench.report.markdown import write_markdown
from edgekd.bench.report.page import write_page
from edgekd.bench.report.spreadsheet import COLUMNS, write_csv
from edgekd.bench.report.table import print_table

__all__ = [
    "COLUMNS",
    "GalleryItem",
    "Resolver",
    "images_below",
    "print_table",
    "write_csv",
    "write_markdown",
    "write_page",
]
