"""Text of users and foreign files, made safe for output to terminals, figures and pages.

File names, manifests and comment lines may contain escape sequences (which reprogram a terminal), characters
that reverse the direction of text, bytes that are no UTF-8, markup of rich (``[final]``) and mathematics of
matplotlib (``$x_{$``). All output goes through one of these: `make_console` for the terminal,
`mdaug.reports.style.save` for figures, `mdaug.reports.html` for pages.
"""

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = {"Cc", "Cs"}
"""Unicode categories of control characters, and of surrogates, which stand for bytes that are no UTF-8."""

_DIRECTIONAL = frozenset(map(chr, (0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))))
"""Characters that change the direction of text or break lines, so that it reads as another one."""


def print_text(*values: object, sep: str = " ", file: TextIO | None = None) -> None:
    """Print as `print` does, with control characters of each value as escapes, newlines too.

    Parameters
    ----------
    *values
        What is printed; a name with a newline cannot pass for two lines.
    sep
        Between the values.
    file
        Where to [default: standard output].
    """
    print(*(in_one_line(str(value)) for value in values), sep=sep, file=file, flush=True)


def some_of(names: Sequence[str], most: int = 10) -> str:
    """Return names as a list with commas, of many the first ones and the number of the others.

    Parameters
    ----------
    names
        The names.
    most
        Number of names that are all listed.
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def in_one_line(text: str) -> str:
    """Return `text` with control characters as escapes, newlines and tabs too.

    Parameters
    ----------
    text
        Any text.
    """
    return printable(text).replace("\n", "\\x0a").replace("\t", "\\x09")


def printable(text: str) -> str:
    """Return `text` with control characters as escapes (``\\x1b``); newlines and tabs stay.

    Parameters
    ----------
    text
        Any text.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) if _is_unsafe(character) else character for character in text)


def make_console(*, stderr: bool = False, soft_wrap: bool = False) -> "Console":
    """Return a console of rich that prints strings as they are: no markup, emoji or escape sequences.

    Each string that is printed is one line; strings in tables may have more.

    Parameters
    ----------
    stderr
        Whether it writes to standard error.
    soft_wrap
        Whether long lines are left to the terminal.
    """
    from rich.console import Console

    class PlainConsole(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*(in_one_line(o) if isinstance(o, str) else o for o in objects), **options)

        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(printable(text), **options)

    return PlainConsole(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False)


def _is_unsafe(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in _CONTROL or character in _DIRECTIONAL


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
