"""One self-contained page: text, tables and figures in a single file that opens offline anywhere."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mdaug import __version__
from mdaug.files import write_text

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under named columns. Floats are shown with four significant digits, None as a dash."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with plain text (blank lines part paragraphs, `x` is code), figures and tables, in turn.

    `listing` is text as it is in a file, such as settings; it is folded away until asked for.
    """

    title: str
    text: str = ""
    figures: Sequence[Path | Picture] = field(default_factory=list)
    tables: Sequence[Table] = field(default_factory=list)
    listing: str = ""


def write_page(
    path: Path | str, title: str, sections: Sequence[Section], *, summary: str = "", footer: str = ""
) -> Path:
    """Write `sections` under `title` to `path` as one HTML file with style and figures inside.

    Parameters
    ----------
    summary
        Plain text under the title: what a reader in a hurry should know.
    footer
        Plain text at the end, such as the command that made the page.
    """
    template = _environment().get_template("page.html.j2")
    page = template.render(
        title=title, summary=summary, sections=sections, footer=footer, version=__version__
    )
    write_text(path, page)
    return Path(path)


def format_cell(value: Cell) -> str:
    """Return `value` as a reader wants it: floats with four significant digits."""
    if value is None:
        return "–"
    if isinstance(value, bool | int | str):
        return str(value)
    return f"{float(value):.4g}".replace("-", "\u2212")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mdaug.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": format_cell, "paragraphs": _paragraphs, "picture": _picture}
    environment.tests["numeric"] = lambda value: isinstance(value, int | float)
    return environment


def _paragraphs(text: str) -> list[Markup]:
    parts = [str(escape(part.strip())) for part in text.split("\n\n") if part.strip()]
    return [Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", part)) for part in parts]


def _picture(figure: Path | Picture) -> dict[str, Any]:
    picture = figure if isinstance(figure, Picture) else Picture(figure)
    data = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    alternative = picture.caption or picture.path.stem.replace("_", " ")
    return {"uri": f"data:image/png;base64,{data}", "caption": picture.caption, "alt": alternative}
