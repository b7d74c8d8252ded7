"""What the site has besides docs/: results, changelog and notes from elsewhere in the repository.

MkDocs calls these hooks (mkdocs.yml). Pages link to files as they lie in the repository, so that
the same text works there and on the site: a link to a page of the site leads to it, a link to
anything else (sources, a Dockerfile) becomes its name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

REPOSITORY = Path(__file__).resolve().parent.parent
ADDED = ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/results/*.md", "benchmarks/results/*.png",
         "benchmarks/results/*.svg", "benchmarks/study/README.md", "examples/README.md",
         "targets/*/README.md")  # fmt: skip
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and pictures that lie outside docs/, under their paths in the repository."""
    for pattern in ADDED:
        for path in sorted(REPOSITORY.glob(pattern)):
            name = path.relative_to(REPOSITORY).as_posix()
            content = path.read_bytes()
            text = content.decode() if path.suffix == ".md" else content
            files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links of a page lead to pages of the site."""
    source = page.file.src_uri
    of_docs = (Path(config.docs_dir) / source).is_file()
    base = posixpath.dirname(f"docs/{source}" if of_docs else source)

    def replaced(match: re.Match[str]) -> str:
        image, text, target, anchor = match.groups()
        if "://" in target:
            return match[0]
        path = posixpath.normpath(posixpath.join(base, target))
        on_site = path.removeprefix("docs/")
        if files.get_file_from_path(on_site) is None:
            return text
        there = posixpath.relpath(on_site, posixpath.dirname(source) or ".")
        return f"{image}[{text}]({there}{anchor or ''})"

    return LINK.sub(replaced, markdown)
