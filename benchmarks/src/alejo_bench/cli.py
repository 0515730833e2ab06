"""The command `alejo bench`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import click

from alejo.cli import options
from alejo_bench import (
    brain,
    brain_fit,
    commands,
    commands_fit,
    conscience,
    conscience_fit,
    core,
    emotion,
    emotion_fit,
    fit,
    memory,
    models,
    overhead,
    plugins,
    prediction,
    quotes,
    recall,
    reflection,
    replay,
    report,
    vision,
)
from alejo_bench.options import Options

# Each has `run`; `show` and `plot` where the common ones do not serve.
BENCHES: dict[str, ModuleType] = {
    "brain": brain,
    "brain-fit": brain_fit,
    "cache-replay": replay,
    "commands": commands,
    "commands-fit": commands_fit,
    "conscience": conscience,
    "conscience-fit": conscience_fit,
    "core": core,
    "emotion": emotion,
    "emotion-fit": emotion_fit,
    "fit": fit,
    "memory": memory,
    "models": models,
    "overhead": overhead,
    "plugins": plugins,
    "prediction": prediction,
    "quotes": quotes,
    "recall": recall,
    "reflection": reflection,
    "vision": vision,
}
WITH_PEERS = {"core", "memory", "recall"}

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("name", type=click.Choice(sorted(BENCHES)))
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help="The data the benchmark reads, if it needs any; or FILE.",
)
@click.option("--peers", is_flag=True, help="Measure the peers too; they are installed into .venv-peers.")
@click.option("--model", type=_FOLDER, help="recall: a sentence-transformers model, one more peer.")
@click.option("--ablation", is_flag=True, help="recall: ALEJO without each of its evidence in turn, too.")
@click.option("--judge", type=_FILE, help="reflection: write the facts to be judged, each with its message, to a file.")
@click.option("--verdicts", type=_FILE, help="reflection: take them back, each with a verdict.")
@click.option("--quick", is_flag=True, help="Fewer and shorter rounds: to see that it runs, not for figures.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures as JSON lines.")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Draw the figures as a PNG.")
@options.debug
def bench(
    name: str,
    file: Path | None,
    data: Path | None,
    peers: bool,
    model: Path | None,
    ablation: bool,
    judge: Path | None,
    verdicts: Path | None,
    quick: bool,
    json_file: Path | None,
    plot_file: Path | None,
) -> None:
    """Measures ALEJO on this machine: medians of interleaved rounds, with their range."""
    if peers and name not in WITH_PEERS:
        click.echo(f"{name} has no peers beside what it is measured against in every run.", err=True)
    module = BENCHES[name]
    rows: list[report.Row] = module.run(Options(file or data, quick, peers, model, ablation, judge, verdicts))
    getattr(module, "show", report.show)(rows)
    if json_file is not None:
        report.write_json(rows, json_file)
    if plot_file is not None:
        getattr(module, "plot", report.plot)(rows, plot_file)
