"""The baseline M of a model E = M(r) + SchNet(r), for frames whose molecules have templates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.matching import spanning_bonds, whole_molecules
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.models.molecule_terms import MoleculeTerms

FRAMES_AT_ONCE = 500
"""Frames whose baseline is evaluated at once."""


class Baseline:
    """The baseline of frames whose molecules have templates.

    Parameters
    ----------
    templates
        One for each kind of molecule.
    cutoff
        Of the network, Å.
    """

    def __init__(self, templates: Sequence[MoleculeTemplate], cutoff: float) -> None:
        self.templates = tuple(templates)
        self.terms = [MoleculeTerms(template, cutoff) for template in templates]

    def results(self, frames: FrameSet, molecules: Sequence[IntArray]) -> tuple[FloatArray, FloatArray]:
        """Return energies (n_frames,), eV, and forces (n_frames, n_atoms, 3), eV/Å, F = −∂E/∂r.

        Parameters
        ----------
        frames
            Frames of these molecules.
        molecules
            For each template the atoms of its molecules, (n_molecules, n_atoms of the template).
        """
        energies, forces, _ = self._with_strain(frames, molecules)
        return energies, forces

    def _with_strain(
        self, frames: FrameSet, molecules: Sequence[IntArray]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the same as `results`, and the strain derivatives ∂E/∂ε, (n_frames, 3, 3), eV."""
        energies, forces = np.zeros(len(frames)), np.zeros_like(frames.positions)
        strain = np.zeros((len(frames), 3, 3))
        for template, terms, atoms in zip(self.templates, self.terms, molecules, strict=True):
            spanning = spanning_bonds(template.bonds)
            for start in range(0, len(frames), FRAMES_AT_ONCE):
                part = slice(start, start + FRAMES_AT_ONCE)
                cells = frames.periodic_cells
                for own in atoms:
                    whole = whole_molecules(
                        frames.positions[part][:, own], None if cells is None else cells[part], spanning
                    )
                    of_atoms, slope = terms(torch.from_numpy(whole))
                    energies[part] += of_atoms.sum(1).numpy()
                    forces[part, own] -= slope.numpy()
                    strain[part] += np.einsum("fai,faj->fij", whole - whole[:, :1], slope.numpy())
        return energies, forces, strain

    def subtract(self, frames: FrameSet, molecules: Sequence[IntArray]) -> FrameSet:
        """Return the frames with energies, forces and stresses less those of the baseline.

        Parameters
        ----------
        frames, molecules
            As for `results`.
        """
        energies, forces, strain = self._with_strain(frames, molecules)
        residual = replace(frames, energies=frames.energies - energies, forces=frames.forces - forces)
        if frames.known_stresses is None or frames.cells is None:
            return residual
        volumes = np.abs(np.linalg.det(frames.cells))
        return replace(residual, stresses=frames.known_stresses - strain / volumes[:, None, None])
