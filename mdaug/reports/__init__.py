"""Results as tables, figures and self-contained HTML pages; nothing is computed here."""
