"""Drawing of a molecule with its atom indices, as a figure and as a 3D view that works without a network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import find_bonds
from mdaug.reports.style import LIMIT, element_color, new_figure

MOST_LABELS = 120
"""Largest number of atoms with labels; more labels would not be readable."""

MOST_TURNED = 60
"""Largest number of atoms for which the best view is searched; larger molecules are drawn along the shortest
principal axis."""

N_VIEWS = 400
"""Number of directions among which the view with the fewest hidden atoms is searched."""

BOND_COLOR = "#8c8c8c"

CLEAR_A = 0.8
"""Atoms this far apart in the drawing do not hide each other."""

FONT_SIZES = (5.0, 10.0)
"""Smallest and largest size of labels in points."""


@dataclass(frozen=True)
class MoleculeView:
    """Content of the 3D view of a page.

    Parameters
    ----------
    frames
        Structures of the same atoms; with several the page has a slider and begins with the last.
    bonds
        Shape (n_bonds, 2).
    marked
        A bond that is drawn dashed, for example a broken bond.
    caption
        Text below the view.
    """

    frames: Sequence[Atoms]
    bonds: IntArray
    marked: tuple[int, int] | None = None
    caption: str = ""

    def to_json(self) -> str:
        """Return the data of the view for ``viewer.js``, turned as `draw_molecule` turns the last frame."""
        last = self.frames[-1]
        axes, center = _view_axes(last), last.positions.mean(axis=0)
        data: dict[str, Any] = {
            "labels": [f"{symbol}{k}" for k, symbol in enumerate(last.symbols)],
            "colors": [element_color(symbol) for symbol in last.symbols],
            "radii": [round(_radius(number), 3) for number in last.numbers],
            "frames": [np.round((atoms.positions - center) @ axes.T, 3).tolist() for atoms in self.frames],
            "bonds": [list(map(int, bond)) for bond in drawn_bonds(last, self.bonds)],
            "marked": None if self.marked is None else list(self.marked),
        }
        return json.dumps(data, separators=(",", ":"))


def draw_molecule(
    atoms: Atoms,
    ax: Axes | None = None,
    *,
    bonds: IntArray | None = None,
    marked: tuple[int, int] | None = None,
) -> Axes:
    """Draw a molecule from the direction in which its atoms hide each other least, with atom indices.

    Parameters
    ----------
    atoms
        The structure, positions in Å.
    ax
        Axes to draw in; default: those of a new figure.
    bonds
        Shape (n_bonds, 2); default: by covalent radii.
    marked
        Two atoms whose distance is drawn dashed and written down: a scanned or a broken bond.
    """
    xyz = (atoms.positions - atoms.positions.mean(axis=0)) @ _view_axes(atoms).T
    low, high = xyz[:, :2].min(axis=0) - 0.6, xyz[:, :2].max(axis=0) + 0.6
    if ax is None:
        width, height = high - low
        ax = new_figure(width=5.0, height=float(np.clip(5.0 * height / width, 1.6, 5.0)))[1]
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    for i, j in drawn_bonds(atoms, find_bonds(atoms) if bonds is None else bonds):
        if marked is None or {i, j} != set(marked):
            middle = 0.5 * (xyz[i] + xyz[j])
            for end in (xyz[i], xyz[j]):  # each half is drawn behind its own atom
                ends = np.stack([end, middle])[:, :2].T
                ax.plot(*ends, color=BOND_COLOR, linewidth=3.0, zorder=9.999 + end[2], gid="bond")
    if marked is not None:
        _draw_marked(ax, atoms, xyz, marked)
    for number, (x, y, z) in zip(atoms.numbers, xyz, strict=True):
        color = element_color(chemical_symbols[number])
        ax.add_patch(Circle((x, y), _radius(number), facecolor=color, edgecolor="white", zorder=10 + z))
    if len(atoms) <= MOST_LABELS:
        _draw_labels(ax, atoms, xyz)
    return ax


def drawn_bonds(atoms: Atoms, bonds: IntArray) -> list[tuple[int, int]]:
    """Return the bonds that can be drawn as a line: not those that pass through a face of the cell.

    Parameters
    ----------
    atoms
        The structure.
    bonds
        Shape (n_bonds, 2).
    """
    pairs = [(int(i), int(j)) for i, j in bonds]
    if not atoms.pbc.any():
        return pairs
    return [pair for pair in pairs if atoms.get_distance(*pair) < atoms.get_distance(*pair, mic=True) + 0.1]


def _radius(number: int) -> float:
    """Return the radius (Å) with which an atom is drawn."""
    return 0.16 + 0.2 * float(covalent_radii[number])


def _view_axes(atoms: Atoms) -> FloatArray:
    """Return the axes (3, 3) of a drawing: right, up, and towards the viewer."""
    centered = atoms.positions - atoms.positions.mean(axis=0)
    normal = np.linalg.svd(centered)[2][2]
    if 2 < len(atoms) <= MOST_TURNED:
        normal = max(_directions(normal), key=lambda view: _clearness(centered, view, normal))
    flat = centered - np.outer(centered @ normal, normal)
    right = np.linalg.svd(flat)[2][0]
    right -= (right @ normal) * normal  # for a linear molecule seen along its axis nothing remains
    right /= np.linalg.norm(right)
    axes: FloatArray = np.stack([right, np.cross(normal, right), normal])
    return axes


def _directions(normal: FloatArray) -> FloatArray:
    """Return `normal` and directions distributed evenly over a hemisphere, shape (N_VIEWS + 1, 3)."""
    k = np.arange(N_VIEWS)
    z = (k + 0.5) / N_VIEWS
    angle, ring = np.pi * (1 + 5**0.5) * k, np.sqrt(1 - z**2)
    return np.vstack([normal, np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)])


def _clearness(centered: FloatArray, view: FloatArray, normal: FloatArray) -> float:
    """Return the smallest distance of atoms in the drawing (Å), with a small bonus for the principal view."""
    flat = centered - np.outer(centered @ view, view)
    i, j = np.triu_indices(len(flat), 1)
    nearest = np.linalg.norm(flat[i] - flat[j], axis=1).min()
    return float(min(nearest, CLEAR_A) + 0.2 * abs(view @ normal))


def _draw_marked(ax: Axes, atoms: Atoms, xyz: FloatArray, marked: tuple[int, int]) -> None:
    """Draw the marked pair dashed, its distance beside the middle."""
    ends = xyz[list(marked), :2]
    ax.plot(*ends.T, color=LIMIT, linewidth=2.5, linestyle=(0, (2, 1.2)), zorder=9)
    distance = atoms.get_distance(*marked, mic=bool(atoms.pbc.any()))
    along = ends[1] - ends[0]
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
    outwards = across if across @ ends.mean(axis=0) >= 0 else -across
    place = ends.mean(axis=0) + 0.35 * outwards
    x, y = place
    ax.text(x, y, f"{distance:.2f} Å", color=LIMIT, ha="center", va="center", fontsize=9, zorder=30)


def _draw_labels(ax: Axes, atoms: Atoms, xyz: FloatArray) -> None:
    """Write symbol and index into each atom; labels that would overlap are moved apart."""
    labels = [f"{symbol}{k}" for k, symbol in enumerate(atoms.symbols)]
    points_per_A = _points_per_A(ax)
    size = float(np.clip(0.28 * points_per_A, *FONT_SIZES))
    boxes = np.array([[0.72 * size * len(label), 1.15 * size] for label in labels]) / points_per_A
    places = _moved_apart(xyz[:, :2], boxes)
    for label, symbol, number, atom, place in zip(
        labels, atoms.symbols, atoms.numbers, xyz, places, strict=True
    ):
        moved = np.linalg.norm(place - atom[:2]) > 0.6 * _radius(number)
        if moved:
            ax.plot([atom[0], place[0]], [atom[1], place[1]], color="0.3", linewidth=0.6, zorder=39)
        background = {"boxstyle": "round,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
        ax.text(
            place[0],
            place[1],
            label,
            color="black" if moved or _is_light(symbol) else "white",
            bbox=background if moved else None,
            fontsize=size,
            ha="center",
            va="center",
            zorder=40,
            gid="atom label",
        )


def _points_per_A(ax: Axes) -> float:
    """Return the length of 1 Å in points in the axes, whose aspect is equal."""
    figure: Any = ax.figure
    width, height = 72.0 * figure.get_size_inches() * ax.get_position().size
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return float(min(width / (right - left), height / (top - bottom)))


def _moved_apart(places: FloatArray, boxes: FloatArray) -> FloatArray:
    """Return positions (n, 2) at which boxes (n, 2: width, height) overlap as little as possible."""
    moved = places + 1e-6 * np.arange(2 * len(places)).reshape(-1, 2)  # separates two at the same place too
    i, j = np.triu_indices(len(moved), 1)
    need = 0.5 * (boxes[i] + boxes[j])
    for _ in range(300):
        offset = moved[j] - moved[i]
        overlap = need - np.abs(offset)
        hit = (overlap > 1e-9).all(axis=1)
        if not hit.any():
            break
        axis = overlap[hit].argmin(axis=1)
        rows = np.arange(len(axis))
        push = np.zeros((len(axis), 2))
        push[rows, axis] = 0.26 * overlap[hit][rows, axis] * np.where(offset[hit][rows, axis] < 0, -1, 1)
        np.add.at(moved, j[hit], push + 1e-4 * np.sign(push))
        np.add.at(moved, i[hit], -push - 1e-4 * np.sign(push))
    return moved


def _is_light(symbol: str) -> bool:
    """Return whether black text is easier to read than white on the color of an element."""
    red, green, blue = to_rgb(element_color(symbol))
    return 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
