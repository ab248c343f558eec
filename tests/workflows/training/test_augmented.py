"""How many augmented frames a training beside a baseline uses."""

import pytest
from ase.build import molecule

from mdaug.workflows.training.augmented import every_beside_baseline
from tests.force_fields import frames_near


@pytest.mark.parametrize(
    ("n_augmented", "n_raw", "n_delta", "every"),
    [(1100, 852, 0, 5), (1100, 852, 3408, 1), (1100, 852, 852, 3), (2310, 900, 0, 8), (2310, 900, 3600, 2)],
)
def test_augmented_frames_keep_their_share(n_augmented, n_raw, n_delta, every):
    raw = frames_near(molecule("CH4"), n_raw)
    assert every_beside_baseline(n_augmented, raw, n_delta) == every


@pytest.mark.parametrize(("n_molecules", "every"), [(1, 8), (2, 1), (7, 1), (8, 8)])
def test_all_augmented_frames_of_a_complex_whose_baseline_has_no_walls_between_molecules(n_molecules, every):
    apart = [molecule("H2O") for _ in range(n_molecules)]
    for number, water in enumerate(apart):
        water.positions += [4.0 * number, 0.0, 0.0]
    raw = frames_near(sum(apart[1:], apart[0]), 45)
    assert every_beside_baseline(115, raw) == every
