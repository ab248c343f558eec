"""The tables of reports in a terminal."""

import io

from rich.console import Console

from mdaug.reports.html import Table
from mdaug.reports.terminal import print_next, print_table, print_verdicts
from mdaug.verdicts import Verdict


def test_a_table_is_printed_with_rounded_numbers():
    text = io.StringIO()
    table = Table(["model", "MAE"], [["raw", 0.1234567], ["none", None]], "errors")
    print_table(table, Console(file=text, width=60))
    lines = text.getvalue().splitlines()
    assert any("errors" in line for line in lines)
    assert any(line.split() == ["raw", "0.1235"] for line in lines)
    assert any(line.split() == ["none", "–"] for line in lines)


def test_a_caption_is_as_wide_as_the_terminal_and_not_as_the_table():
    text = io.StringIO()
    print_table(Table(["a"], [[1]], "a caption longer than its table"), Console(file=text, width=60))
    assert text.getvalue().splitlines()[0].strip() == "a caption longer than its table"


def test_verdicts_are_printed_with_mark_value_limit_and_sentence(capsys):
    text = io.StringIO()
    verdicts = [
        Verdict("energy drift", "ok", 0.00012, 0.001, "The energy is conserved."),
        Verdict("survival", "error", 5, 0, "3 of 8 runs lived."),
    ]
    print_verdicts(verdicts, Console(file=text, width=100))
    lines = [line.split() for line in text.getvalue().splitlines()]
    assert ["✓", "energy", "drift", "0.00012", "0.001", "The", "energy", "is", "conserved."] in lines
    assert ["✗", "survival", "5", "0", "3", "of", "8", "runs", "lived."] in lines
    print_next([("mdaug info", "what it is")])
    assert capsys.readouterr().out == "next:\n  mdaug info  # what it is\n"
