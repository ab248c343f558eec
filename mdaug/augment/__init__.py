"""Displacements of frames, their energy and force labels, augmented frames."""

from mdaug.augment.frames import augment
from mdaug.augment.labels import Labels
from mdaug.augment.options import AugmentOptions
from mdaug.augment.rules import LABEL_RULES, LabelRule

__all__ = ["LABEL_RULES", "AugmentOptions", "LabelRule", "Labels", "augment"]
