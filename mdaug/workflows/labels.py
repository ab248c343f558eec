"""Errors of label rules against a reference: label the displaced frames of a study, and compare."""

from pathlib import Path

import numpy as np

from mdaug.analysis.label_errors import LabelCell, LabelErrors, LabelStudy
from mdaug.augmentation import AugmentOptions, LabelRule, Labels
from mdaug.augmentation.force_matching.force_matched_rule import similar_frames
from mdaug.augmentation.label_rules import make_rule
from mdaug.data import write_extxyz
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FloatArray, FrameSet
from mdaug.quantum.calculators import charged_calculator
from mdaug.reports.labels import save_labels_figure
from mdaug.springs import SpringOptions, fit_springs
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.label_reference import Reference, calculated_reference, read_reference
from mdaug.workflows.label_study import Batch, StudyFrames, draw_study
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.settings.workflow_options import LabelStudyOptions


def compare_labels(
    frames: FrameSet,
    options: LabelStudyOptions,
    folder: Path,
    *,
    calculator: str,
    reference: Path | None = None,
    progress: Progress = ignore,
) -> LabelStudy:
    """Compare label rules with a reference; write labels.json, labels.png and, by a calculator, frames.xyz.

    Parameters
    ----------
    frames
        Split into training frames, for the rules, and test frames, which are displaced.
    options
        Label rules and displacements.
    folder
        Output folder.
    calculator
        The reference, if there is no file of it.
    reference
        File with the geometries of the study and their energies.
    progress
        Called with the stage and the numbers of geometries done and in all.

    Raises
    ------
    DataError
        If there are too few frames, a rule cannot be made, or the file is not of this study.
    """
    exact = reference is None and frames.level_of_theory == calculator
    study = draw_study(frames, options, stretched=exact)
    if reference is not None:
        true = read_reference(reference, study)
    else:
        made = charged_calculator(calculator, study.test.charge, study.test.multiplicity)
        true = calculated_reference(study, made, calculator, progress)
        write_extxyz(study.as_frames(true.energies, true.forces), folder / "frames.xyz")
    result = study_labels(study, make_rules(study.train, options.rules), true, exact=exact)
    write_json(folder / "labels.json", result.to_json())
    save_labels_figure(result, folder / "labels.png")
    return result


def study_labels(
    study: StudyFrames, rules: dict[str, LabelRule], reference: Reference, *, exact: bool
) -> LabelStudy:
    """Compare the labels of all rules with those of the reference.

    Parameters
    ----------
    study
        From `draw_study`.
    rules
        From `make_rules`.
    reference
        Energies and forces of the geometries of the study.
    exact
        Whether it is the level of theory of the data; otherwise its own error is measured between similar
        test frames.
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
        error = floor * beyond_first_order(parents.forces, shift, true.energy_change) * KCAL_MOL_PER_EV
        cells.append(LabelCell(batch.kind, batch.epsilon_A, batch.n_displaced, errors, error))
    return LabelStudy(study.train.name, reference.name, exact, cells)


def make_rules(train: FrameSet, names: tuple[str, ...]) -> dict[str, LabelRule]:
    """Make label rules from the training frames; leave out a rule that falls back to another rule in the
    list.

    Parameters
    ----------
    train
        The training frames.
    names
        Names of rules, for example ``gradient`` or ``isotropic:linear``.
    """
    springs = fit_springs(train, SpringOptions(bootstrap=0))
    rules: dict[str, LabelRule] = {}
    for name in names:
        rule, _, lookup = name.partition(":")
        options = {"rule": rule} | ({"lookup": lookup} if lookup else {})
        made = make_rule(train, springs, AugmentOptions.model_validate(options))
        rules.setdefault(name if made.name == rule else made.name, made.label)
    return rules


def true_labels(batch: Batch, study: StudyFrames, reference: Reference) -> Labels:
    """Return ΔE (eV) and F' (eV/Å) of a batch by the reference, with the data's own slope at the parents.

    ΔE = E_low(r') − E_low(r) − Σ (F − F_low(r))·Δr, F' = F_low(r') + F − F_low(r)

    Parameters
    ----------
    batch
        One of `study`.
    study
        From `draw_study`.
    reference
        Energies and forces of the geometries of the study.
    """
    own = study.slice_of(batch)
    parents, shift = batch.displaced.parents, batch.displaced.displacements
    residual = parents.forces - reference.forces[batch.parent]
    change = reference.energies[own] - reference.energies[batch.parent]
    return Labels(change - np.sum(residual * shift, axis=(1, 2)), reference.forces[own] + residual)


def reference_floor(test: FrameSet, reference: Reference) -> float:
    """Return the relative error of a reference of another level of theory, between similar test frames.

    Between frames the data's own ΔE is known.

    Parameters
    ----------
    test
        The test frames.
    reference
        Its first entries are those of `test`.

    Returns
    -------
    float
        The rms error of ΔE over the rms change of the energy beyond first order.

    Raises
    ------
    DataError
        If the frames are periodic: one cell cannot be superposed on another.
    """
    if test.periodic:
        raise DataError(
            f"{test.name}: the frames are periodic and the reference is not of their own level of theory, so "
            "its error cannot be measured; give a calculator of that level"
        )
    pairs = similar_frames(test)
    residual = pairs.parents.forces - reference.forces[pairs.parent]
    change = reference.energies[pairs.other] - reference.energies[pairs.parent]
    own = test.energies[pairs.other] - pairs.parents.energies
    error = change - np.sum(residual * pairs.displacements, axis=(1, 2)) - own
    rms = float(np.sqrt(np.nanmean(error**2)))
    return rms / beyond_first_order(pairs.parents.forces, pairs.displacements, own)


def beyond_first_order(forces: FloatArray, shift: FloatArray, change: FloatArray) -> float:
    """Return the rms of ΔE + Σ F·Δr, in the unit of `change`.

    Parameters
    ----------
    forces
        Forces of the parents, (n, n_atoms, 3), eV/Å.
    shift
        Displacements Δr, (n, n_atoms, 3), Å.
    change
        ΔE, (n,), eV.
    """
    return float(np.sqrt(np.nanmean((change + np.sum(forces * shift, axis=(1, 2))) ** 2)))
