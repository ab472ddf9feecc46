"""The commands and snippets of docs/maps.md run."""

import re
import shlex
from pathlib import Path

import pytest
from made_folders import noisy, picture

from iqbench.cli.main import main
from iqbench.images.write import write_png
from iqbench.maps import DEFAULT_MAPS

DOCUMENT = Path(__file__).parents[2] / "docs" / "maps.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language):
    text = DOCUMENT.read_text(encoding="utf-8")
    return [code for found, code in BLOCK.findall(text) if found == language]


@pytest.fixture(autouse=True)
def _working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = picture(0, 52, 68)
    write_png(Path("reference.png"), reference)
    write_png(Path("output.png"), noisy(reference, amount=30))


def test_the_snippets_run(capsys):
    names = {}
    for snippet in blocks("python"):
        exec(compile(snippet, DOCUMENT.name, "exec"), names)
    assert "ssim (52, 68) 0." in capsys.readouterr().out
    assert names["picture"].shape == (52, 68, 3)
    gradient = names["output"].grad
    assert gradient[..., 16:32, 16:32].abs().sum() > 0
    assert gradient[..., :11, :].abs().sum() == 0


@pytest.mark.usefixtures("pretrained_networks")
def test_the_commands_run(capsys):
    for line in "".join(blocks("sh")).splitlines():
        arguments = shlex.split(line.partition(" #")[0])[1:]
        with pytest.raises(SystemExit) as leaving:
            main([*arguments, "--metric", "psnr", "--device", "cpu"])
        assert leaving.value.code == 0, capsys.readouterr().err
    written = {path.name for path in Path("maps").iterdir()}
    assert written == {
        *(f"{name}.png" for name in (*DEFAULT_MAPS, "lpips-vgg", "tv-iso")),
        *("ssim.npy", "lpips-vgg.npy"),
    }
    assert Path("maps.pdf").read_bytes().startswith(b"%PDF")


def test_the_default_maps_are_those_it_names():
    text = DOCUMENT.read_text(encoding="utf-8")
    *names, last = (f"`{name}`" for name in DEFAULT_MAPS)
    assert f"The default maps are {', '.join(names)} and {last}." in text


def test_its_picture_is_there():
    (name,) = re.findall(r"!\[.*?\]\((.*?)\)", DOCUMENT.read_text(encoding="utf-8"))
    assert (DOCUMENT.parent / name).is_file()
