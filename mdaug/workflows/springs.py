"""Spring constants of a set of frames, with their file and figure."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mdaug.frames import FrameSet
from mdaug.reports.springs import plot_springs
from mdaug.reports.style import save
from mdaug.springs import Consistency, SpringAnalysis, SpringOptions, analyze_springs, write_springs
from mdaug.workflows.progress import Progress, ignore


@dataclass(frozen=True)
class SpringsResult:
    """Springs of a set of frames.

    Parameters
    ----------
    n_frames
        Frames that were read.
    analysis
        The fits with their confidence intervals.
    consistency
        Agreement of the sampling with the forces; None for frames with a cell.
    """

    n_frames: int
    analysis: SpringAnalysis
    consistency: Consistency | None


def learn_springs(
    frames: FrameSet, options: SpringOptions, folder: Path, progress: Progress = ignore
) -> SpringsResult:
    """Fit the springs of `frames` and write springs.json and springs.png into `folder`.

    Parameters
    ----------
    frames
        Sampled at a known temperature.
    options
        Options of the spring fit.
    folder
        Output folder.
    progress
        Called with the stage "springs" and the numbers of element pairs done and in all.

    Raises
    ------
    DataError
        As `fit_springs` does.
    """
    analysis = analyze_springs(frames, options, progress=partial(progress, "springs"))
    consistency = write_springs(analysis.springs, frames, folder / "springs.json")
    save(plot_springs(analysis)[0], folder / "springs.png")
    return SpringsResult(len(frames), analysis, consistency)
