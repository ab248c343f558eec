"""The page of a training: what it learnt from, how it went, how well it does on unseen frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from mdaug.analysis.accuracy import AccuracyResult
from mdaug.reports.accuracy import errors_table, save_accuracy_figure
from mdaug.reports.html import Picture, Section, write_page
from mdaug.reports.springs import plot_springs, springs_table
from mdaug.reports.style import AUGMENTED, RAW, new_figure, save
from mdaug.springs import SpringAnalysis
from mdaug.training.history import History


@dataclass(frozen=True)
class TrainingReport:
    """What the page of a training shows.

    Parameters
    ----------
    data, level_of_theory
        Of the frames.
    name
        ``raw`` or ``augmented``.
    results
        The content of results.json.
    settings
        The text of config.toml.
    """

    data: str
    level_of_theory: str | None
    name: str
    history: History
    springs: SpringAnalysis | None
    test: AccuracyResult | None
    results: Mapping[str, Any]
    settings: str


def write_training_report(folder: Path, report: TrainingReport) -> Path:
    """Write the figures and report.html of a training into `folder`."""
    sections = [
        *springs_section(folder, report.springs),
        curves_section(folder, {report.name: report.history}),
        *accuracy_section(folder, {report.name: report.test}),
        settings_section(report.settings),
    ]
    return write_page(folder / "report.html", _title(report), sections, summary=_summary(report))


def settings_section(settings: str) -> Section:
    """Return the section with the text of config.toml."""
    text = "All of `config.toml` beside this page: `mdaug train --config config.toml` trains so again."
    return Section("Settings", text, listing=settings)


def springs_section(folder: Path, springs: SpringAnalysis | None) -> list[Section]:
    """Return the section of the springs with its figure and table, or none."""
    if springs is None:
        return []
    figure = save(plot_springs(springs)[0], folder / "springs.png")
    text = (
        "Distances of each pair of elements in the training frames (bars), their Gaussian mixture (line) and "
        "its components. A component of width σ around μ is a spring of constant k = k_B T / σ²."
    )
    return [Section("Springs", text, [figure], [springs_table(springs)])]


def curves_section(folder: Path, histories: Mapping[str, History]) -> Section:
    """Return the section of the training curves with its figure."""
    figure = save(plot_training(histories)[0], folder / "training.png")
    return Section(
        "Training", "Errors on the validation frames after each epoch, of the averaged weights.", [figure]
    )


def accuracy_section(folder: Path, results: Mapping[str, AccuracyResult | None]) -> list[Section]:
    """Return the section of the errors on the test frames, or none without test frames."""
    known = {name: result for name, result in results.items() if result is not None}
    if not known:
        return []
    pictures = []
    for name, result in known.items():
        path = folder / (f"parity_{name}.png" if len(known) > 1 else "parity.png")
        save_accuracy_figure(result, path)
        pictures.append(Picture(path, name if len(known) > 1 else ""))
    text = "Errors on test frames, which neither the training nor the choice of the model has seen."
    return [Section("Accuracy", text, pictures, [errors_table(known)])]


def _title(report: TrainingReport) -> str:
    return f"Force field from {report.data}: {report.name}"


def _summary(report: TrainingReport) -> str:
    counts = report.results["training"]
    theory = f" ({report.level_of_theory})" if report.level_of_theory else ""
    frames = f"{counts['n_raw_frames']} frames of {report.data}{theory}"
    if counts["n_augmented_frames"]:
        frames += f" and {counts['n_augmented_frames']} augmented ones"
    text = (
        f"SchNet trained on {frames} in {counts['seconds'] / 60:.1f} minutes; "
        f"best of {counts['epochs']} epochs: {counts['best_epoch']}."
    )
    if report.test is not None:
        errors = report.test.to_json()
        text += (
            f" On {errors['n_frames']} test frames: "
            f"force MAE {errors['force_mae_kcal_mol_A']:.3f} kcal/mol/Å, "
            f"energy MAE {errors['energy_mae_kcal_mol']:.3f} kcal/mol."
        )
    return text


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
