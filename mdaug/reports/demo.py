"""Report of the demo: a raw and an augmented model side by side, from springs to hot dynamics."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mdaug.reports.demo_lane import DemoLane
from mdaug.reports.demo_summary import conclusions, demo_verdicts, summary_table
from mdaug.reports.drift import drift_figure, drift_table
from mdaug.reports.html import Cell, Opening, Picture, Section, Table, write_page
from mdaug.reports.model import molecule_section
from mdaug.reports.scan import scan_section
from mdaug.reports.stability import failure_section, plot_survival, save_stability_figure
from mdaug.reports.style import model_color, save
from mdaug.reports.training import accuracy_section, curves_section, frames_section, springs_section


def write_demo_report(folder: Path, lanes: Sequence[DemoLane]) -> Path:
    """Write the figures and report.html, and return the page's path.

    Parameters
    ----------
    folder
        Run folder of the demo.
    lanes
        The raw and the augmented model.
    """
    springs = next((lane.springs for lane in lanes if lane.springs is not None), None)
    most = max(lanes, key=lambda lane: lane.n_frames)
    sections = [
        Section("Results", tables=[summary_table(lanes)]),
        *survival_sections(folder, lanes),
        *scan_section(folder, [lane.scan for lane in lanes if lane.scan is not None]),
        molecule_section(folder, most.structure, most.bonds),
        *springs_section(folder, springs),
        frames_section(folder, most.frame_energies_kcal_mol),
        curves_section(folder, {lane.name: lane.history for lane in lanes}),
        *accuracy_section(folder, {lane.name: lane.test for lane in lanes}),
        drift_section(folder, lanes),
        stability_section(folder, lanes),
    ]
    opening = Opening(demo_verdicts(lanes), f"{_introduction(lanes)}\n\n{' '.join(conclusions(lanes))}")
    return write_page(
        folder / "report.html",
        f"{lanes[0].data}: raw and augmented model side by side",
        sections,
        opening=replace(opening, next_commands=next_commands(folder, lanes)),
        footer="Each model has a full report of its training in its own folder, beside model.pt.",
    )


def next_commands(folder: Path, lanes: Sequence[DemoLane]) -> list[tuple[str, str]]:
    """Return the commands to run after the demo.

    Parameters
    ----------
    folder
        Run folder of the demo.
    lanes
        The raw and the augmented model.
    """
    model = folder / lanes[-1].name
    commands = [(f"mdaug info {model}", "the model and its atom indices")]
    scan = lanes[-1].scan
    if scan is not None:
        both = " ".join(str(folder / lane.name) for lane in lanes)
        i, j = scan.bond
        commands.append((f"mdaug scan {both} --bond {i} {j}", "energy along a bond"))
    return [
        *commands,
        (f"mdaug nve {model} --out nve", "MD at constant energy"),
        ("mdaug train MY_FRAMES.xyz --temperature 500", "your own molecule, MD frames at 500 K"),
    ]


def survival_sections(folder: Path, lanes: Sequence[DemoLane]) -> list[Section]:
    """Return the sections of the hot runs and of the structure at the first failure of each model.

    Parameters
    ----------
    folder
        Folder for survival.png and, in the folder of a model that failed, failure.png.
    lanes
        The raw and the augmented model.
    """
    results = {lane.name: lane.survival for lane in lanes if lane.survival is not None}
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
        section for lane in lanes for section in failure_section(folder / lane.name, lane.failure, lane.name)
    ]
    return [Section("Hot dynamics", text, [figure], tables), *failures]


def drift_section(folder: Path, lanes: Sequence[DemoLane]) -> Section:
    """Return the section of the energy drift of the NVE runs.

    Parameters
    ----------
    folder
        Folder for drift.png.
    lanes
        The raw and the augmented model.
    """
    results = [lane.drift for lane in lanes if lane.drift is not None]
    text = (
        "Total energy in MD without a thermostat, 300 K. It is conserved if the forces are the gradient of "
        "the energy and smooth at the cutoff."
    )
    stopped = [f"{lane.name}: {lane.nve_stopped}." for lane in lanes if lane.nve_stopped]
    text = "\n\n".join([text, *stopped])
    if not results:
        return Section("Energy drift", text)
    figure = Picture(save(drift_figure(results), folder / "drift.png"), wide=True)
    return Section("Energy drift", text, [figure], [drift_table(results)])


def stability_section(folder: Path, lanes: Sequence[DemoLane]) -> Section:
    """Return the section of the thermostatted runs at the temperature of the frames.

    Parameters
    ----------
    folder
        Folder for one figure per model.
    lanes
        The raw and the augmented model.
    """
    pictures = []
    for lane in lanes:
        path = folder / f"stability_{lane.name}.png"
        save_stability_figure(lane.stability, path, color=model_color(lane.name))
        pictures.append(Picture(path, lane.name, wide=True))
    text = (
        "Dynamics at the temperature of the frames. A bond is broken when it is farther than "
        f"{lanes[0].stability.tolerance_A:g} Å from its mean in the training frames; distances and torsions "
        "are compared with those frames."
    )
    stopped = [f"{lane.name}: {lane.nvt_stopped}." for lane in lanes if lane.nvt_stopped]
    return Section("Stability", "\n\n".join([text, *stopped]), pictures)


def _introduction(lanes: Sequence[DemoLane]) -> str:
    text = (
        f"Two SchNet force fields from the same frames of {lanes[0].data}: `raw` is trained on the frames as "
        "they are, `augmented` also on distorted frames whose energies and forces were learned from the "
        "frames"
    )
    if lanes[-1].has_baseline:
        text += ", and its network is added to a force field that was fitted to the frames, the baseline"
    return f"{text}."
