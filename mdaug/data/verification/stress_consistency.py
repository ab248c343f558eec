"""Whether stresses have the sign, the unit and the order of components that the forces imply."""

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress

from mdaug.data.verification.cell_energies import cell_functions, without_cell_part
from mdaug.data.verification.pair_energies import pair_strain_derivatives
from mdaug.data.verification.regression import correlation_of
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.units import GPA_PER_EV_A3
from mdaug.verdicts import Verdict

NAME = "stresses against forces"

MIN_FRAMES = 10
"""Fewer frames are not compared."""

MAX_ATOMS = 2000
"""Atoms, over all frames, whose forces are fitted."""

CLEAR = 0.8
"""Correlation of given and predicted stresses beyond which sign and scale are measured (EMT metals and PBE
silicon: 0.96 to 1.00)."""

SCALE_LIMITS = (0.4, 2.5)
"""Of the ratio of given to predicted changes; that of the sets above is 0.6 to 1.06."""

UNIT_FACTOR = 2.0
"""A ratio is that of a unit within this factor."""

OTHER_ORDERS = {"xx, yy, zz, xy, yz, xz (VASP)": (5, 3, 4), "xx, yy, zz, xy, xz, yz": (5, 4, 3)}
"""Orders of six components -> the places in ASE's Voigt order of what is read as yz, xz, xy, if the file has
them in that order."""

UNITS = {
    "GPa": GPA_PER_EV_A3,
    "kbar": 10 * GPA_PER_EV_A3,
    "bar": 1e4 * GPA_PER_EV_A3,
    "Hartree/Bohr^3": 1 / 183.6315,
}
"""Units of stress -> how many of them are one eV/Å³."""


def stress_verdict(frames: FrameSet, usable: IntArray) -> Verdict | None:
    """Compare stresses with those of pair functions that are fitted to the forces.

    Forces leave a constant open, and in cells of a few atoms how stresses depend on the cell. Compared are
    the changes from frame to frame that are not a function of the cell.

    Parameters
    ----------
    frames
        All frames, in eV and Å.
    usable
        Indices of the frames that may be used.

    Returns
    -------
    Verdict or None
        None for frames without stresses.
    """
    stresses = frames.known_stresses
    if stresses is None or frames.cells is None:
        return None
    with_stress = usable[np.isfinite(stresses[usable]).all(axis=(1, 2))]
    if len(with_stress) < MIN_FRAMES or frames.n_atoms < 2:
        return _cannot_tell(f"needs at least {MIN_FRAMES} frames of several atoms")
    n = max(MIN_FRAMES, MAX_ATOMS // frames.n_atoms)
    chosen = np.sort(np.random.default_rng(0).permutation(with_stress)[:n])
    try:
        predicted = full_3x3_to_voigt_6_stress(pair_strain_derivatives(frames, chosen))
    except np.linalg.LinAlgError:
        return _cannot_tell("no pair functions fit the forces")
    volumes = np.abs(np.linalg.det(frames.cells[chosen]))
    given = full_3x3_to_voigt_6_stress(stresses[chosen] * volumes[:, None, None])
    cells = frames.cells[chosen]
    of_degrees = (cell_functions(cells, degree) for degree in (3, 2, 1))
    functions = next((each for each in of_degrees if 2 * each.shape[1] <= len(chosen)), None)
    if functions is None:
        return _cannot_tell("too few frames to tell what is due to the changes of the cell")
    given, predicted = (_changes(each, functions) for each in (given, predicted))
    if given.std() < 1e-6 or predicted.std() < 1e-6:
        return _cannot_tell("they hardly change from frame to frame")
    return _judge(given, predicted)


def _changes(components: FloatArray, functions: FloatArray) -> FloatArray:
    """Return six components without their means and without functions of the cell, (n_frames, 6)."""
    changes = [without_cell_part(values, functions) for values in (components - components.mean(axis=0)).T]
    return np.stack(changes, axis=1)


def _judge(given: FloatArray, predicted: FloatArray) -> Verdict:
    correlation = correlation_of(given, predicted)
    for order, places in OTHER_ORDERS.items():
        off_diagonal = correlation_of(given[:, 3:], predicted[:, places])
        if abs(off_diagonal) > CLEAR > abs(correlation_of(given[:, 3:], predicted[:, 3:])):
            text = (
                f"stresses fit the forces if their six components are in the order {order}; expected xx, yy, "
                "zz, yz, xz, xy: reorder them, give all nine, or leave them out with --stress-units none"
            )
            return Verdict(NAME, "error", off_diagonal, CLEAR, text)
    if abs(correlation) < CLEAR:
        return _cannot_tell(
            f"pair functions do not explain them (correlation {correlation:.2f})", correlation
        )
    ratio = float(given.std() / predicted.std())
    measured = f"they change {ratio:.3g} times as much as the forces imply, correlation {correlation:.2f}"
    if correlation < 0:
        unit = "-" + (_unit_of(ratio) or "eV/Angstrom^3")
        text = (
            f"stresses have the opposite sign of what the forces imply ({measured}); expected tension "
            f"positive, and virials as −volume · stress: {_remedy(unit)}"
        )
        return Verdict(NAME, "error", correlation, CLEAR, text)
    if SCALE_LIMITS[0] < ratio < SCALE_LIMITS[1]:
        return Verdict(NAME, "ok", ratio, CLEAR, f"stresses fit the forces: {measured}")
    named = _unit_of(ratio)
    if named is not None:
        text = f"stresses are in {named}, not in eV/Å³: {measured}; {_remedy(named)}"
        return Verdict(NAME, "error", ratio, CLEAR, text)
    text = (
        f"stresses do not fit the forces: {measured}; check their unit, or leave them out with "
        "--stress-units none"
    )
    return Verdict(NAME, "warning", ratio, CLEAR, text)


def _unit_of(ratio: float) -> str | None:
    """Return the unit that is so many times smaller than one eV/Å³."""
    return next((u for u, f in UNITS.items() if 1 / UNIT_FACTOR < ratio / f < UNIT_FACTOR), None)


def _remedy(unit: str) -> str:
    return f"read them with --stress-units={unit}, or leave them out with --stress-units none"


def _cannot_tell(why: str, value: float | None = None) -> Verdict:
    return Verdict(NAME, "cannot tell", value, CLEAR, f"stresses cannot be compared with forces: {why}")
