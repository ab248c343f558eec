"""Figures of a training: energies of the frames, and errors against the epoch."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from mdaug.frames import FloatArray
from mdaug.reports.style import GREEN, ORANGE, PALE_GRAY, PURPLE, SKY, model_styles, new_axes, new_figure
from mdaug.training.history import History

COLORS_OF_FRAMES = {
    "raw": PALE_GRAY,
    "displacement": SKY,
    "stretch": GREEN,
    "impulse": PURPLE,
    "Δ-learning": ORANGE,
}
"""Colors of the raw frames, of each kind of augmented frames, and of those by Δ-learning."""


def plot_frame_energies(energies_kcal_mol: Mapping[str, FloatArray], ax: Axes | None = None) -> Axes:
    """Draw histograms of the energies of training frames by kind.

    Parameters
    ----------
    energies_kcal_mol
        Kind of frames -> energies above the lowest raw frame.
    ax
        Axes to draw in; default: those of a new figure.
    """
    ax = ax if ax is not None else new_axes()
    drawn = {kind: energies for kind, energies in energies_kcal_mol.items() if len(energies)}
    highest = max(float(energies.max()) for energies in drawn.values())
    edges = np.linspace(0.0, max(highest, 1.0), 51)
    styles = model_styles(drawn)
    for kind, energies in drawn.items():
        color = COLORS_OF_FRAMES.get(kind, styles[kind]["color"])
        label = f"{kind} ({len(energies)})"
        counts, _ = np.histogram(energies, edges)
        ax.stairs(counts, edges, fill=kind == "raw", color=color, linewidth=1.8, label=label)
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.7)
    ax.set_xlabel("energy above the lowest raw frame (kcal/mol)")
    ax.set_ylabel("frames")
    ax.legend(frameon=False)
    return ax


def plot_training(
    histories: Mapping[str, History], axes: tuple[Axes, Axes, Axes] | None = None
) -> tuple[Axes, Axes, Axes]:
    """Draw losses, and the errors of forces and energies on the validation frames, against the epoch.

    Parameters
    ----------
    histories
        Name of a training, such as ``raw`` -> its history.
    axes
        Three panels to draw into: losses, forces, energies; default: a new figure.
    """
    if axes is None:
        axes = new_figure(1, 3, width=13.0, height=3.9)[1]
    losses, forces, energies = axes
    for name, style in model_styles(histories).items():
        history = histories[name].epochs
        epochs = [epoch.epoch for epoch in history]
        of_model = {**style, "label": name}
        losses.plot(
            epochs, [epoch.validation_loss for epoch in history], **style, label=f"{name}, validation"
        )
        thin = {**style, "linewidth": 1.0, "linestyle": ":"}
        losses.plot(epochs, [epoch.training_loss for epoch in history], **thin, label=f"{name}, training")
        forces.plot(epochs, [epoch.validation_force_mae_kcal_mol_A for epoch in history], **of_model)
        energies.plot(epochs, [epoch.validation_energy_mae_kcal_mol for epoch in history], **of_model)
    losses.set_ylabel("loss (validation: of squared errors)")
    forces.set_ylabel("validation force MAE (kcal/mol/Å)")
    energies.set_ylabel("validation energy MAE (kcal/mol)")
    for panel in axes:
        panel.set_xlabel("epoch")
        panel.set_yscale("log")
    for panel in (forces, energies):
        panel.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("{x:g}")
        if len(histories) > 1:
            panel.legend(frameon=False)
    losses.legend(frameon=False)
    return losses, forces, energies
