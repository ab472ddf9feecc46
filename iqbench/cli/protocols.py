"""``iqbench protocols``: list and show the protocols."""

from __future__ import annotations

import click

from iqbench.cli.streams import print_result

__all__ = ["protocols"]

_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@click.group()
def protocols() -> None:
    """Protocols: list, show.

    \b
    Examples:
      iqbench protocols list
      iqbench protocols show sr-y
    """


@protocols.command("list")
@_FORMAT
def list_protocols(form: str) -> None:
    """List all presets.

    Example: iqbench protocols list
    """
    import pandas as pd

    from iqbench.document.records import render_records
    from iqbench.document.terminal import Window
    from iqbench.protocols.presets import load_presets

    rows = [
        {
            "protocol": name,
            "version": preset.version,
            "parameters": ", ".join(preset.parameters),
            "what": preset.summary,
        }
        for name, preset in load_presets().items()
    ]
    window = Window.of_stdout()
    print_result(render_records(pd.DataFrame(rows), form, window=window), form, color=window.color)


@protocols.command("show")
@click.argument("name")
@_FORMAT
def show_protocol(name: str, form: str) -> None:
    """Show a preset: its source, and what the metrics of each role see.

    Example: iqbench protocols show sr-y
    """
    import json

    from iqbench.errors import unknown_name
    from iqbench.protocols.presets import load_presets

    presets = load_presets()
    if name not in presets:
        raise unknown_name("protocol", name, presets)
    preset = presets[name]
    if form == "json":
        click.echo(json.dumps([{"protocol": name, **preset.model_dump()}], indent=2))
        return
    click.echo(f"{name}, version {preset.version}: {preset.summary}\nSource: {preset.citation}")
    for role, template in preset.templates.items():
        # What gray is matters to MATLAB's luma alone.
        left_out = set() if template.colour.startswith("luma-studio") else {"gray"}
        shown = template.model_dump(exclude=left_out)
        click.echo(f"{role}: " + ", ".join(f"{key} {value}" for key, value in shown.items()))
    if preset.peak is not None:
        click.echo(f"sample value of white: {preset.peak}")
    for metric, variant in preset.variants.items():
        click.echo(f"{metric} means {variant}")
    if preset.metrics:
        click.echo(f"metrics by default: {', '.join(preset.metrics)}")
