"""`mdaug new`: a commented configuration for given frames."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.cli.arguments import given_options, refuse
from mdaug.cli.progress import print_next
from mdaug.errors import MDAugError, SettingsError
from mdaug.text import print_text
from mdaug.workflows.settings.options import DataOptions, Switch


def new(
    file: Path,
    /,
    *,
    data: Annotated[str | None, Parameter(name="--from")] = None,
    overwrite: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
) -> None:
    """Write a commented configuration for `mdaug train --config FILE`.

    With --from the frames are read and checked, and their temperature and the numbers of augmented frames (by
    atoms and bonds) are filled in. A JSON schema, mdaug.schema.json, is written beside it: editors
    with a TOML extension show what each key means and mark wrong ones.

    Parameters
    ----------
    file
        TOML file to write.
    data
        Frames that the configuration is for, of one system or several.
    overwrite
        Replace the file if it exists.
    """
    if file.suffix != ".toml":
        raise SettingsError(f"{file}: expected a name that ends in .toml")
    if data is None:
        refuse(given_options(source), "without --from")
    if file.exists() and not overwrite:
        raise MDAugError(f"{file} exists; give another name, or --overwrite to replace it")
    from mdaug.workflows.new import write_config

    systems = [] if data is None else source.load_several(data)
    write_config(file, systems, data, source.model_dump(exclude_unset=True))
    print_text(file)
    if any(frames.temperature_K is None for frames in systems):
        print_next(f"set temperature in {file}, then mdaug train --config {file}")
    else:
        print_next(f"mdaug train --config {file}")
