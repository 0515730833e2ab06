"""`alejo help`."""

from __future__ import annotations

import click

from . import exits


@click.command("help")
@click.argument("topic", default="")
@click.pass_context
def command(context: click.Context, topic: str) -> None:
    """Explain a command, or the exit codes (alejo help exit-codes)."""
    root = context.find_root()
    if topic == "exit-codes":
        click.echo(exits.table())
        return
    if not topic:
        click.echo(root.get_help())
        return
    group = root.command
    found = group.get_command(root, topic) if isinstance(group, click.Group) else None
    if found is None:
        raise click.UsageError(f"There is no command {topic!r}.", root)
    click.echo(found.get_help(click.Context(found, info_name=topic, parent=root)))
