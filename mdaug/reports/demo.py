"""Report of the demo: a raw and an augmented model side by side, from springs to hot dynamics."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mdaug.reports.demo_model import DemoModel
from mdaug.reports.demo_summary import conclusions, demo_verdicts, summary_table
from mdaug.reports.drift import drift_figure, drift_table
from mdaug.reports.html import Cell, Opening, Picture, Section, Table, write_page
from mdaug.reports.model import molecule_section
from mdaug.reports.scan import scan_section
from mdaug.reports.stability import failure_section, plot_survival, save_stability_figure
from mdaug.reports.style import model_color, save
from mdaug.reports.training import accuracy_section, curves_section, frames_section, springs_section


def write_demo_report(folder: Path, models: Sequence[DemoModel]) -> Path:
    """Write the figures and report.html, and return the page's path.

    Parameters
    ----------
    folder
        Run folder of the demo.
    models
        The raw and the augmented model.
    """
    springs = next((model.system.springs for model in models if model.system.springs is not None), None)
    most = max(models, key=lambda model: model.n_frames)
    sections = [
        Section("Results", tables=[summary_table(models)]),
        *survival_sections(folder, models),
        *scan_section(folder, [model.system.scan for model in models if model.system.scan is not None]),
        molecule_section(folder, most.system.structure, most.system.bonds),
        *springs_section(folder, springs),
        frames_section(folder, most.system.frame_energies_kcal_mol),
        curves_section(folder, {model.name: model.history for model in models}),
        *accuracy_section(folder, {model.name: model.system.test for model in models}),
        drift_section(folder, models),
        stability_section(folder, models),
    ]
    opening = Opening(demo_verdicts(models), f"{_introduction(models)}\n\n{' '.join(conclusions(models))}")
    return write_page(
        folder / "report.html",
        f"{models[0].data}: raw and augmented model side by side",
        sections,
        opening=replace(opening, next_commands=next_commands(folder, models)),
        footer="Each model has a full report of its training in its own folder, beside model.pt.",
    )


def next_commands(folder: Path, models: Sequence[DemoModel]) -> list[tuple[str, str]]:
    """Return the commands to run after the demo.

    Parameters
    ----------
    folder
        Run folder of the demo.
    models
        The raw and the augmented model.
    """
    folder_of_last = folder / models[-1].name
    commands = [(f"mdaug info {folder_of_last}", "the model and its atom indices")]
    scan = models[-1].system.scan
    if scan is not None:
        both = " ".join(str(folder / model.name) for model in models)
        i, j = scan.bond
        commands.append((f"mdaug scan {both} --bond {i} {j}", "energy along a bond"))
    return [
        *commands,
        (f"mdaug nve {folder_of_last} --out nve", "MD at constant energy"),
        ("mdaug train MY_FRAMES.xyz --temperature 500", "your own molecule, MD frames at 500 K"),
    ]


def survival_sections(folder: Path, models: Sequence[DemoModel]) -> list[Section]:
    """Return the sections of the hot runs and of the structure at the first failure of each model.

    Parameters
    ----------
    folder
        Folder for survival.png and, in the folder of a model that failed, failure.png.
    models
        The raw and the augmented model.
    """
    results = {model.name: model.dynamics.survival for model in models if model.dynamics.survival is not None}
    if not results:
        text = "Not run: several runs at once are possible for molecules only, not for periodic systems."
        return [Section("Hot dynamics", text)]
    one = next(iter(results.values()))
    text = (
        f"{len(one.lives)} runs of each model at {one.temperature_K:g} K, each with its own random numbers. "
        "A run has failed when a bond is broken, atoms collide, the temperature is absurd, or the energy is "
        "5 kcal/mol below the minimum of the model: it has fallen into a spurious minimum."
    )
    rows: list[list[Cell]] = [
        [name, k, f"{life.lived_ps:.3g}", life.failure]
        for name, result in results.items()
        for k, life in enumerate(result.lives)
        if life.failure is not None
    ]
    tables = [Table(["model", "run", "lived (ps)", "what ended it"], rows)] if rows else []
    figure = Picture(save(plot_survival(results), folder / "survival.png"))
    failures = [
        section
        for model in models
        for section in failure_section(folder / model.name, model.dynamics.failure, model.name)
    ]
    return [Section("Hot dynamics", text, [figure], tables), *failures]


def drift_section(folder: Path, models: Sequence[DemoModel]) -> Section:
    """Return the section of the energy drift of the NVE runs.

    Parameters
    ----------
    folder
        Folder for drift.png.
    models
        The raw and the augmented model.
    """
    results = [model.dynamics.drift for model in models if model.dynamics.drift is not None]
    text = (
        "Total energy in MD without a thermostat, 300 K. It is conserved if the forces are the gradient of "
        "the energy and smooth at the cutoff."
    )
    why_stopped = {model.name: model.dynamics.nve_stopped for model in models}
    stopped = [f"{name}: {why}." for name, why in why_stopped.items() if why]
    text = "\n\n".join([text, *stopped])
    if not results:
        return Section("Energy drift", text)
    figure = Picture(save(drift_figure(results), folder / "drift.png"), wide=True)
    return Section("Energy drift", text, [figure], [drift_table(results)])


def stability_section(folder: Path, models: Sequence[DemoModel]) -> Section:
    """Return the section of the thermostatted runs at the temperature of the frames.

    Parameters
    ----------
    folder
        Folder for one figure per model.
    models
        The raw and the augmented model.
    """
    pictures = []
    for model in models:
        path = folder / f"stability_{model.name}.png"
        save_stability_figure(model.dynamics.stability, path, color=model_color(model.name))
        pictures.append(Picture(path, model.name, wide=True))
    tolerance_A = models[0].dynamics.stability.tolerance_A
    text = (
        "MD at the temperature of the frames. A bond is broken when its length deviates by more than "
        f"{tolerance_A:g} Å from its mean in the training frames; distances and torsions are compared with "
        "those frames."
    )
    why_stopped = {model.name: model.dynamics.nvt_stopped for model in models}
    stopped = [f"{name}: {why}." for name, why in why_stopped.items() if why]
    return Section("Stability", "\n\n".join([text, *stopped]), pictures)


def _introduction(models: Sequence[DemoModel]) -> str:
    text = (
        f"Two SchNet force fields from the same frames of {models[0].data}: `raw` is trained on the frames "
        "as they are, `augmented` also on distorted frames whose energies and forces were learned from the "
        "frames"
    )
    if models[-1].has_baseline:
        text += ", and its network is added to a force field that was fitted to the frames, the baseline"
    return f"{text}."
