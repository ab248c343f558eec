"""Reaction paths and hopping atoms: right files that look like two units, or like another order of atoms."""

from dataclasses import replace

import numpy as np
from ase.build import fcc111
from numpy.typing import NDArray

from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.bond_stiffness import bond_stiffness
from mdaug.data.verification.force_scales import force_scales_verdict
from mdaug.data.verification.molecular_identity import identity_verdict
from mdaug.data.verification.unit_inference import force_verdict
from mdaug.frames import FrameSet
from mdaug.geometry.bond_graphs import frame_bond_graphs


def carbon_between_bromines(x: NDArray[np.float64]) -> FrameSet:
    """Br C Br on a line, C at x; the end frames are one molecule with its bromines exchanged."""
    positions = np.zeros((len(x), 3, 3))
    positions[:, 0, 0], positions[:, 2, 0], positions[:, 1, 0] = -3.0, 3.0, x
    zeros = np.zeros((len(x), 3, 3))
    return FrameSet(
        atomic_numbers=np.array([35, 6, 35]), positions=positions, energies=np.zeros(len(x)), forces=zeros
    )


def test_an_atom_that_moves_to_its_twin_is_no_other_order_of_atoms() -> None:
    verdict = identity_verdict(carbon_between_bromines(1.05 * np.tanh(np.linspace(-9.0, 8.0, 60))))
    assert verdict.verdict == "warning"
    assert "other bonds than most" in verdict.text


def test_exchanged_numbers_are_another_order_of_atoms() -> None:
    x = 1.0 + 0.05 * np.sin(np.arange(60.0))
    x[40:] *= -1
    verdict = identity_verdict(carbon_between_bromines(x))
    assert verdict.verdict == "error"
    assert verdict.frames == tuple(range(40, 60))


def test_frames_in_many_orders_are_no_path_between_two_of_them(ethanol: FrameSet) -> None:
    """In a third order exchanged hydrogens are where neither the usual nor the changed bonds have them."""
    frames, rng = ethanol.evenly_spaced(200), np.random.default_rng(0)
    hydrogens = np.flatnonzero(frames.atomic_numbers == 1)
    orders = np.tile(np.arange(frames.n_atoms), (len(frames), 1))
    orders[:, hydrogens] = [rng.permutation(hydrogens) for _ in orders]
    shuffled = replace(frames, positions=np.take_along_axis(frames.positions, orders[:, :, None], axis=1))
    verdict = identity_verdict(shuffled)
    in_usual_order = np.bincount(
        np.unique(frame_bond_graphs(shuffled).present, axis=0, return_inverse=True)[1]
    )
    assert verdict.verdict == "error"
    assert len(verdict.frames) == len(frames) - in_usual_order.max()


def test_a_minimum_that_is_there_many_times_is_no_other_unit(ethanol: FrameSet) -> None:
    """The end of a path or an optimization has small forces, which functions of distances do not predict."""
    frames = ethanol.select(np.concatenate([np.arange(80), np.zeros(20, np.int64)]))
    forces = frames.forces.copy()
    forces[80:] *= 0.02
    verdict = force_scales_verdict(replace(frames, forces=forces), np.arange(100))
    assert (verdict.verdict, verdict.text) == (
        "cannot tell",
        "only 1 structures have forces of another scale",
    )


def test_bonds_that_hardly_answer_imply_no_unit(ethanol: FrameSet) -> None:
    """The slope of force with length is lowered by what else changes the force; its inverse is raised."""
    bonds = bond_stiffness(ethanol)
    assert bonds is not None
    stated = StatedUnits.of_energy("eV")
    weak = replace(bonds, measured=0.2 * bonds.expected, correlations=np.full(len(bonds.expected), 0.5))
    assert force_verdict(ethanol, weak, stated, lambda: ()).verdict == "cannot tell"
    firm = replace(weak, correlations=np.full(len(bonds.expected), 0.9))
    assert force_verdict(ethanol, firm, stated, lambda: ()).verdict == "error"


def test_metal_bonds_at_their_limit_are_no_other_order_of_atoms() -> None:
    """Two bonds of a small slab that come and go make the usual graph with other numbers."""
    slab = fcc111("Cu", (2, 2, 3), vacuum=7.0)
    noise = np.random.default_rng(0).normal(scale=0.25, size=(60, len(slab), 3))
    zeros = np.zeros_like(noise)
    frames = FrameSet(
        atomic_numbers=slab.numbers,
        positions=slab.positions + noise,
        energies=np.zeros(60),
        forces=zeros,
        cells=np.tile(slab.cell.array, (60, 1, 1)),
        pbc=np.array([True, True, False]),
    )
    verdict = identity_verdict(frames)
    assert verdict.verdict == "warning"
    assert "other bonds than most" in verdict.text
