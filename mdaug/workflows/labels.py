"""Label rules held to a reference."""

from mdaug.analysis.label_errors import LabelCell, LabelErrors, LabelStudy
from mdaug.augmentation import AugmentOptions, LabelRule
from mdaug.augmentation.label_rules import make_rule
from mdaug.frames import FrameSet
from mdaug.springs import SpringOptions, fit_springs
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.labels_draw import StudyFrames
from mdaug.workflows.labels_reference import Reference, beyond_first_order, reference_floor, true_labels


def study_labels(
    study: StudyFrames, rules: dict[str, LabelRule], reference: Reference, *, exact: bool
) -> LabelStudy:
    """Compare the labels of all rules with those of the reference.

    Parameters
    ----------
    rules
        From `make_rules`.
    exact
        It is the data's own level; otherwise its floor is measured between neighbouring test frames.
    """
    floor = 0.0 if exact else reference_floor(study.test, reference)
    cells = []
    for batch in study.batches:
        true = true_labels(batch, study, reference)
        errors = {}
        for rule, label in rules.items():
            labels = label(batch.displaced)
            both = ((true.energy_change, true.forces), (labels.energy_change, labels.forces))
            errors[rule] = LabelErrors.between(rule, *both)
        parents, shift = batch.displaced.parents, batch.displaced.displacements
        off = floor * beyond_first_order(parents.forces, shift, true.energy_change) * KCAL_MOL_PER_EV
        cells.append(LabelCell(batch.kind, batch.epsilon_A, batch.n_displaced, errors, off))
    return LabelStudy(study.train.name, reference.name, exact, cells)


def make_rules(train: FrameSet, names: tuple[str, ...]) -> dict[str, LabelRule]:
    """Make the named rules (``gradient``, ``isotropic:linear``) from the training frames.

    One that falls back to another is left out if that other is there already.
    """
    springs = fit_springs(train, SpringOptions(bootstrap=0))
    rules: dict[str, LabelRule] = {}
    for name in names:
        rule, _, lookup = name.partition(":")
        chosen = {"rule": rule} | ({"lookup": lookup} if lookup else {})
        made = make_rule(train, springs, AugmentOptions.model_validate(chosen))
        rules.setdefault(name if made.name == rule else made.name, made.label)
    return rules
