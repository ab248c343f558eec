"""Report of a training: verdicts, molecule, springs, augmented frames, curves, errors, scan, settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mdaug.analysis.accuracy import AccuracyResult
from mdaug.analysis.scan import ScanResult
from mdaug.frames import FloatArray
from mdaug.options import MANY_SYSTEMS
from mdaug.reports.accuracy import errors_table, save_accuracy_figure
from mdaug.reports.delta import delta_section
from mdaug.reports.hardening import hardening_section
from mdaug.reports.html import Cell, Opening, Picture, Section, Table, write_page
from mdaug.reports.model import molecule_section
from mdaug.reports.scan import scan_section
from mdaug.reports.springs import plot_springs, springs_table
from mdaug.reports.style import model_color, save
from mdaug.reports.training_figures import plot_frame_energies, plot_training
from mdaug.springs import SpringAnalysis
from mdaug.text import some_of
from mdaug.training.history import History
from mdaug.verdicts import Verdict

AUGMENTED_KINDS = {"displacement", "stretch", "impulse"}
"""Kinds of augmented frames."""


@dataclass(frozen=True)
class SystemReport:
    """Content of the page of a training about one system.

    Parameters
    ----------
    label
        Name of the system.
    structure
        The training frame of lowest energy.
    bonds
        Entry ``"bonds"`` of the model's manifest.
    frame_energies_kcal_mol
        Kind of frames (``"raw"``, ``"displacement"``, …) -> energies above the lowest raw frame.
    springs
        None without augmentation.
    test
        Errors on test frames, None without any.
    scan
        Scan of a bond to hydrogen, None if there is no such bond.
    """

    label: str
    structure: Atoms
    bonds: list[dict[str, Any]]
    frame_energies_kcal_mol: Mapping[str, FloatArray]
    springs: SpringAnalysis | None
    test: AccuracyResult | None
    scan: ScanResult | None


@dataclass(frozen=True)
class TrainingReport:
    """Content of the page of a training.

    Parameters
    ----------
    data, level_of_theory
        Name and level of theory of the frames; None where the latter is unknown.
    name
        Kind of the model: ``raw``, ``with baseline``, ``Δ-learning`` or ``augmented``.
    model
        Path of the model.pt.
    systems
        What is about one system, for each of them.
    history
        Errors of each epoch.
    verdicts
        Verdicts at the start of the page.
    results
        The content of results.json.
    settings
        The text of config.toml.
    errors
        Of many systems: errors on test frames of all of them and of some, by name.
    """

    data: str
    level_of_theory: str | None
    name: str
    model: Path
    systems: Sequence[SystemReport]
    history: History
    verdicts: list[Verdict]
    results: Mapping[str, Any]
    settings: str
    errors: Mapping[str, AccuracyResult] = field(default_factory=dict)


def write_training_report(folder: Path, report: TrainingReport) -> Path:
    """Write the figures and report.html of a training, and return the page's path.

    Parameters
    ----------
    folder
        Run folder of the training.
    report
        The content.
    """
    curves = curves_section(folder, {report.name: report.history})
    if len(report.systems) == 1:
        only = report.systems[0]
        sections = _sections(folder, only, report.name, curves)
    elif len(report.systems) > MANY_SYSTEMS:
        sections = _sections_of_many(folder, report, curves)
    else:
        of_systems = [_system_sections(folder, system) for system in report.systems]
        tests = {system.label: system.test for system in report.systems}
        accuracy = accuracy_section(folder, tests)
        sections = [*(section for part in of_systems for section in part), curves, *accuracy]
    sections += delta_section(report.results.get("delta"))
    sections += [*hardening_section(report.results.get("hardening")), settings_section(report.settings)]
    scan = next((system.scan for system in report.systems if system.scan is not None), None)
    opening = Opening(report.verdicts, _summary(report), next_commands(report.model, scan))
    return write_page(
        folder / "report.html", f"Force field from {report.data}: {report.name}", sections, opening=opening
    )


def _sections(folder: Path, system: SystemReport, name: str, curves: Section) -> list[Section]:
    """Return the sections about the only system, and the curves of the training."""
    return [
        molecule_section(folder, system.structure, system.bonds),
        *springs_section(folder, system.springs),
        frames_section(folder, system.frame_energies_kcal_mol),
        curves,
        *accuracy_section(folder, {name: system.test}),
        *scan_section(folder, [] if system.scan is None else [system.scan]),
    ]


def _system_sections(folder: Path, system: SystemReport) -> list[Section]:
    """Return the sections about one of several systems, figures in a folder of its own."""
    place = folder / "systems" / system.label
    place.mkdir(parents=True, exist_ok=True)
    sections = [
        molecule_section(place, system.structure, system.bonds),
        *springs_section(place, system.springs),
        frames_section(place, system.frame_energies_kcal_mol),
        *scan_section(place, [] if system.scan is None else [system.scan]),
    ]
    return [replace(section, title=f"{system.label}: {section.title}") for section in sections]


def _sections_of_many(folder: Path, report: TrainingReport, curves: Section) -> list[Section]:
    """Return the sections about many systems together, and the scans that there are."""
    energies: dict[str, list[FloatArray]] = {}
    for system in report.systems:
        for kind, of_kind in system.frame_energies_kcal_mol.items():
            energies.setdefault(kind, []).append(of_kind)
    sections = [frames_section(folder, {kind: np.concatenate(own) for kind, own in energies.items()}), curves]
    for accuracy in accuracy_section(folder, dict(list(report.errors.items())[:1])):
        text = (
            f"{accuracy.text} The systems in the table are those with the largest errors of forces; "
            "results.json has all. Energies are relative to the mean of their system."
        )
        sections.append(replace(accuracy, text=text, tables=[errors_table(report.errors)]))
    for system in report.systems:
        if system.scan is not None:
            of_scan = scan_section(folder / "systems" / system.label, [system.scan])
            sections += [replace(section, title=f"{system.label}: {section.title}") for section in of_scan]
    return sections


def next_commands(model: Path, scan: ScanResult | None) -> list[tuple[str, str]]:
    """Return the commands to run after a training, with their purposes.

    Parameters
    ----------
    model
        Path of the model.pt.
    scan
        A scan, for the indices of a bond; None if there is none.
    """
    folder = model.parent
    bond = "I J" if scan is None else f"{scan.bond[0]} {scan.bond[1]}"
    return [
        (f"mdaug info {folder}", "the model and its atom indices"),
        (f"mdaug scan {folder} --bond {bond}", "energy along a bond"),
        (f"mdaug nve {folder} --out nve", "MD at constant energy"),
        (f"mdaug nvt {folder} --replicas 8 --temperature 1000", "hot MD"),
        (f"mdaug relax {folder}", "minimum and frequencies"),
    ]


def settings_section(settings: str) -> Section:
    """Return the section with the text of config.toml.

    Parameters
    ----------
    settings
        That text.
    """
    text = "All of `config.toml` beside this page: `mdaug train --config config.toml` repeats the training."
    return Section("Settings", text, listing=settings)


def springs_section(folder: Path, springs: SpringAnalysis | None) -> list[Section]:
    """Return the section of the springs with its figure and table, or none.

    Parameters
    ----------
    folder
        Folder for springs.png.
    springs
        None without augmentation.
    """
    if springs is None:
        return []
    figure = save(plot_springs(springs)[0], folder / "springs.png")
    text = (
        "Distances of each pair of elements in the training frames (bars), their Gaussian mixture (line) and "
        "its components. A component of width σ around μ is a spring of constant k = k_B T / σ²."
    )
    return [Section("Springs", text, [Picture(figure, wide=True)], [springs_table(springs)])]


def frames_section(folder: Path, energies_kcal_mol: Mapping[str, FloatArray]) -> Section:
    """Return the section of the frames that the model was trained on, by kind.

    Parameters
    ----------
    folder
        Folder for frames.png.
    energies_kcal_mol
        Kind of frames -> energies above the lowest raw frame.
    """
    figure = save(plot_frame_energies(energies_kcal_mol), folder / "frames.png")
    rows: list[list[Cell]] = [
        [kind, len(energies), *(float(value) for value in np.percentile(energies, [5, 50, 95]))]
        for kind, energies in energies_kcal_mol.items()
        if len(energies)
    ]
    columns = ["frames", "number", "5 % below (kcal/mol)", "median", "95 % below"]
    text = "Energies of the training frames above the lowest raw frame: how far up the model has data."
    if AUGMENTED_KINDS & energies_kcal_mol.keys():
        text += (
            " Augmented frames are raw frames with atoms displaced at random, with a bond stretched or "
            "compressed, or with atoms set in motion by an impulse; their energies and forces come from what "
            "was learned from the raw frames."
        )
    if "Δ-learning" in energies_kcal_mol:
        text += " Frames by Δ-learning are from MD; see the section Δ-learning for their labels."
    return Section("Training frames", text, [figure], [Table(columns, rows)])


def curves_section(folder: Path, histories: Mapping[str, History]) -> Section:
    """Return the section of the training and validation curves with its figure.

    Parameters
    ----------
    folder
        Folder for training.png.
    histories
        Name of a model -> its epochs.
    """
    figure = save(plot_training(histories)[0], folder / "training.png")
    text = (
        "After each epoch: the loss on the training frames (augmented ones included, dotted) and on the "
        "validation frames, and the errors on the validation frames, of the averaged weights."
    )
    return Section("Training", text, [Picture(figure, wide=True)])


def accuracy_section(folder: Path, results: Mapping[str, AccuracyResult | None]) -> list[Section]:
    """Return the section of the errors on the test frames, or none without test frames.

    Parameters
    ----------
    folder
        Folder for the parity plots.
    results
        Name of a model -> errors.
    """
    tested = {name: result for name, result in results.items() if result is not None}
    if not tested:
        return []
    pictures = []
    for name, result in tested.items():
        path = folder / (f"parity_{name}.png" if len(tested) > 1 else "parity.png")
        save_accuracy_figure(result, path, color=model_color(name))
        pictures.append(Picture(path, name if len(tested) > 1 else ""))
    text = "Errors on test frames, which neither the training nor the choice of the best epoch has used."
    return [Section("Accuracy", text, pictures, [errors_table(tested)])]


def _summary(report: TrainingReport) -> str:
    """Return what was trained on what, how well, and where the model is."""
    counts = report.results["training"]
    theory = f" ({report.level_of_theory})" if report.level_of_theory else ""
    frames = f"{counts['n_raw_frames']} frames of {report.data}{theory}"
    n_augmented, n_delta = counts["n_augmented_frames"], counts["n_delta_frames"]
    if n_augmented and n_delta:
        frames += f", {n_augmented} augmented ones and {n_delta} by Δ-learning"
    elif n_augmented or n_delta:
        frames += f" and {n_augmented} augmented ones" if n_augmented else f" and {n_delta} by Δ-learning"
    text = (
        f"SchNet trained on {frames} in {counts['seconds'] / 60:.1f} minutes; "
        f"best of {counts['epochs']} epochs: {counts['best_epoch']}."
    )
    references = f"Reference energies: {report.results['reference_energies']}."
    baseline = _baseline(report.results["baseline"])
    return f"{text}\n\n{baseline}\n\n{references}\n\nThe model: `{report.model.resolve()}`"


def _baseline(choice: dict[str, Any]) -> str:
    """Return what the network's energies are added to, and why."""
    if choice["used"]:
        without = choice.get("without", [])
        rest = f" For {some_of(without)} the network stands alone." if without else ""
        return f"Baseline: force field of {some_of(choice['molecules'])}; {choice['reason']}.{rest}"
    return f"No baseline: {choice['reason']}."
