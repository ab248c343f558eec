"""Displacements of frames, their energy and force labels, augmented frames."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.augmentation.generate import augment
    from mdaug.augmentation.label_rules import LABEL_RULES, LabelRule
    from mdaug.augmentation.options import AugmentOptions
    from mdaug.augmentation.spring_labels import Labels

__all__ = ["LABEL_RULES", "AugmentOptions", "LabelRule", "Labels", "augment"]

_MODULES = {
    "AugmentOptions": "mdaug.augmentation.options",
    "LABEL_RULES": "mdaug.augmentation.label_rules",
    "LabelRule": "mdaug.augmentation.label_rules",
    "Labels": "mdaug.augmentation.spring_labels",
    "augment": "mdaug.augmentation.generate",
}
__getattr__ = lazy_exports(__name__, _MODULES)
