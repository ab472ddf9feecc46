"""Lightning: the callback logs means, keeps the best checkpoint and writes tables."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import iqbench
from iqbench.errors import IqbenchError

lightning = pytest.importorskip(
    "lightning.pytorch", reason="lightning is not installed: pip install 'iqbench[lightning]'"
)
EvaluatorCallback = import_module("iqbench.integrations.lightning").EvaluatorCallback

METRICS = ["psnr", "tv-ratio"]
PROTOCOLS = ["rgb", "sr-y:scale=4"]
NAMES = ["one", "two", "three"]


def photographs(count, *, seed=0, side=40):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    reference = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    noisy = reference + 0.1 * torch.randn(reference.shape, generator=generator)
    return list(zip(noisy, reference, NAMES[:count], strict=True))


class Brightness(lightning.LightningModule):
    """A model of one number, which is set at each step: the best epoch is known."""

    def __init__(self, factors=(0.5, 0.95, 0.7), returned=True):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.1))
        self.factors, self.returned = factors, returned

    def forward(self, noisy):
        return self.factor * noisy

    def training_step(self, batch, place):
        with torch.no_grad():
            self.factor.fill_(self.factors[self.global_step])
        noisy, reference, _ = batch
        return (self(noisy) - reference).square().mean()

    def validation_step(self, batch, place, dataloader_idx=0):
        noisy, reference, names = batch
        output = self(noisy)
        return {"output": output, "reference": reference, "ids": names} if self.returned else output

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(folder, callback, model=None, *, validation=None, **options):
    """Train for an epoch of one step each factor, and validate after each."""
    model = model or Brightness()
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=len(model.factors),
        callbacks=[callback, *options.pop("callbacks", [])],
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=options.pop("enable_checkpointing", False),
        **options,
    )
    validation = validation or DataLoader(photographs(3), batch_size=2)
    trainer.fit(model, DataLoader(photographs(1), batch_size=1), validation)
    return trainer


def expected(factor, *, protocol="rgb", count=3, seed=0):
    evaluator = iqbench.Evaluator(METRICS, protocol, device="cpu")
    for noisy, reference, name in photographs(count, seed=seed):
        evaluator.update(factor * noisy[None], reference[None], ids=[name])
    return evaluator.compute()


@pytest.fixture
def made(tmp_path):
    """A callback that writes into the folder of the test."""

    def make(metrics=METRICS, **options):
        options.setdefault("results", tmp_path / "results")
        return EvaluatorCallback(metrics, **options)

    return make


def test_each_validation_is_logged_and_written_as_a_method(made, tmp_path):
    callback = made()
    trainer = fit(tmp_path, callback)
    last = expected(0.7)
    assert callback.means == {"validation": last}
    logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert logged == pytest.approx({f"val/{name}": mean for name, mean in last.items()}, rel=1e-6)
    wide = iqbench.load_scores(tmp_path / "results", wide=True).loc["validation"]
    assert set(wide.index.get_level_values("method")) == {"step-1", "step-2", "step-3"}
    for step, factor in enumerate((0.5, 0.95, 0.7), start=1):
        rows = wide.loc[f"step-{step}"]
        assert set(rows.index) == set(NAMES)
        assert math.fsum(rows["psnr"]) / 3 == expected(factor)["psnr"]
    assert not (tmp_path / "checkpoints").exists()  # nobody asked for the best


def test_commands_work_on_the_checkpoints(made, tmp_path, capsys):
    from iqbench.cli.main import main

    fit(tmp_path, made())
    with pytest.raises(SystemExit) as leaving:
        main(["leaderboard", str(tmp_path / "results"), "--format", "csv"])
    assert leaving.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "step-2" in line]
    with pytest.raises(SystemExit) as leaving:
        main(["compare", "step-1", "step-2", "--results", str(tmp_path / "results")])
    assert leaving.value.code == 0


@pytest.mark.parametrize(
    ("monitor", "factors", "best"),
    [
        ("psnr", (0.5, 0.95, 0.7), 2),
        ("psnr", (0.95, 0.5, 0.7), 1),
        ("psnr", (0.5, 0.7, 0.95), 3),
        ("tv-ratio", (2.0, 0.9, 0.1), 2),  # the nearest to 1, neither the highest nor the lowest
    ],
)
def test_the_best_checkpoint_is_kept(made, tmp_path, monitor, factors, best):
    # Without noise, the ratio of variations is the factor.
    dark = [0.4 * reference for _, reference, _ in photographs(3)]
    pairs = list(zip(dark, dark, NAMES, strict=True))
    callback = made(monitor=monitor)
    fit(tmp_path, callback, Brightness(factors), validation=DataLoader(pairs, batch_size=2))
    assert callback.best_method == f"step-{best}"
    (file,) = (tmp_path / "checkpoints").iterdir()  # the others are removed
    assert callback.best_model_path == str(file)
    content = torch.load(file, weights_only=True)
    assert content["state_dict"]["factor"].item() == pytest.approx(factors[best - 1])
    (state,) = content["callbacks"].values()
    assert state == {"value": callback.best_value, "method": f"step-{best}", "path": str(file)}


def test_training_goes_on_from_the_best_of_a_checkpoint(made, tmp_path):
    callback = made(monitor="psnr")
    fit(tmp_path, callback, Brightness((0.95, 0.5)))
    other = made(monitor="psnr")
    other.load_state_dict(callback.state_dict())
    fit(tmp_path, other, Brightness((0.6, 0.7)))
    assert other.best_model_path == callback.best_model_path
    assert (tmp_path / "checkpoints" / "step-1.ckpt").exists()


class TestSeveralProtocols:
    def test_a_selector_says_which_column_decides(self, made, tmp_path):
        callback = made(protocol=PROTOCOLS, monitor="psnr[protocol=sr-y:scale=4]")
        fit(tmp_path, callback)
        assert callback.best_value == expected(0.95, protocol="sr-y:scale=4")["psnr"]
        (means,) = callback.means.values()
        luma = next(name for name in means if name.startswith("psnr") and "sr-y" in name)
        assert means[luma] == expected(0.7, protocol="sr-y:scale=4")["psnr"]
        scores = iqbench.load_scores(tmp_path / "results")
        assert scores["protocol"].nunique() == 2
        assert len(scores) == 3 * 3 * 2 * len(METRICS)

    def test_an_ambiguous_selector_is_refused_before_training(self, made, tmp_path):
        with pytest.raises(IqbenchError, match=r"psnr means several columns: psnr \[protocol="):
            fit(tmp_path, made(protocol=PROTOCOLS, monitor="psnr"))

    def test_an_unknown_selector_is_refused_before_training(self, made, tmp_path):
        with pytest.raises(IqbenchError, match="unknown column to keep the best checkpoint by"):
            fit(tmp_path, made(monitor="pnsr"))
        with pytest.raises(IqbenchError, match="no column fits"):
            fit(tmp_path, made(monitor="psnr[protocol=y-full]"))


def test_several_dataloaders_are_several_datasets(made, tmp_path):
    loaders = [
        DataLoader(photographs(3), batch_size=2),
        DataLoader(photographs(2, seed=5), batch_size=1),
    ]
    callback = made(dataset=["Set5", "Set14"], monitor="psnr")
    trainer = fit(tmp_path, callback, validation=loaders)
    assert callback.means == {"Set5": expected(0.7), "Set14": expected(0.7, count=2, seed=5)}
    assert {"val/Set5/psnr", "val/Set14/psnr"} <= set(trainer.callback_metrics)
    assert callback.best_value == expected(0.95)["psnr"]
    scores = iqbench.load_scores(tmp_path / "results")
    assert scores.groupby("dataset", observed=True)["image"].nunique().to_dict() == {
        "Set5": 3,
        "Set14": 2,
    }
    with pytest.raises(IqbenchError, match="at least 2 validation dataloaders, but 1 names"):
        fit(tmp_path, made(), validation=loaders)


def test_images_may_be_made_of_what_the_step_returns_and_the_batch(made, tmp_path):
    callback = made(
        images=lambda output, batch: {"output": output, "reference": batch[1], "ids": batch[2]}
    )
    fit(tmp_path, callback, Brightness(returned=False))
    assert callback.means["validation"] == expected(0.7)


def test_a_step_that_returns_no_images_is_told_what_to_return(made, tmp_path):
    with pytest.raises(IqbenchError, match="validation_step does not return the images to score"):
        fit(tmp_path, made(), Brightness(returned=False))


def test_the_callbacks_of_lightning_see_the_means(made, tmp_path):
    stop = lightning.callbacks.EarlyStopping("val/psnr", mode="max", patience=1)
    keep = lightning.callbacks.ModelCheckpoint(
        dirpath=tmp_path / "theirs", filename="best", monitor="val/psnr", mode="max"
    )
    factors = (0.95, 0.5, 0.7, 0.8, 0.9)
    trainer = fit(
        tmp_path, made(), Brightness(factors), callbacks=[stop, keep], enable_checkpointing=True
    )
    assert trainer.current_epoch == 2  # the second was worse
    content = torch.load(tmp_path / "theirs" / "best.ckpt", weights_only=True)
    assert content["state_dict"]["factor"].item() == pytest.approx(0.95)


def test_validating_alone_logs_and_writes_but_keeps_no_checkpoint(made, tmp_path):
    callback = made(monitor="psnr", method="epoch-{epoch:03d}")
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        callbacks=[callback],
        default_root_dir=tmp_path,
    )
    model = Brightness()
    (found,) = trainer.validate(model, DataLoader(photographs(3), batch_size=2), verbose=False)
    assert found["val/psnr"] == pytest.approx(expected(0.1)["psnr"], rel=1e-6)
    assert set(iqbench.load_scores(tmp_path / "results")["method"]) == {"epoch-000"}
    assert not (tmp_path / "checkpoints").exists()


def test_a_rehearsal_and_a_sanity_check_write_nothing(made, tmp_path):
    callback = made(monitor="psnr")
    fit(tmp_path, callback, fast_dev_run=True)
    assert callback.means["validation"].keys() == set(METRICS)
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "checkpoints").exists()


def test_an_image_that_cannot_be_scored_makes_no_best(made, tmp_path):
    callback = made(monitor="psnr")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*values that are not numbers.*")
        fit(tmp_path, callback, Brightness((0.5, math.nan, 0.7)))
    assert callback.best_method == "step-3"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": "pnsr"}, "unknown metric 'pnsr'. Did you mean 'psnr'"),
        ({"protocol": ["rgb", "rbg"]}, "unknown protocol 'rbg'"),
        ({"method": "step-{steps}"}, "'step-{steps}' is not a format of epoch and step"),
    ],
)
def test_what_is_unknown_is_refused_when_it_is_made(options, message):
    with pytest.raises(IqbenchError) as caught:
        EvaluatorCallback(**options)
    assert str(caught.value).startswith(message)


def test_a_collection_of_torchmetrics_logs_itself(tmp_path):
    from iqbench.integrations.torchmetrics import EvaluatorCollection

    class Logging(Brightness):
        def __init__(self):
            super().__init__()
            self.quality = EvaluatorCollection(METRICS, prefix="val/")

        def validation_step(self, batch, place):
            noisy, reference, names = batch
            self.quality.update(self(noisy), reference, ids=names)
            self.log_dict(self.quality)

    trainer = fit(tmp_path, lightning.Callback(), Logging())
    found = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert found == {f"val/{name}": mean for name, mean in expected(0.7).items()}


PROGRAM = """
import sys
import lightning.pytorch as lightning
from torch.utils.data import DataLoader
from test_lightning import METRICS, Brightness, expected, photographs
from iqbench.integrations.lightning import EvaluatorCallback

folder = sys.argv[1]
callback = EvaluatorCallback(METRICS, monitor="psnr", results=f"{folder}/results", worst=1)
trainer = lightning.Trainer(
    accelerator="cpu", devices=2, strategy="ddp", max_epochs=3, callbacks=[callback],
    default_root_dir=folder, logger=False, enable_progress_bar=False,
    enable_model_summary=False, enable_checkpointing=False,
)
trainer.fit(Brightness(), DataLoader(photographs(2)), DataLoader(photographs(3)))
assert callback.means == {"validation": expected(0.7)}, callback.means
assert callback.best_value == expected(0.95)["psnr"], callback.best_value
"""


@pytest.mark.slow  # each process imports torch
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no torch.distributed")
def test_two_processes_have_the_means_of_one(tmp_path):
    """Three images on two processes: the sampler repeats one of them, which counts once."""
    here = Path(__file__).parent
    (tmp_path / "program.py").write_text(PROGRAM)
    paths = [str(here.parents[1]), str(here), os.environ.get("PYTHONPATH", "")]
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", str(tmp_path / "program.py")]
    done = subprocess.run(
        [sys.executable, *launcher, str(tmp_path)],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "sync_dist" not in done.stderr
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["step-2.ckpt"]
    scores = iqbench.load_scores(tmp_path / "results")
    assert len(scores) == 3 * 3 * len(METRICS)


def test_without_lightning_the_module_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.delitem(sys.modules, "iqbench.integrations.lightning")
    with pytest.raises(IqbenchError) as caught:
        import_module("iqbench.integrations.lightning")
    assert str(caught.value) == (
        "the package lightning is not installed. pip install 'iqbench[lightning]'"
    )
