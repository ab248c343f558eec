"""The configuration of a training: a TOML file with one section for each step."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import Field, ValidationError

from mdaug.augmentation.options import AugmentOptions, AugmentSettings
from mdaug.data.splits import SplitOptions
from mdaug.errors import DataError, SettingsError
from mdaug.files import write_text
from mdaug.models.options import SchNetOptions
from mdaug.options import Options
from mdaug.springs.options import SpringOptions, SpringSettings
from mdaug.training.options import TrainOptions
from mdaug.workflows.settings.data_section import DataSection, SourceTable, file_hash
from mdaug.workflows.settings.delta_options import DeltaSettings
from mdaug.workflows.settings.inputs import find_config
from mdaug.workflows.settings.workflow_options import HardeningSettings

Sections = Mapping[str, Mapping[str, Any]]
"""Section -> key -> value."""

MAX_BYTES = 1 << 16
"""Size of a configuration; those of mdaug have a few thousand bytes."""

CONFIG, RUN = "config.toml", "run.json"
"""Configuration that a run recorded, and a file beside it that other folders do not have."""

MAX_PARTS = 20
"""Parts of a dotted key in a TOML file; those of mdaug have two."""

_LONG_KEY = re.compile(rb"(?<![\w\"'-])(?:[\w\"'-]++\s*+\.\s*+){%d}" % MAX_PARTS)


class AugmentSection(AugmentSettings):
    """Augmentation of the training frames."""

    enabled: Annotated[bool, Parameter(parse=False)] = True
    """Train on augmented frames too; false trains a raw model."""

    explored: Path | None = None
    """File of `mdaug explore`, whose frames are added to the augmented frames, with their own weights."""

    compare: bool = True
    """Rule force-matched: compare short trainings with and without augmented frames on the validation frames,
    and leave the augmented frames out where they do harm."""


class CommitteeSection(Options):
    """Networks that are trained beside the model, on the same frames with other seeds."""

    networks: Annotated[int, Field(ge=1, le=100)] = 1
    """Networks of the committee, the model among them; its deviation needs at least two."""


class RunConfig(Options):
    """All settings of a training. The defaults are those of ``inputs/ethanol.toml``."""

    data: DataSection = DataSection()
    split: SplitOptions = SplitOptions()
    springs: SpringSettings = SpringSettings()
    augment: AugmentSection = AugmentSection()
    model: SchNetOptions = SchNetOptions()
    training: TrainOptions = TrainOptions()
    delta: DeltaSettings = DeltaSettings()
    hardening: HardeningSettings = HardeningSettings()
    committee: CommitteeSection = CommitteeSection()

    @property
    def spring_options(self) -> SpringOptions:
        """Options of the spring fit; its cutoff is the model's."""
        return SpringOptions(**self.springs.model_dump(exclude_unset=True), cutoff=self.model.cutoff)

    @property
    def augment_options(self) -> AugmentOptions:
        """Options of the augmentation; its cutoff is the model's."""
        settings = self.augment.model_dump(exclude={"enabled", "explored", "compare"}, exclude_unset=True)
        return AugmentOptions(**settings, cutoff=self.model.cutoff)

    def replace(self, changes: Sections) -> "RunConfig":
        """Return a validated copy with some keys replaced.

        Parameters
        ----------
        changes
            Section -> key -> value.

        Raises
        ------
        SettingsError
            For an unknown section or key, or a wrong value.
        """
        sections = self.model_dump()
        if "n_vectors" not in self.model.model_fields_set:  # then it follows n_filters
            del sections["model"]["n_vectors"]
        tables = [table.model_dump(exclude_unset=True) for table in self.data.sources]
        sections["data"]["sources"] = tables  # keys that are not set are those of [data]
        if tables:
            del sections["data"]["source"]
        return _validate(_merge(sections, changes), "the given options")


def load_config(path: Path | str | None = None, changes: Sections | None = None) -> RunConfig:
    """Read a configuration. Precedence: `changes` (command-line options), then the file, then the defaults.

    Parameters
    ----------
    path
        A TOML file, which may be the config.toml of a run, or the name of a shipped one; None for the
        defaults alone.
    changes
        Section -> key -> value.

    Raises
    ------
    DataError
        For a missing file or broken TOML.
    SettingsError
        For an unknown section or key (with the nearest one), or a wrong value.

    Examples
    --------
    >>> config = load_config("demo", {"data": {"source": "frames.xyz", "temperature": 500.0}})
    >>> config.training.epochs
    300
    """
    if path is None:
        return _validate(_merge({}, changes or {}), "the given options")
    file = find_config(path)
    if file.name == CONFIG and file.with_name(RUN).exists():
        return load_recorded_config(file, changes)
    return _validate(_merge(_with_full_paths(_read_toml(file), file), changes or {}), str(file))


def load_recorded_config(path: Path, changes: Sections | None = None) -> RunConfig:
    """Read the configuration that a run recorded with `save_config`.

    Runs recorded before networks had vectors do not name their number; it is 0.

    Parameters
    ----------
    path
        ``config.toml`` of the run.
    changes
        Section -> key -> value, which override the file.

    Raises
    ------
    DataError, SettingsError
        As for `load_config`.
    """
    sections = _with_full_paths(_read_toml(path), path)
    model = {"n_vectors": 0} | sections.get("model", {})
    return _validate(_merge(sections | {"model": model}, changes or {}), str(path))


def save_config(config: RunConfig, path: Path) -> None:
    """Write every setting as TOML, with absolute paths and the hash of the data, so that it can be used from
    any folder.

    Parameters
    ----------
    config
        Settings of a training.
    path
        File to write.
    """
    import tomli_w

    from mdaug.data.sources import in_full

    sections = config.model_dump(mode="json", exclude_none=True)
    data = sections["data"]
    for table in data["sources"] or [data]:
        if Path(table["source"]).is_file():
            table["sha256"] = file_hash(Path(table["source"]))
        table["source"] = in_full(table["source"])
    for part in ("validation", "test"):
        if part in data:
            if Path(data[part]).is_file():
                data[f"{part}_sha256"] = file_hash(Path(data[part]))
            data[part] = in_full(data[part])
    if data["sources"]:
        _keep_what_was_set(config.data, data)
    else:
        del data["sources"]
    if config.augment.explored is not None:
        sections["augment"]["explored"] = str(config.augment.explored.resolve())
    write_text(path, tomli_w.dumps(sections))


def _keep_what_was_set(section: DataSection, data: dict[str, Any]) -> None:
    """Leave out of each source what it takes from [data]."""
    for table, settings in zip(data["sources"], section.sources, strict=True):
        for key in set(table) - settings.model_fields_set - {"source", "sha256", "weight"}:
            del table[key]
    del data["source"]


def _with_full_paths(sections: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return `sections` with the paths that are relative to `file` in full."""
    from mdaug.data.sources import beside

    folder = file.resolve().parent
    data = sections.get("data", {})
    tables = [table for table in _listed(data.get("sources")) if isinstance(table, dict)]
    places = [
        (data, "source"),
        (data, "validation"),
        (data, "test"),
        (sections.get("augment", {}), "explored"),
    ]
    for table, key in [*places, *((table, "source") for table in tables)]:
        if isinstance(table.get(key), str):
            table[key] = beside(folder, table[key])
    return sections


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _read_toml(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: more than {MAX_BYTES} bytes; expected the settings of a training")
    if _LONG_KEY.search(content):  # Python's parser takes minutes for a key of thousands of parts
        raise DataError(f"{path}: not valid TOML: a key of more than {MAX_PARTS} parts; expected SECTION.KEY")
    try:
        sections = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise DataError(f"{path}: not valid TOML: it nests too deeply") from error
    for name, keys in sections.items():
        if not isinstance(keys, dict):
            raise SettingsError(
                f"{path}: key {name!r} is outside the sections {_section_names()}; move it into one of them"
            )
    return sections


def _merge(sections: Mapping[str, Any], changes: Sections) -> dict[str, dict[str, Any]]:
    merged = {name: dict(keys) for name, keys in sections.items()}
    for name, keys in changes.items():
        merged.setdefault(name, {}).update(keys)
    given = changes.get("data", {})
    if ("source" in given or "sources" in given) and "sha256" not in given:
        merged["data"].pop("sha256", None)  # of another file
    for part in ("validation", "test"):
        if part in given and f"{part}_sha256" not in given:
            merged["data"].pop(f"{part}_sha256", None)
    for one, other in (("source", "sources"), ("sources", "source")):
        if one in given and other not in given:
            merged["data"].pop(other, None)
    return merged


def _validate(sections: Mapping[str, Any], where: str) -> RunConfig:
    try:
        return RunConfig.model_validate(sections)
    except ValidationError as error:
        raise SettingsError(f"{where}: {_violation(error)}") from error


def _violation(error: ValidationError) -> str:
    """Return in one line the first wrong section, key or value and what was expected."""
    first = error.errors(include_url=False)[0]
    section, *rest = (str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        if not rest:
            return f"unknown section [{section}]; {_nearest(section, list(RunConfig.model_fields), '[{}]')}"
        keys = list(RunConfig.model_fields[section].default.__class__.model_fields)
        if rest[0] == "sources":
            nearest = _nearest(rest[-1], list(SourceTable.model_fields), "{!r}")
            return f"[[data.sources]] has no key {rest[-1]!r}; {nearest}"
        if rest[0] == "cutoff":
            return f"[{section}] has no key 'cutoff'; set cutoff in [model], it holds for all"
        return f"[{section}] has no key {rest[0]!r}; {_nearest(rest[0], keys, '{!r}')}"
    message = first["msg"].removeprefix("Value error, ")
    if not rest:
        return f"[{section}]: {message}"
    return f"[{section}] {'.'.join(rest)} = {first['input']!r}: {message}"


def _nearest(name: str, names: list[str], form: str) -> str:
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if nearest:
        return f"did you mean {form.format(nearest[0])}?"
    return f"known are {', '.join(names)}"


def _section_names() -> str:
    return ", ".join(f"[{name}]" for name in RunConfig.model_fields)
