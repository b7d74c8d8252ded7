"""Reports of results: terminal, Markdown, CSV, a picture, and an HTML page."""

from edgekd.bench.report.gallery import GalleryItem, Resolver, images_below
from edgekd.bench.report.markdown import write_markdown
from edgekd.bench.report.page import check_page, write_page
from edgekd.bench.report.pareto import check_picture, write_pareto
from edgekd.bench.report.spreadsheet import COLUMNS, write_csv
from edgekd.bench.report.table import print_table

__all__ = [
    "COLUMNS",
    "GalleryItem",
    "Resolver",
    "check_page",
    "check_picture",
    "images_below",
    "print_table",
    "write_csv",
    "write_markdown",
    "write_page",
    "write_pareto",
]
