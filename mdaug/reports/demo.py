"""Report of the demo: a raw and an augmented model side by side, from springs to hot dynamics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ase import Atoms

from mdaug.analysis.accuracy import AccuracyResult
from mdaug.analysis.drift import DriftResult
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.analysis.stability import StabilityResult
from mdaug.analysis.survival import SurvivalResult
from mdaug.frames import FloatArray
from mdaug.reports.drift import drift_figure, drift_table
from mdaug.reports.html import Cell, Opening, Picture, Section, Table, write_page
from mdaug.reports.model import molecule_section
from mdaug.reports.molecule import MoleculeView
from mdaug.reports.scan import scan_section
from mdaug.reports.stability import failure_section, plot_survival, save_stability_figure
from mdaug.reports.style import model_color, save
from mdaug.reports.training import accuracy_section, curves_section, frames_section, springs_section
from mdaug.springs import SpringAnalysis
from mdaug.training.history import History
from mdaug.verdicts import Verdict

SIMILAR = 1.5
"""Force errors whose ratio is below this are called similar."""


@dataclass(frozen=True)
class DemoLane:
    """One model of the demo and its results.

    Parameters
    ----------
    name
        ``raw`` or ``augmented``.
    n_frames
        Frames trained on, augmented ones included.
    data
        Name of the frames.
    structure, bonds
        The training frame of lowest energy, and the entry ``"bonds"`` of the model's manifest.
    frame_energies_kcal_mol
        Kind of frames -> energies above the lowest raw frame.
    springs
        None for the raw model.
    history, seconds
        Of the training.
    test
        Errors on test frames, None without any.
    scan
        None if no hydrogen is bonded.
    drift
        None if the run at constant energy was stopped.
    stability
        Stability of the run at the temperature of the frames.
    survival
        Survival of the hot runs; None if several runs at once are not possible.
    nve_stopped, nvt_stopped
        Reason why the guard stopped a run; None for a complete run.
    failure
        The last frames of the hot run that failed first.
    verdicts
        Verdicts of all parts.
    has_baseline
        Whether the network is added to a force field.
    """

    name: str
    n_frames: int
    data: str
    structure: Atoms
    bonds: list[dict[str, Any]]
    frame_energies_kcal_mol: dict[str, FloatArray]
    springs: SpringAnalysis | None
    history: History
    seconds: float
    test: AccuracyResult | None
    scan: ScanResult | None
    drift: DriftResult | None
    stability: StabilityResult
    survival: SurvivalResult | None
    nve_stopped: str | None
    nvt_stopped: str | None
    failure: MoleculeView | None
    verdicts: list[Verdict]
    has_baseline: bool = False


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


def demo_verdicts(lanes: Sequence[DemoLane]) -> list[Verdict]:
    """Return the verdicts of all models, those of the same check beside each other.

    Parameters
    ----------
    lanes
        The raw and the augmented model.
    """
    names = list(dict.fromkeys(verdict.name for lane in lanes for verdict in lane.verdicts))
    return [
        replace(verdict, name=f"{name}: {lane.name}")
        for name in names
        for lane in lanes
        for verdict in lane.verdicts
        if verdict.name == name
    ]


def summary_table(lanes: Sequence[DemoLane]) -> Table:
    """Return a row for each result, a column for each model.

    Parameters
    ----------
    lanes
        The raw and the augmented model.
    """
    rows: list[list[Cell]] = [
        ["frames trained on", *(lane.n_frames for lane in lanes)],
        ["minutes of training", *(round(lane.seconds / 60.0, 1) for lane in lanes)],
    ]
    if all(lane.test for lane in lanes):
        errors = [lane.test.to_json() for lane in lanes if lane.test]
        rows.append(["force MAE on test frames (kcal/mol/Å)", *(e["force_mae_kcal_mol_A"] for e in errors)])
        rows.append(["energy MAE on test frames (kcal/mol)", *(e["energy_mae_kcal_mol"] for e in errors)])
    scans = [lane.scan for lane in lanes if lane.scan]
    if len(scans) == len(lanes):
        metrics = [scan_metrics(scan) for scan in scans]
        spurious = [m["n_spurious_minima"] + m["n_spurious_maxima"] for m in metrics]
        rows.append([f"{scans[0].name} scan: spurious minima and maxima", *spurious])
        if all(m["reference"] for m in metrics):
            label = f"{scans[0].name} scan: rms error below 150 kcal/mol (kcal/mol)"
            rows.append([label, *(m["reference"]["rmse_below_150_kcal_mol"] for m in metrics)])
    rows.append(["energy drift (meV/atom/ps)", *(_drift(lane) for lane in lanes)])
    rows.append(["first broken bond, temperature of the frames", *(_broken(lane) for lane in lanes)])
    hot = [lane.survival for lane in lanes if lane.survival]
    if len(hot) == len(lanes):
        label = f"runs that live {hot[0].duration_ps:g} ps at {hot[0].temperature_K:g} K"
        rows.append([label, *(f"{result.n_survived} of {len(result.lives)}" for result in hot)])
    return Table(["", *(lane.name for lane in lanes)], rows)


def conclusions(lanes: Sequence[DemoLane]) -> list[str]:
    """Return sentences on what the results mean: accuracy, hot dynamics, scan; as measured.

    Parameters
    ----------
    lanes
        The raw and the augmented model.
    """
    raw, augmented = lanes
    return [
        *_accuracy_sentence(raw, augmented),
        *_survival_sentence(raw, augmented),
        *_scan_sentence(raw, augmented),
    ]


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


def _accuracy_sentence(raw: DemoLane, augmented: DemoLane) -> list[str]:
    if raw.test is None or augmented.test is None:
        return []
    errors = [lane.test.to_json()["force_mae_kcal_mol_A"] for lane in (raw, augmented) if lane.test]
    values = f"{errors[0]:.2f} (raw) and {errors[1]:.2f} (augmented) kcal/mol/Å"
    ratio = max(errors) / max(min(errors), 1e-12)
    if ratio < SIMILAR:
        meaning = "so errors on frames like those of the training do not show which model is safe in MD"
    else:
        better = "raw" if errors[0] < errors[1] else "augmented"
        meaning = f"so on frames like those of the training the {better} model is the more accurate one"
    return [f"The force errors on test frames are {values}, {meaning}."]


def _survival_sentence(raw: DemoLane, augmented: DemoLane) -> list[str]:
    one, other = raw.survival, augmented.survival
    if one is None or other is None:
        return []
    counts = (
        f"At {one.temperature_K:g} K, {one.n_survived} of {len(one.lives)} runs of the raw model live "
        f"{one.duration_ps:g} ps and {other.n_survived} of {len(other.lives)} of the augmented one"
    )
    if other.n_survived > one.n_survived:
        means = "baseline and augmented frames keep" if augmented.has_baseline else "augmented frames keep"
        meaning = f"the {means} the molecule whole where the raw frames have no data"
        if other.n_survived < len(other.lives):
            meaning += ", though not always"
    elif one.n_survived == other.n_survived == 0:
        meaning = "neither model is safe at this temperature; a longer training may help (`mdaug train`)"
    elif other.n_survived == one.n_survived:
        meaning = "these runs show no difference; hotter or longer ones might"
    else:
        meaning = "here augmentation did not help; a longer training may (`mdaug train`)"
    return [f"{counts}: {meaning}."]


def _scan_sentence(raw: DemoLane, augmented: DemoLane) -> list[str]:
    if raw.scan is None or augmented.scan is None:
        return []
    metrics = [scan_metrics(scan) for scan in (raw.scan, augmented.scan)]
    spurious = [_extrema(m["n_spurious_minima"] + m["n_spurious_maxima"]) for m in metrics]
    text = (
        f"Along {raw.scan.name}, compressed and stretched, the raw model has {spurious[0]}, the "
        f"augmented model {spurious[1]}"
    )
    if all(m["reference"] for m in metrics):
        errors = [m["reference"]["rmse_below_150_kcal_mol"] for m in metrics]
        label = metrics[0]["reference"]["label"]
        if None not in errors:
            text += f"; their rms errors against {label} are {errors[0]:.3g} and {errors[1]:.3g} kcal/mol"
    return [f"{text}."]


def _extrema(n: int) -> str:
    return {0: "no spurious minimum or maximum", 1: "one spurious minimum or maximum"}.get(
        n, f"{n} spurious minima and maxima"
    )


def _drift(lane: DemoLane) -> Cell:
    return "stopped" if lane.drift is None else lane.drift.slope_meV_per_atom_ps


def _broken(lane: DemoLane) -> str:
    """Return the first broken bond of the run at the temperature of the frames, with its time."""
    result = lane.stability
    if result.first_broken_bond is not None and lane.nvt_stopped and "equilibration" in lane.nvt_stopped:
        return f"{result.first_broken_bond} in the equilibration"
    if result.first_broken_bond is not None:
        return f"{result.first_broken_bond} at {result.time_to_failure_ps:.3g} ps"
    if lane.nvt_stopped:
        return lane.nvt_stopped
    return f"none in {result.times_ps[-1]:.3g} ps"
