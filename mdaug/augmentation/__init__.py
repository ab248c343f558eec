"""Displacements of frames, their energy and force labels, augmented frames."""

from mdaug.augmentation.augment import augment
from mdaug.augmentation.label_rules import LABEL_RULES, LabelRule
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.spring_labels import Labels

__all__ = ["LABEL_RULES", "AugmentOptions", "LabelRule", "Labels", "augment"]
