# mypy: disable-error-code="import-not-found, no-any-return"
"""What each discriminator is good for: short runs without one of them, from one reconstruction.

    python -m training.sda.ablate training/configs/sda-128.yaml --steps 300     # goes on where it stopped
    torchrun --nproc-per-node 2 -m training.sda.ablate training/configs/sda-128.yaml --steps 300

All runs start from the same weights (`reconstruct.pt` of the run), see the same batches and take the same
steps; `ablation.json` beside it is what the model card shows. After Vougioukas et al., table 3.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from parley.errors import ConfigError
from training.sda import clips
from training.sda.config import Config, Steps, load
from training.sda.evaluate import as_markdown, compare, gauges_of, generator_of
from training.sda.train import Trainer

WITHOUT = {"all three": (), "no frame": ("frame",), "no sequence": ("sequence",), "no sync": ("sync",)}


def variant(config: Config, name: str, steps: int) -> Config:
    """The run of one row."""
    left_out = dict.fromkeys(WITHOUT[name], 0.0)
    return config.model_copy(
        update={
            "out": config.out / "ablation" / name.replace(" ", "-"),
            "start_from": config.out / "reconstruct.pt",
            "weights": config.weights.model_copy(update=left_out),
            "steps": Steps(visemes=0, gauges=0, reconstruct=0, adversarial=steps),
        }
    )


def main(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    steps: Annotated[int, typer.Option(help="Adversarial steps of each row.")] = 300,
    most: Annotated[int, typer.Option(help="Held-out clips that are measured.")] = 8,
) -> None:
    """Train and measure without each discriminator.

    Raises:
        ConfigError: The run has not reconstructed yet.
    """
    run = load(config)
    begin = run.out / "reconstruct.pt"
    if not begin.is_file():
        raise ConfigError(f"{begin} does not exist.", fix=f"parley train sda {config}")
    rows = {name: variant(run, name, steps) for name in WITHOUT}
    for name, each in rows.items():
        trainer = Trainer(each)
        trainer.run()
        print(f"{name}: done", flush=True)
    if trainer.rank:
        return
    generators = {"no discriminator": generator_of(begin)}
    generators |= {name: generator_of(each.out / "state.pt") for name, each in rows.items()}
    held_out = clips.load(run.faces, "test", identity=run.identity)[:most]
    table = compare(held_out, generators, *gauges_of(begin))
    told = {"steps": steps, "table": {name: table[name] for name in generators}}
    (run.out / "ablation.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(as_markdown(table))


if __name__ == "__main__":
    typer.run(main)
