"""Pages are one file each: nothing is fetched, and what users gave is shown as text."""

import re
from html.parser import HTMLParser

import pytest

from mdaug.reports.html import Picture, Section, Table, format_cell, write_page
from mdaug.reports.style import new_figure, save


class Page(HTMLParser):
    """What a browser would fetch, and whether every element is closed."""

    VOID = ("meta", "link", "img", "br")

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
    path = write_page(tmp_path / "report.html", "A <report>", sections, summary="in short")
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
