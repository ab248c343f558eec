"""Isomorphism of bond graphs: the numbering of one frame's atoms that gives the bonds of another."""

import numpy as np

from mdaug.frames import IntArray

MAX_STEPS = 20_000
"""Atoms tried before the search is given up."""


def matching_permutation(
    n_atoms: int, reference: IntArray, bonds: IntArray, labels: IntArray | None
) -> IntArray | None:
    """Return p such that atom p[a] of the second graph takes the place of atom a of the reference.

    Parameters
    ----------
    n_atoms
        Atoms of both graphs.
    reference, bonds
        Shape (n_bonds, 2): bonds of the two graphs.
    labels
        Shape (n_atoms,): atoms that take each other's place have the same label (element); None for any.

    Returns
    -------
    p or None
        Shape (n_atoms,), with as many atoms in their own place as a greedy search finds: ``positions[p]``
        has the bonds of the reference. None if the graphs differ, or the search takes too long.
    """
    if len(reference) != len(bonds):
        return None
    first, second = _adjacency(n_atoms, reference), _adjacency(n_atoms, bonds)
    start = np.zeros(n_atoms, np.int64) if labels is None else np.asarray(labels)
    colors, other = _refined(first, second, start)
    if sorted(colors) != sorted(other):
        return None
    search = _Search(first, second, colors, other)
    return search.run()


def _adjacency(n_atoms: int, bonds: IntArray) -> list[set[int]]:
    neighbors: list[set[int]] = [set() for _ in range(n_atoms)]
    for i, j in bonds.tolist():
        neighbors[i].add(j)
        neighbors[j].add(i)
    return neighbors


def _refined(first: list[set[int]], second: list[set[int]], labels: IntArray) -> tuple[list[int], list[int]]:
    """Return colors of the atoms of both graphs, refined by the colors of neighbors until none splits."""
    colors, other = labels.tolist(), labels.tolist()
    for _ in range(len(first)):
        keys = [
            [(color[a], tuple(sorted(color[b] for b in graph[a]))) for a in range(len(graph))]
            for color, graph in ((colors, first), (other, second))
        ]
        number = {key: n for n, key in enumerate(sorted(set(keys[0]) | set(keys[1])))}
        refined, refined_other = ([number[key] for key in side] for side in keys)
        if len(set(refined)) == len(set(colors)) and len(set(refined_other)) == len(set(other)):
            return refined, refined_other
        colors, other = refined, refined_other
    return colors, other


class _Search:
    """Depth-first search for an isomorphism, along bonds, atoms tried in their own places first."""

    def __init__(
        self, first: list[set[int]], second: list[set[int]], colors: list[int], other: list[int]
    ) -> None:
        self.first, self.second, self.colors, self.other = first, second, colors, other
        self.steps = 0
        self.order = self._order()

    def _order(self) -> list[int]:
        """Return the atoms such that each follows one of its neighbors, rare colors first."""
        count = {color: self.colors.count(color) for color in set(self.colors)}
        waiting = sorted(range(len(self.first)), key=lambda a: (count[self.colors[a]], a))
        order: list[int] = []
        for root in waiting:
            queue = [root]
            while queue:
                atom = queue.pop(0)
                if atom in order:
                    continue
                order.append(atom)
                queue += sorted(self.first[atom] - set(order), key=lambda a: (count[self.colors[a]], a))
        return order

    def run(self) -> IntArray | None:
        """Return the permutation, or None."""
        taken: dict[int, int] = {}
        stack = [self._candidates(0, taken)]
        while stack:
            self.steps += 1
            if self.steps > MAX_STEPS:
                return None
            depth = len(stack) - 1
            atom = self.order[depth]
            taken.pop(atom, None)
            if not stack[-1]:
                stack.pop()
                continue
            taken[atom] = stack[-1].pop(0)
            if len(taken) == len(self.order):
                return np.array([taken[a] for a in range(len(self.order))])
            stack.append(self._candidates(depth + 1, taken))
        return None

    def _candidates(self, depth: int, taken: dict[int, int]) -> list[int]:
        """Return the atoms that may take the place of the next one, given those `taken`."""
        atom = self.order[depth]
        placed = [taken[b] for b in self.first[atom] if b in taken]
        used = set(taken.values())
        if placed:
            possible = set.intersection(*(self.second[b] for b in placed))
        else:
            possible = set(range(len(self.second)))
        return sorted(
            (c for c in possible if c not in used and self.other[c] == self.colors[atom]),
            key=lambda c: self._preference(atom, c, taken),
        )

    def _preference(self, atom: int, candidate: int, taken: dict[int, int]) -> tuple[int, bool, int]:
        """Return a key that is lowest for the candidate with which most atoms can stay in their places.

        These are itself and its neighbors; among equal ones it is one that cannot stay in its own place.
        """
        n_in_place = (candidate == atom) + len(self.first[atom] & self.second[candidate])
        can_stay = self.colors[candidate] == self.other[candidate] and all(
            candidate in self.first[b] for b in self.first[atom] if b in taken
        )
        return -n_in_place, can_stay, candidate
