"""Scores and the worst images can be read back from the files of the loggers."""

from __future__ import annotations

import io
import json
import math
import struct
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import iqbench
from iqbench.errors import IqbenchError
from iqbench.integrations.loggers import MlflowLog, TensorBoardLog, WandbLog
from iqbench.integrations.worst import WorstImages

MEANS = [{"psnr": 20.5, "lpips-alex": 0.25}, {"psnr": math.inf, "lpips-alex": 0.125}]


def needs(package, extra):
    """Skip where a logger's own package is not installed."""
    return pytest.mark.skipif(
        find_spec(package) is None,
        reason=f"{package} is not installed: pip install 'iqbench[{extra}]'",
    )


@pytest.fixture
def worst():
    """Two pictures to show."""
    evaluator = iqbench.Evaluator("psnr", device="cpu")
    kept = WorstImages(evaluator, "psnr", 2, maps=["absolute-error"])
    reference = torch.rand(3, 3, 16, 20)
    noise = torch.randn_like(reference) * torch.tensor([0.01, 0.1, 0.05]).view(3, 1, 1, 1)
    kept.update(reference + noise, reference, ids=["best", "worst", "middle"])
    return kept.images()


@needs("tensorboard", "tensorboard")
# protobuf's own descriptors, and numpy's under tensorboard.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_event_file_of_tensorboard_holds_scalars_and_pictures(tmp_path, worst):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLog(str(tmp_path))
    for step, means in enumerate(MEANS):
        log.log(means, step * 100, worst)
    log.log({"psnr [protocol=sr-y:scale=4]": 30.0}, 0)
    log.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0, "tensors": 0}).Reload()
    assert set(events.Tags()["scalars"]) == {
        "val/psnr",
        "val/lpips-alex",
        "val/psnr_protocol_sr-y_scale_4_",
    }
    found = [(event.step, event.value) for event in events.Scalars("val/psnr")]
    assert found == [(0, 20.5), (100, math.inf)]
    assert set(events.Tags()["images"]) == {"val/worst/psnr/1", "val/worst/psnr/2"}
    for place, image in enumerate(worst, start=1):
        first, second = events.Images(f"val/worst/psnr/{place}")
        assert (first.step, second.step) == (0, 100)
        with Image.open(io.BytesIO(second.encoded_image_string)) as picture:
            assert (np.asarray(picture) == image.picture).all()
    text = events.Tensors("val/worst/psnr/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text == f"1. {worst[0].caption}\n2. {worst[1].caption}"


@needs("wandb", "wandb")
@pytest.mark.slow  # it starts a service of its own
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_an_offline_run_of_wandb_holds_scalars_and_pictures(tmp_path, worst, monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(mode="offline", dir=tmp_path, project="iqbench") as run:
        for step, means in enumerate(MEANS):
            WandbLog(run).log(means, step * 100, worst)
    wandb.teardown()  # waits until its service has written everything
    (file,) = tmp_path.rglob("*.wandb")
    first, second = wandb_history(file)
    assert (first["_step"], first["val/psnr"], first["val/lpips-alex"]) == (0, 20.5, 0.25)
    assert (second["_step"], second["val/psnr"]) == (100, math.inf)
    assert second["val/worst/psnr/captions"] == [image.caption for image in worst]
    for name, image in zip(second["val/worst/psnr/filenames"], worst, strict=True):
        with Image.open(next(tmp_path.rglob(Path(name).name))) as picture:
            assert (np.asarray(picture.convert("RGB")) == image.picture).all()


def wandb_history(file):
    """Read the rows that were logged from the file of an offline run: a log of LevelDB."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, rows, record = file.read_bytes(), 7, [], b""
    while at < len(content):
        if 32768 - at % 32768 < 7:  # the rest of a block is too short for a header
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind not in (1, 4):  # neither a whole record nor the last piece of one
            continue
        parsed, record = Record.FromString(record), b""
        if parsed.WhichOneof("record_type") == "history":
            items = parsed.history.item
            names = (item.key or "/".join(item.nested_key) for item in items)
            values = (json.loads(item.value_json) for item in items)
            rows.append(dict(zip(names, values, strict=True)))
    return rows


@needs("mlflow", "mlflow")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_local_run_of_mlflow_holds_scalars_and_pictures(tmp_path, worst, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=(tmp_path / "runs").as_uri())
    run = client.create_run(client.create_experiment("denoise")).info.run_id
    for step, means in enumerate(MEANS):
        MlflowLog(client, run).log({"psnr [protocol=rgb]": 1.5, **means}, step * 100, worst)
    found = [(one.step, one.value) for one in client.get_metric_history(run, "val/lpips-alex")]
    assert found == [(0, 0.25), (100, 0.125)]
    assert "val/psnr _protocol_rgb_" in client.get_run(run).data.metrics
    for place, image in enumerate(worst, start=1):
        file = client.download_artifacts(run, f"val/worst/psnr/step-100/{place}.png", tmp_path)
        with Image.open(file) as picture:
            assert (np.asarray(picture) == image.picture).all()
    captions = client.download_artifacts(run, "val/worst/psnr/step-100/captions.md", tmp_path)
    text = Path(captions).read_text(encoding="utf-8")
    assert text == f"1. {worst[0].caption}\n2. {worst[1].caption}"


def test_names_that_mlflow_refuses_are_written_otherwise():
    written = []
    client = SimpleNamespace(log_metric=lambda run, name, value, step: written.append(name))
    MlflowLog(client, "run").log({"psnr [protocol=sr-y:scale=4]": 1.0, "ssim": 1.0}, 3)
    assert written == ["val/psnr _protocol_sr-y:scale_4_", "val/ssim"]


@needs("lightning", "lightning")
@needs("tensorboard", "tensorboard")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lightning_shows_the_worst_images_in_its_loggers(tmp_path):
    import lightning.pytorch as lightning
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.data import DataLoader

    from iqbench.integrations.lightning import EvaluatorCallback

    class Identity(lightning.LightningModule):
        def validation_step(self, batch, place):
            output, reference, names = batch
            return {"output": output, "reference": reference, "ids": names}

    reference = torch.rand(3, 3, 16, 16)
    noise = torch.randn_like(reference) * torch.tensor([0.01, 0.1, 0.05]).view(3, 1, 1, 1)
    images = list(zip(reference + noise, reference, "abc", strict=True))
    trainer = lightning.Trainer(
        accelerator="cpu",
        callbacks=[EvaluatorCallback(["tv-iso-output", "psnr"], worst=2, results=None)],
        logger=lightning.loggers.TensorBoardLogger(tmp_path, name="", version=""),
        enable_progress_bar=False,
    )
    trainer.validate(Identity(), DataLoader(images, batch_size=2), verbose=False)
    trainer.logger.experiment.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    assert events.Tags()["images"] == ["val/worst/psnr/1", "val/worst/psnr/2"]
    assert "val/psnr" in events.Tags()["scalars"]
    text = events.Tensors("val/worst/psnr/text_summary")[0].tensor_proto.string_val[0].decode()
    assert [line[:5] for line in text.splitlines()] == ["1. b:", "2. c:"]


def test_a_missing_package_is_named(monkeypatch, worst):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(IqbenchError) as caught:
        WandbLog(SimpleNamespace(log=lambda *_, **__: None)).log({}, 0, worst)
    assert str(caught.value) == "the package wandb is not installed. pip install 'iqbench[wandb]'"
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(IqbenchError, match=r"pip install 'iqbench\[tensorboard\]'"):
        TensorBoardLog("runs")
