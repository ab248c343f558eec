"""Configuration files of trainers, from the templates beside this module."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def configuration(name: str, **values: Any) -> str:
    """Return the text of a configuration file.

    Parameters
    ----------
    name
        The template, without its ending ``.j2``.
    **values
        What the template inserts.
    """
    environment = Environment(
        loader=PackageLoader("mdaug.data.trainers"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{name}.j2").render(values)
