"""Errors of label rules against a reference: draw displaced frames, label them, compare."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.io import iread

from mdaug.analysis.label_errors import LabelCell, LabelErrors, LabelStudy
from mdaug.augmentation import AugmentOptions, LabelRule, Labels
from mdaug.augmentation.displacements import Displacements, displace, shortest_distances
from mdaug.augmentation.force_matching.force_matched_rule import similar_frames
from mdaug.augmentation.label_rules import make_rule
from mdaug.augmentation.stretches import Stretcher
from mdaug.data import SplitOptions, split_frames, write_extxyz
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.quantum.calculators import calculate_frames, charged_calculator
from mdaug.reports.labels import save_labels_figure
from mdaug.springs import SpringOptions, fit_springs
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.options import LabelStudyOptions
from mdaug.workflows.progress import Progress, ignore

TOLERANCE_A = 1e-4
"""Largest deviation of a geometry in a reference file from that of the study."""


@dataclass(frozen=True)
class Batch:
    """Displaced test frames of one kind.

    Parameters
    ----------
    kind
        ``displacement`` or ``stretch``.
    epsilon_A, n_displaced
        Longest displacement and number of displaced atoms; None for stretched bonds.
    parent
        Shape (n,): indices of the test frames.
    displaced
        The displaced frames.
    """

    kind: str
    epsilon_A: float | None
    n_displaced: int | None
    parent: IntArray
    displaced: Displacements

    @property
    def positions(self) -> FloatArray:
        """Shape (n, n_atoms, 3), Å."""
        return self.displaced.parents.positions + self.displaced.displacements


@dataclass(frozen=True)
class StudyFrames:
    """Rules are made from `train`; parents are the frames of `test`; all batches have the same length."""

    train: FrameSet
    test: FrameSet
    batches: list[Batch]

    @property
    def geometries(self) -> FloatArray:
        """The positions (n, n_atoms, 3) that need a reference: parents, then one of each batch in turn."""
        return self._in_order(self.test.positions, [batch.positions for batch in self.batches])

    def as_frames(self, energies: FloatArray, forces: FloatArray) -> FrameSet:
        """Return those of `geometries` whose energies (eV) and forces (eV/Å) are finite as frames."""
        index = self._in_order(np.arange(len(self.test)), [batch.parent for batch in self.batches])
        frames = replace(self.test.select(index), positions=self.geometries, energies=energies, forces=forces)
        return frames.select(np.flatnonzero(np.isfinite(energies)))

    def slice_of(self, batch: Batch) -> slice:
        """Return which of `geometries` belong to a batch."""
        return slice(len(self.test) + self.batches.index(batch), None, len(self.batches))

    @staticmethod
    def _in_order(of_parents: np.ndarray, of_batches: list[np.ndarray]) -> np.ndarray:
        """Join arrays of parents and batches; the batches alternate, so that an interrupted reference covers
        all of them equally."""
        return np.concatenate([of_parents, *np.stack(of_batches, axis=1)])


class Reference(NamedTuple):
    """Energies (n,) in eV and forces (n, n_atoms, 3) in eV/Å of the geometries of a study; NaN where missing.

    `name` is the level of theory where it is known, otherwise the file.
    """

    name: str
    energies: FloatArray
    forces: FloatArray


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


def draw_study(frames: FrameSet, options: LabelStudyOptions, *, stretched: bool) -> StudyFrames:
    """Split `frames` as `mdaug train` does and draw all displacements of a study.

    Parameters
    ----------
    frames
        At least 20.
    options
        Options of the displacements.
    stretched
        Stretch bonds too, if the options allow it.

    Raises
    ------
    DataError
        If no frame is left for the test, or the displacements cannot be drawn.
    """
    split = split_frames(frames, SplitOptions(seed=options.seed))
    train, test = frames.select(split.train), frames.select(split.test)
    if len(test) < 2:
        raise DataError(f"{frames.name}: {len(test)} test frame(s) of {len(frames)}; give at least 20 frames")
    test = test.select(np.arange(min(len(test), options.n_parents or len(test))))
    rng = np.random.default_rng(options.seed)
    batches = []
    for epsilon in options.epsilons:
        for n in options.n_displaced or (1, frames.n_atoms):
            draw = AugmentOptions(epsilon=epsilon, n_displaced=n)
            parent = _parents(len(test), options.n_frames, rng)
            displaced = displace(test.select(parent), shortest_distances(train, draw), draw, rng)
            batches.append(Batch("displacement", epsilon, n, parent, displaced))
    if stretched and options.stretched and not frames.periodic:
        parent = _parents(len(test), options.n_frames, rng)
        displaced = Stretcher(train).draw(test.select(parent), AugmentOptions(), rng)
        batches.append(Batch("stretch", None, None, parent, displaced))
    return StudyFrames(train, test, batches)


def calculated_reference(
    study: StudyFrames, calculator: Calculator, name: str, progress: Progress = ignore
) -> Reference:
    """Evaluate an ASE calculator on the geometries of a study; where it fails they are missing.

    Parameters
    ----------
    study
        From `draw_study`.
    calculator
        Any with energy and forces.
    name
        Its level of theory.
    progress
        Called with the stage and the numbers of geometries done and in all.
    """
    report = partial(progress, f"reference {name}")
    values = calculate_frames(calculator, study.test, study.geometries, allow_failures=True, progress=report)
    return Reference(name, *values)


def read_reference(path: Path, study: StudyFrames) -> Reference:
    """Read the geometries of a study with energies, and forces where there are any, from extended xyz.

    Displaced frames may be missing. Parents need forces.

    Parameters
    ----------
    path
        A file as `mdaug reference frames.xyz --forces` writes it.
    study
        From `draw_study`, with the same options and seed.

    Raises
    ------
    DataError
        If the file cannot be read, holds other geometries, or lacks the energy or forces of a parent.
    """
    try:
        frames = list(iread(path, format="extxyz", do_not_split_by_at_sign=True))
        in_file = np.array([atoms.get_potential_energy() for atoms in frames])
        positions = np.array([atoms.positions for atoms in frames]).reshape(
            -1, *study.test.positions[0].shape
        )
    except (OSError, ValueError, KeyError, RuntimeError, PropertyNotImplementedError) as error:
        raise DataError(
            f"{path}: cannot be read as a reference ({error}); expected extended xyz with energies, as "
            "`mdaug reference frames.xyz --forces` writes it"
        ) from error
    places = _places(path, positions, study.geometries)
    energies, forces = np.full(len(study.geometries), np.nan), np.full_like(study.geometries, np.nan)
    energies[places] = in_file
    for place, atoms in zip(places, frames, strict=True):
        if "forces" in atoms.calc.results:
            forces[place] = atoms.get_forces()
    missing = np.isnan(forces[: len(study.test)]).any(axis=(1, 2))
    if missing.any():
        raise DataError(
            f"{path}: no energy and forces of {missing.sum()} of the {len(study.test)} parents, the first "
            "of frames.xyz; compute them with `mdaug reference frames.xyz --forces`"
        )
    return Reference(str(frames[0].info.get("level_of_theory", path.name)), energies, forces)


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


def _parents(n_frames: int, n_displaced_frames: int, rng: np.random.Generator) -> IntArray:
    """Return parents such that the numbers of times the frames occur differ by at most one."""
    rounds = -(-n_displaced_frames // n_frames)
    return np.concatenate([rng.permutation(n_frames) for _ in range(rounds)])[:n_displaced_frames]


def _places(path: Path, positions: FloatArray, expected: FloatArray) -> IntArray:
    """Return, for each of `positions`, the index of the same geometry in `expected`."""
    off = np.array([np.abs(expected - one).max(axis=(1, 2)) for one in positions]).reshape(-1, len(expected))
    nearest = off.min(axis=1, initial=np.inf)
    if (nearest > TOLERANCE_A).any():
        raise DataError(
            f"{path}: geometry {nearest.argmax()} differs by {nearest.max():.3g} Å from every one of this "
            "study; use the frames.xyz, options and seed of one study"
        )
    return off.argmin(axis=1)
