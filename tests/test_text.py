"""Text of strangers reaches terminal, figure and page as visible characters and nothing else."""

import io

import matplotlib.pyplot as plt
import pytest
from rich.table import Table as RichTable

from mdaug.reports.html import Section, write_page
from mdaug.reports.style import new_figure, save
from mdaug.reports.terminal import Table, print_table
from mdaug.text import make_console, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ethanol, Å → ΔE = −1.5\n\tε", "ethanol, Å → ΔE = −1.5\n\tε"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\x9b2Jb\x7f\r", "a\\x9b2Jb\\x7f\\x0d"),
        ("\u202exyz.gnp", "\\u202exyz.gnp"),
        ("caf\udce9.xyz", "caf\\udce9.xyz"),
    ],
)
def test_control_characters_become_visible(text, shown):
    assert printable(text) == shown


def test_the_console_prints_names_as_they_are():
    console = make_console()
    console.file = io.StringIO()
    console.print("data[final].xyz :smile: [/] \x1b[31m", soft_wrap=True)
    table = RichTable("[name]")
    table.add_row("run[1]\x1b[2J")
    console.print(table)
    printed = console.file.getvalue()
    assert "data[final].xyz :smile: [/] \\x1b[31m" in printed
    assert "[name]" in printed and "run[1]\\x1b[2J" in printed
    assert "\x1b" not in printed


def test_tables_print_names_as_they_are(capsys):
    print_table(Table(["run[a]"], [["x[final]\x1b[2J"]], caption="of data[final].xyz"))
    printed = capsys.readouterr().out
    assert "run[a]" in printed and "x[final]\\x1b[2J" in printed and "of data[final].xyz" in printed
    assert "\x1b" not in printed


def test_figures_draw_dollars_as_they_are_and_powers_of_ten_as_such(tmp_path):
    figure, ax = new_figure()
    ax.semilogy([1, 2], [1e-3, 1e3], label="a$x_{$")
    ax.set_title("b$y_{$")
    ax.set_xticks([1, 2], ["c$z_{$", "d"])
    ax.text(1, 1, "e$_{$")
    ax.legend()
    save(figure, tmp_path / "figure.png")  # matplotlib would raise ParseFatalException
    figure.canvas.draw()
    assert all(label.get_parse_math() for label in ax.yaxis.get_ticklabels())
    plt.close("all")


def test_pages_hold_no_control_characters(tmp_path):
    name = "caf\udce9\x1b[2J<b>.xyz"
    page = write_page(tmp_path / "page.html", name, [Section(name, f"text of `{name}`", listing=name)])
    text = page.read_text(encoding="utf-8")
    assert "\x1b" not in text and "<b>" not in text
    assert text.count("caf\\udce9\\x1b[2J&lt;b&gt;.xyz") == 5
