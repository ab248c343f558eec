"""The baseline of a model: the force-matched field of the training frames, molecule by molecule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.augmentation.force_matching.assessment import fit_sound_field, is_rough
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.augmentation.generate import Augmentation
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.matching import MoleculeGraph, match_molecules
from mdaug.models.baseline import Baseline
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.models.options import SchNetOptions
from mdaug.models.species import types_of_atoms
from mdaug.training.options import TrainOptions
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.baseline_templates import number_atom_types, templates_of
from mdaug.workflows.training.recorded import recorded

FILE = "baseline.json"


@dataclass(frozen=True, eq=False)
class BaselineChoice:
    """Whether a system has a baseline.

    Parameters
    ----------
    used
        Whether it has.
    reason
        One sentence: why.
    templates
        One for each kind of molecule that the model knows; empty if the model has no baseline. In a model of
        several systems those without a baseline have templates, too, but without energy.
    molecules
        For each template the atoms of its molecules in the frames, (n_molecules, n_atoms of the template).
    cutoff
        Cutoff of the network, Å.
    """

    used: bool
    reason: str
    templates: tuple[MoleculeTemplate, ...] = ()
    molecules: tuple[IntArray, ...] = ()
    cutoff: float = 0.0

    def subtract(self, frames: FrameSet) -> FrameSet:
        """Return the frames that the network is trained on: less the baseline, and with atom types.

        Parameters
        ----------
        frames
            Frames of the same atoms as the training frames.
        """
        if not self.used:
            return frames
        return self.with_atom_types(self._baseline.subtract(frames, self.molecules))

    def with_atom_types(self, frames: FrameSet) -> FrameSet:
        """Return frames with the atom types of the templates; without a baseline there are none.

        Parameters
        ----------
        frames
            Frames of the same atoms as the training frames.
        """
        if not self.used:
            return frames
        types = (template.atom_types for template in self.templates)
        return replace(frames, atom_types=types_of_atoms(frames.n_atoms, types, self.molecules))

    @cached_property
    def _baseline(self) -> Baseline:
        return Baseline(self.templates, self.cutoff)

    @property
    def has_all_repulsion(self) -> bool:
        """Whether the baseline has all repulsion of close atoms: the system is one molecule with energy."""
        return self.used and sum(map(len, self.molecules)) == 1

    def to_json(self) -> dict[str, Any]:
        """Return the content of baseline.json, from which `from_json` restores the choice exactly."""
        templates = [{name: array.tolist() for name, array in t.arrays()} for t in self.templates]
        molecules = [atoms.tolist() for atoms in self.molecules]
        return {
            "used": self.used,
            "reason": self.reason,
            "templates": templates,
            "molecules": molecules,
            "cutoff": self.cutoff,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "BaselineChoice":
        """Return the choice that `to_json` recorded.

        Parameters
        ----------
        entry
            What `to_json` returned.
        """
        templates = tuple(MoleculeTemplate.from_lists(lists) for lists in entry["templates"])
        molecules = tuple(
            np.array(atoms, dtype=np.int64).reshape(-1, len(template.atomic_numbers))
            for atoms, template in zip(entry["molecules"], templates, strict=True)
        )
        return cls(entry["used"], entry["reason"], templates, molecules, entry["cutoff"])


NO_BASELINE = BaselineChoice(False, "")


def has_baseline(baselines: Sequence[BaselineChoice]) -> bool:
    """Return whether a model has a baseline: whether at least one of its systems has.

    Parameters
    ----------
    baselines
        The baseline of each system.
    """
    return any(baseline.used for baseline in baselines)


def present_templates(baselines: Sequence[BaselineChoice]) -> list[MoleculeTemplate]:
    """Return the templates of those molecules that some of the systems of a model have.

    A network that is trained on these systems alone may have no embeddings of the others' atom types.

    Parameters
    ----------
    baselines
        The baseline of each of these systems.
    """
    templates = baselines[0].templates
    return [
        template
        for n, template in enumerate(templates)
        if any(len(baseline.molecules[n]) for baseline in baselines)
    ]


def network_options(baselines: Sequence[BaselineChoice], config: RunConfig) -> SchNetOptions:
    """Return the options of the network: fewer Gaussians where all systems have a baseline, and no ZBL prior
    where the baselines have all repulsion, which ZBL would count twice.

    Parameters
    ----------
    baselines
        The baseline of each system.
    config
        Settings of the training.
    """
    options = config.model
    if all(baseline.used for baseline in baselines):
        options = options.with_baseline()
    if all(baseline.has_all_repulsion for baseline in baselines):
        options = options.model_copy(update={"prior": "none"})
    return options


def with_defaults(baselines: Sequence[BaselineChoice], options: TrainOptions, n_frames: int) -> TrainOptions:
    """Return the options of the training, with epochs and learning rate for the frames, where none are set.

    Parameters
    ----------
    baselines
        The baseline of each system.
    options
        Options of the training, as set.
    n_frames
        Number of training frames.
    """
    return options.with_defaults(n_frames, baseline=has_baseline(baselines), n_systems=len(baselines))


def summarize_baselines(baselines: Sequence[BaselineChoice]) -> dict[str, Any]:
    """Return ``"baseline"`` of results.json: the molecules with a baseline, and those without, if some have.

    Parameters
    ----------
    baselines
        The baseline of each system.
    """
    used = [baseline for baseline in baselines if baseline.used]
    first = (used or baselines)[0]
    summary: dict[str, Any] = {
        "used": bool(used),
        "reason": first.reason,
        "molecules": [template.formula for template in first.templates if template.has_energy],
    }
    without = [template.formula for template in first.templates if not template.has_energy]
    if without:
        summary["reason"] = f"the force fields of {len(used)} of {len(baselines)} systems are sound"
        summary["without"] = without
    return summary


def make_baseline(field: ForceField, cutoff: float, reason: str) -> BaselineChoice:
    """Return the use of a force-matched field as baseline; not used where it cannot be one.

    Parameters
    ----------
    field
        The force-matched field, which has passed its assessment.
    cutoff
        Cutoff of the network, Å.
    reason
        Why the field may be used.
    """
    topology = field.topology
    if len(topology.changing):
        return BaselineChoice(False, "bonds change in the frames, and a baseline keeps its bonds")
    templates = number_atom_types(templates_of(field))
    graphs = [MoleculeGraph(template.atomic_numbers, template.bonds) for template in templates]
    molecules = match_molecules(topology.atomic_numbers, topology.bonds, graphs)
    if molecules is None:
        return BaselineChoice(False, "not every molecule has the bonds of a template")
    return BaselineChoice(True, reason, templates, tuple(molecules), cutoff)


def recorded_baseline(folder: Path) -> BaselineChoice | None:
    """Return the baseline of a run that is resumed or exported; None if it has no record.

    Parameters
    ----------
    folder
        The run folder.

    Raises
    ------
    DataError
        The record is damaged.
    """
    return recorded(folder / FILE, "a baseline", BaselineChoice.from_json, advice="start a new run")


def record_baseline(choice: BaselineChoice, folder: Path) -> None:
    """Write the choice, so that a resumed run has the same baseline.

    Parameters
    ----------
    choice
        The choice.
    folder
        The run folder.
    """
    write_json(folder / FILE, choice.to_json())


def choose_baseline(augmentation: Augmentation | None, raw: FrameSet, config: RunConfig) -> BaselineChoice:
    """Return the baseline of a model, by its settings and the assessment of the force-matched field.

    Parameters
    ----------
    augmentation
        Augmented frames of `raw`, with the field; None for none.
    raw
        The training frames.
    config
        Settings of the training.

    Raises
    ------
    DataError
        The settings ask for a baseline, and the force-matched field cannot be one.
    """
    wanted = config.model.baseline
    if wanted == "none":
        return BaselineChoice(False, "no baseline, as set")
    if config.model.prior == "pair":
        return _unless_wanted(wanted, "a pair prior takes the place of a baseline")
    if augmentation is None or augmentation.field is None:
        if wanted == "auto":
            reason = "" if augmentation is None else augmentation.reason
            return BaselineChoice(False, reason or "no force field was matched to the frames")
        field, _, assessment = fit_sound_field(raw, config.model.cutoff)
        return _wanted(make_baseline(field, config.model.cutoff, assessment.reason), config)
    return _wanted(make_baseline(augmentation.field, config.model.cutoff, augmentation.reason), config)


def rough_baseline(
    augmentation: Augmentation | None, raw: FrameSet, config: RunConfig
) -> BaselineChoice | None:
    """Return a baseline from a field that is only inaccurate; None if there is none.

    Beside systems with a baseline one without learns little from their frames: in those the network learns
    what the baseline lacks. So a field suffices there that leaves less than half of the forces to it.

    Parameters
    ----------
    augmentation
        Augmentation of `raw`, whose field failed its assessment; None for none.
    raw
        The training frames.
    config
        Settings of the training.
    """
    if augmentation is None or augmentation.unsound_field is None:
        return None
    field = augmentation.unsound_field
    if not is_rough(field, raw, augmentation.verdicts):
        return None
    reason = f"{augmentation.reason}; enough for a baseline beside those of other systems, not for labels"
    baseline = _wanted(make_baseline(field, config.model.cutoff, reason), config)
    return baseline if baseline.used else None


def _wanted(baseline: BaselineChoice, config: RunConfig) -> BaselineChoice:
    if not baseline.used:
        return _unless_wanted(config.model.baseline, baseline.reason)
    return baseline if config.model.atom_types else replace(baseline, templates=_untyped(baseline.templates))


def _untyped(templates: Sequence[MoleculeTemplate]) -> tuple[MoleculeTemplate, ...]:
    return tuple(replace(one, atom_types=np.full_like(one.atom_types, -1)) for one in templates)


def _unless_wanted(wanted: str, reason: str) -> BaselineChoice:
    if wanted == "force-field":
        raise DataError(f'model.baseline = "force-field": {reason}; set it to "auto" or "none"')
    return BaselineChoice(False, reason)
