"""The page that runs a bundle in a browser: as a folder of static files, or served here."""

from edgekd.page.folder import BUNDLE, page_folder, write_page
from edgekd.page.server import HEADERS, PageServer

__all__ = ["BUNDLE", "HEADERS", "PageServer", "page_folder", "write_page"]
