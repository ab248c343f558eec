"""Layout of `mdaug COMMAND --help`: switches without their ``--no-`` forms, one line per section of the
configuration."""

from ast import literal_eval
from contextvars import ContextVar
from typing import Any

from cyclopts import Group
from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel
from rich.console import Console, ConsoleOptions
from rich.padding import Padding
from rich.text import Text

from mdaug.options import PAPER_SETTINGS

HELP_ALL = "--help-all"

show_all: ContextVar[bool] = ContextVar("show_all", default=False)
"""Whether the options of configuration sections are explained (``--help-all``) or only listed."""


class HelpFormatter(DefaultFormatter):
    """The default panels, without ``--no-x`` and ``[default: False]`` for switches that are off, and with
    defaults of switches that are on, and of several values, in the form in which they are typed."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one panel."""
        if str(panel.title) == PAPER_SETTINGS.name and not show_all.get():
            names = "  ".join(entry.positive_names[0] for entry in panel.entries)
            title, line = Text(f"{PAPER_SETTINGS.name} ({HELP_ALL})", "dim"), Text(names, "dim")
            console.print(Padding(title, (1, 1, 0, 1)), Padding(line, (0, 2)))
            return
        super().__call__(console, options, panel.copy(entries=[_tidy(entry) for entry in panel.entries]))


class SectionFormatter(HelpFormatter):
    """One line of keys for a section of the configuration, or with ``--help-all`` its full panel."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one section."""
        if show_all.get():
            super().__call__(console, options, panel)
            return
        section, keys = "", []
        for entry in panel.entries:
            section, _, key = entry.positive_names[0].partition(".")
            keys.append(key)
        line = Text.assemble((f"{section}.", "cyan"), "KEY  ", (" ".join(keys), "dim"))
        console.print(Padding(line, (0, 2)))


def section(title: str, order: int) -> Group:
    """Return the help group of a section of the configuration.

    Parameters
    ----------
    title
        Heading of the group with ``--help-all``.
    order
        Place among the sections, from 0.
    """
    return Group(title, sort_key=100 + order, help_formatter=SectionFormatter())


def _tidy(entry: HelpEntry) -> HelpEntry:
    changes: dict[str, Any] = {}
    if entry.default in ("False", "()"):
        changes = {"default": None, "negative_names": ()}
    elif entry.default == "True":
        changes = {"default": entry.positive_names[0]}
    elif entry.default and entry.default[0] in "([":
        changes = {"default": " ".join(map(str, literal_eval(entry.default)))}
    return entry.copy(**changes)
