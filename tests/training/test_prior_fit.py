"""Wells and walls are found again in forces that are made of them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from mdaug.frames import FrameSet
from mdaug.models.pair_functions import wall, well
from mdaug.models.pair_prior import make_prior
from mdaug.training.pair_prior import fit_prior, prior_results


@pytest.fixture
def made(make_frames) -> FrameSet:
    """Return water frames whose forces are those of a known well and wall."""
    functions = {
        (1, 8): partial(well, r0=0.97, a=2.1, start=2.1, end=3.0),
        (1, 1): partial(wall, height=0.4, at=1.2, cutoff=3.0),
    }
    prior = make_prior("pair", [1, 8], 3.0, functions, {})
    energies, forces = prior_results(make_frames(), prior)
    return replace(make_frames(), energies=energies, forces=forces)


def test_a_known_well_and_wall_are_found(made):
    found = fit_prior(made, [1, 8], 3.0).description["pairs"]
    assert found["H-O"]["r0_A"] == pytest.approx(0.97, abs=2e-3)
    assert found["H-O"]["a_per_A"] == pytest.approx(2.1, abs=0.05)
    assert found["H-O"]["well_depth_kcal_mol"] == pytest.approx(110.0)
    wall_at_1_2 = found["H-H"]["wall_height_eV"] * np.exp(3.6 * (found["H-H"]["wall_at_A"] - 1.2))
    assert wall_at_1_2 == pytest.approx(0.4, rel=0.01)
    assert "r0_A" not in found["H-H"]
    assert set(found["O-O"]) == {"zbl_switched_off_from_A", "zbl_switched_off_to_A"}


def test_a_well_turns_into_a_wall_in_the_gap_between_bonds_and_the_rest(made):
    """A second water beside the first one: its hydrogens come to 1.7 Å of the oxygen and farther."""
    apart = made.positions + np.array([0.0, 0.0, 1.9])
    two = FrameSet(
        np.tile(made.atomic_numbers, 2),
        np.concatenate([made.positions, apart], axis=1),
        made.energies,
        np.tile(made.forces, (1, 2, 1)),
    )
    found = fit_prior(two, [1, 8], 3.0)
    own = found.description["pairs"]["H-O"]
    o_h = np.linalg.norm(two.positions[:, [0, 3]][:, :, None] - two.positions[:, None, [1, 2, 4, 5]], axis=-1)
    longest = o_h[o_h < 1.25 * 0.97].max()
    nearest = np.quantile(o_h[(o_h > 1.45 * 0.97) & (o_h < 3.0)], 0.005)
    assert own["well_switched_off_from_A"] == pytest.approx(longest)
    assert own["well_switched_off_to_A"] == pytest.approx((nearest + longest) / 2)
    assert own["wall_at_A"] == pytest.approx(nearest)
    d = torch.linspace(own["well_switched_off_to_A"] + 0.01, 2.9, 100).double()
    zero = torch.zeros(len(d), dtype=torch.int64)
    energies, _ = found(torch.tensor([0, 1]), zero, zero + 1, d)
    np.testing.assert_allclose(energies, wall(d.numpy(), own["wall_height_eV"], nearest, 3.0), atol=1e-5)
    assert float(energies[0]) * 23.06 == pytest.approx(30.0, rel=0.05)  # the lowest that it may be
    d = torch.linspace(0.8, longest - 0.01, 100).double()
    energies, _ = found(torch.tensor([0, 1]), zero, zero + 1, d)
    bond = well(d.numpy(), own["r0_A"], own["a_per_A"], longest, longest + 1)
    np.testing.assert_allclose(energies, bond, atol=1e-5)


def test_atoms_alone_have_zbl(make_frames):
    frames = FrameSet(np.array([18]), np.zeros((4, 1, 3)), np.zeros(4), np.zeros((4, 1, 3)))
    prior = fit_prior(frames, [18], 3.0)
    assert prior.description["name"] == "pair"
    assert float(prior.table.max()) > 100.0
    far = make_frames(3)
    far.positions[:, 1:] += 50.0 * np.arange(1, 3)[:, None]
    assert set(fit_prior(far, [1, 8], 3.0).description["pairs"]["H-O"]) == {
        "zbl_switched_off_from_A",
        "zbl_switched_off_to_A",
    }
