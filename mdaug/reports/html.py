"""A self-contained HTML page: verdicts, text, tables, figures and 3D views in one file that works offline."""

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
from mdaug.reports.molecule import MoleculeView
from mdaug.reports.style import DPI
from mdaug.text import printable
from mdaug.verdicts import Verdict

Cell = str | int | float | None

CSS_PIXELS_PER_INCH = 100
"""Figures are shown in this size, so that their text is as large as that of the page."""


@dataclass(frozen=True)
class Table:
    """Rows under named columns. Floats are shown with four significant digits, None as a dash.

    Parameters
    ----------
    columns
        Headings.
    rows
        One cell for each column.
    caption
        Text above the table.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG file and its caption.

    Parameters
    ----------
    path
        The file; it is copied into the page.
    caption
        Text below the figure, also read out by screen readers.
    wide
        On a narrow screen the figure keeps a readable size and scrolls.
    """

    path: Path
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A heading with text, figures, 3D views and tables, in this order.

    Parameters
    ----------
    title
        Heading.
    text
        Plain text; blank lines separate paragraphs, `x` is code.
    figures
        PNG files.
    tables
        Shown after the figures.
    listing
        Literal text, such as settings; collapsed until the reader opens it.
    views
        Molecules as rotatable 3D views, shown after the figures.
    """

    title: str
    text: str = ""
    figures: Sequence[Path | Picture] = field(default_factory=list)
    tables: Sequence[Table] = field(default_factory=list)
    listing: str = ""
    views: Sequence[MoleculeView] = field(default_factory=list)


@dataclass(frozen=True)
class Opening:
    """Start of a page: verdicts, summary and next commands.

    Parameters
    ----------
    verdicts
        Shown as a table under the title.
    summary
        Plain text below them; blank lines separate paragraphs.
    next_commands
        Command lines and their purposes.
    """

    verdicts: Sequence[Verdict] = ()
    summary: str = ""
    next_commands: Sequence[tuple[str, str]] = ()


def write_page(
    path: Path | str,
    title: str,
    sections: Sequence[Section],
    *,
    opening: Opening = Opening(),
    footer: str = "",
) -> Path:
    """Write one HTML file with style, script and figures inside, and return its path.

    Parameters
    ----------
    path
        File to write.
    title
        Heading of the page.
    sections
        Content, in order.
    opening
        Verdicts, summary and next commands above the sections.
    footer
        Plain text at the end, such as the command that made the page.
    """
    template = _environment().get_template("page.html.j2")
    page = template.render(
        title=title,
        verdicts=opening.verdicts,
        verdict_table=verdict_table(opening.verdicts),
        summary=opening.summary,
        next_commands=next_lines(opening.next_commands)[1:],
        sections=sections,
        footer=footer,
        version=__version__,
    )
    write_text(path, page)
    return Path(path)


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """Return one row for each verdict: mark, check, measured value, limit and what follows.

    Parameters
    ----------
    verdicts
        In the order in which they are shown.
    """
    rows: list[list[Cell]] = [
        [verdict.mark, verdict.name, _rounded(verdict.value), _rounded(verdict.limit), verdict.text]
        for verdict in verdicts
    ]
    return Table(["", "check", "value", "limit", "meaning"], rows)


def next_lines(commands: Sequence[tuple[str, str]]) -> list[str]:
    """Return the lines that end a command's output: ``next:``, then one command a line with its purpose.

    Parameters
    ----------
    commands
        Pairs of command line and purpose, such as ``("mdaug info", "about the model")``; the purpose may be
        empty.
    """
    width = max((len(command) for command, purpose in commands if purpose), default=0)
    lines = (f"{command:<{width}}  # {purpose}" if purpose else command for command, purpose in commands)
    return ["next:", *(f"  {line}" for line in lines)]


def _rounded(value: float | str | None) -> str:
    """Return a number with three digits as text, for columns that also contain words."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.3g}".replace("-", "\u2212")


def format_cell(value: Cell) -> str:
    """Return the text of a cell: floats with four significant digits, a dash for None.

    Parameters
    ----------
    value
        Text, number or None.
    """
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
        finalize=_printable,
    )
    environment.filters |= {"cell": format_cell, "paragraphs": _paragraphs, "picture": _picture}
    environment.tests["numeric"] = lambda value: isinstance(value, int | float)
    return environment


def _printable(value: Any) -> Any:
    """Replace control characters of user text by escapes, in variables and in text that is already
    escaped."""
    if isinstance(value, Markup):
        return Markup(printable(value))
    return printable(value) if isinstance(value, str) else value


def _paragraphs(text: str) -> list[Markup]:
    parts = [str(escape(part.strip())) for part in text.split("\n\n") if part.strip()]
    return [Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", part)) for part in parts]


def _picture(figure: Path | Picture) -> dict[str, Any]:
    picture = figure if isinstance(figure, Picture) else Picture(figure)
    png = picture.path.read_bytes()
    width = int.from_bytes(png[16:20], "big")  # of the PNG header
    data = base64.b64encode(png).decode("ascii")
    alternative = picture.caption or picture.path.stem.replace("_", " ")
    return {
        "uri": f"data:image/png;base64,{data}",
        "width": round(width * CSS_PIXELS_PER_INCH / DPI),
        "caption": picture.caption,
        "alt": alternative,
        "wide": picture.wide,
    }
