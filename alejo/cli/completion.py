"""`alejo completion`."""

from __future__ import annotations

import click
from click import shell_completion

_VARIABLE = "_ALEJO_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete this command line.

    For the shell that runs: eval "$(alejo completion bash)", or zsh; in fish: alejo completion fish | source. To keep
    it, put that line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.
    """
    # click's own classes look which version of a shell is installed here, which says nothing of where this is read.
    kind = shell_completion.get_completion_class(shell)
    assert kind is not None  # noqa: S101  the three are click's own
    made = kind(context.find_root().command, {}, "alejo", _VARIABLE)
    click.echo(kind.source_template % made.source_vars())
