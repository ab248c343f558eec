"""Training curves."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from mdaug.reports.style import AUGMENTED, RAW, new_figure
from mdaug.training.history import History

_COLORS = {"raw": RAW, "augmented": AUGMENTED}


def plot_training(
    histories: Mapping[str, History], axes: tuple[Axes, Axes] | None = None
) -> tuple[Axes, Axes]:
    """Draw the errors on the validation frames against the epoch, forces left and energies right.

    Parameters
    ----------
    histories
        Name of a training (``raw``, ``augmented``) -> its history.
    axes
        Two panels to draw into; default: a new figure.
    """
    if axes is None:
        axes = new_figure(1, 2, width=10.0)[1]
    forces, energies = axes
    for name, history in histories.items():
        epochs = [epoch.epoch for epoch in history.epochs]
        look: dict[str, Any] = {"label": name, "color": _COLORS.get(name), "linewidth": 1.2}
        forces.plot(epochs, [epoch.validation_force_mae_kcal_mol_A for epoch in history.epochs], **look)
        energies.plot(epochs, [epoch.validation_energy_mae_kcal_mol for epoch in history.epochs], **look)
    forces.set_ylabel("validation force MAE (kcal/mol/Å)")
    energies.set_ylabel("validation energy MAE (kcal/mol)")
    for panel in axes:
        panel.set_xlabel("epoch")
        panel.set_yscale("log")
        panel.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("{x:g}")
        if len(histories) > 1:
            panel.legend()
    return forces, energies
