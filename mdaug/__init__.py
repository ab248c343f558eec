"""From ab-initio MD frames of a molecule to a neural force field that survives MD."""

__version__ = "0.1.0"
