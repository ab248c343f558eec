"""Displacements of frames, their energy and force labels, augmented frames."""

from mdaug.augment.frames import augment
from mdaug.augment.labels import LABEL_RULES, LabelRule, Labels
from mdaug.augment.options import AugmentOptions

__all__ = ["LABEL_RULES", "AugmentOptions", "LabelRule", "Labels", "augment"]
