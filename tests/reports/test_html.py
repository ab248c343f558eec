"""Pages are one file each: nothing is fetched, and what users gave is shown as text."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from ase.build import molecule

from mdaug.reports.html import Opening, Picture, Section, Table, format_cell, next_lines, write_page
from mdaug.reports.molecule import MoleculeView
from mdaug.reports.style import new_figure, save
from mdaug.verdicts import Verdict


class Page(HTMLParser):
    """What a browser would fetch, and whether every element is closed."""

    VOID = ("meta", "link", "img", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path):
    figure, axes = new_figure()
    axes.plot([0, 1], [1, 0])
    png = save(figure, tmp_path / "line.png")
    sections = [
        Section("Springs", "one\n\ntwo <script>", [png, Picture(png, "falls & rises")]),
        Section("Accuracy", tables=[Table(["set", "MAE"], [["raw", -0.123456], ["none", None]], "errors")]),
        Section("Settings", "from `config.toml`", listing="[model]\ncutoff = 5 # <Å>\n"),
    ]
    water = molecule("H2O")
    view = MoleculeView([water, water], np.array([[0, 1], [0, 2]]), caption="water <3D>")
    sections.append(Section("Molecule", views=[view]))
    opening = Opening(
        [Verdict("drift", "cannot tell", -0.00123, 0.001, "1 ps < 10 ps: too short to tell.")],
        "in short",
        [("mdaug info <model>", "what it is")],
    )
    path = write_page(tmp_path / "report.html", "A <report>", sections, opening=opening)
    png.unlink()
    return path.read_text(encoding="utf-8")


def test_the_page_fetches_nothing(page):
    parsed = Page(page)
    assert parsed.open == []
    assert len([address for address in parsed.addresses if address.startswith("data:image/png;base64,")]) == 2
    assert all(address.startswith(("data:", "#")) for address in parsed.addresses)
    assert "@import" not in page
    assert not re.search(r"url\(", page)


def test_text_is_escaped_and_parted_in_paragraphs(page):
    assert "<p>one</p>" in page
    assert "<p>two &lt;script&gt;</p>" in page
    assert "<title>A &lt;report&gt;</title>" in page
    assert "falls &amp; rises</figcaption>" in page


def test_the_page_opens_with_its_verdicts_and_the_next_commands(page):
    head = page[: page.index("<main>")]
    row = re.search(r'<tr class="cannot-tell">(.*?)</tr>', head, re.DOTALL)[1]
    assert [cell.strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] == [
        "?",
        "drift",
        "\u22120.00123",
        "0.001",
        "1 ps &lt; 10 ps: too short to tell.",
    ]
    assert "  mdaug info &lt;model&gt;  # what it is" in head
    assert head.index("<table") < head.index("in short") < head.index("mdaug info")


def test_a_view_in_3d_needs_nothing_from_elsewhere(page):
    data = re.search(r'data-molecule="([^"]*)"', page)[1]
    assert "&#34;labels&#34;:[&#34;O0&#34;,&#34;H1&#34;,&#34;H2&#34;]" in data
    assert '<input type="range" min="0" max="1"' in page
    script = page[page.index("<script>") :]
    assert "canvas.molecule" in script and "import" not in script


def test_next_commands_stand_in_one_column():
    assert next_lines([("a", "one"), ("abc", "two")]) == ["next:", "  a    # one", "  abc  # two"]
    assert next_lines([("a", ""), ("b", "two")]) == ["next:", "  a", "  b  # two"]


def test_listings_are_folded_and_kept_line_by_line(page):
    assert "<code>config.toml</code>" in page
    assert "<pre>[model]\ncutoff = 5 # &lt;Å&gt;\n</pre></details>" in page


def test_tables_and_contents_are_there(page):
    assert '<td class="number">\u22120.1235</td>' in page
    assert '<a href="#section-2">Accuracy</a>' in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (12, "12"), (0.00012345, "0.0001234"), (-1.0, "\u22121"), ("x-y", "x-y")],
)
def test_cells(value, shown):
    assert format_cell(value) == shown
