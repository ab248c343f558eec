"""MkDocs hook: the READMEs of the repository as pages of the site, what they link to, and links to them."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "examples/README.md": "examples.md",
    "lammps_plugin/README.md": "lammps.md",
    "CONTRIBUTING.md": "contributing.md",
    "CITATION.cff": "CITATION.cff",
}
"""File of the repository -> page or file of the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the READMEs and the citation."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Turn links of the repository into those of the site."""
    for source, page in PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({page}").replace(f"]({source}", f"]({page}")
    return markdown.replace("](docs/", "](").replace("](../docs/", "](")
