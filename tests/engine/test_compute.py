"""The device and the precision with which networks compute."""

import threading

import pytest
import torch

from iqbench.engine import compute as module
from iqbench.engine.compute import default_memory, resolve_compute
from iqbench.errors import IqbenchError

CPU = torch.device("cpu")


def switches():
    """Everything that a program may have set about float32 products, old flags or new."""
    backends = torch.backends
    if hasattr(backends.cuda.matmul, "fp32_precision"):
        places = (
            backends.cuda.matmul,
            backends.cudnn.conv,
            backends.mkldnn.matmul,
            backends.mkldnn.conv,
        )
        return [place.fp32_precision for place in places]
    return [backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32]


@pytest.fixture
def untouched():
    """The switches as they are now, whatever a test does to them."""
    backends = torch.backends
    new = hasattr(backends.cuda.matmul, "fp32_precision")
    name = "fp32_precision" if new else "allow_tf32"
    places = [backends.cuda.matmul, backends.cudnn.conv if new else backends.cudnn]
    places += [backends.mkldnn.matmul, backends.mkldnn.conv] if new else []
    before = [getattr(place, name) for place in places]
    yield
    for place, value in zip(places, before, strict=True):
        setattr(place, name, value)


def test_auto_is_the_gpu_if_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_compute("auto").device == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_compute("auto", memory=1).device.type == "cuda"


def test_a_gpu_may_be_named_by_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_compute("cuda:1", memory=1).device == torch.device("cuda:1")
    assert resolve_compute("cuda", "tf32", memory=1).precision == "tf32"
    with pytest.raises(IqbenchError, match="there is no device cuda:2"):
        resolve_compute("cuda:2", memory=1)


def test_without_a_gpu_none_is_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(IqbenchError, match="there is no CUDA device") as caught:
        resolve_compute("cuda")
    assert caught.value.hint == "Use --device cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:²", "cpu:", "cpu:0", "", "mps"])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(IqbenchError, match=f"unknown device '{name}'"):
        resolve_compute(name)


def test_a_misspelt_precision_is_refused_with_the_nearest():
    with pytest.raises(IqbenchError, match=r"unknown precision 'exakt'\. Did you mean 'exact'"):
        resolve_compute("cpu", "exakt")


def test_tf32_does_not_exist_on_a_cpu():
    with pytest.raises(IqbenchError, match="precision tf32 exists on GPUs only"):
        resolve_compute("cpu", "tf32")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("exact", torch.float32), ("bf16", torch.bfloat16)]
)
def test_networks_compute_in_the_type_of_the_precision(precision, dtype):
    assert resolve_compute("cpu", precision).dtype == dtype


def test_the_budget_is_what_is_asked_for_or_a_share_of_the_machine(monkeypatch):
    assert resolve_compute("cpu", memory=12345).memory == 12345
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    assert resolve_compute("cpu").memory == 4096 * 1000 // 4
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 5000))
    assert default_memory(torch.device("cuda")) == 700


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError])
def test_two_gibibytes_are_assumed_if_the_system_does_not_report_its_memory(monkeypatch, error):
    def fail(name):
        raise error(name)

    monkeypatch.setattr("os.sysconf", fail)
    assert default_memory(CPU) == 2**31


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "setting",
    [
        "pass",
        "torch.backends.cudnn.allow_tf32 = True; torch.backends.cuda.matmul.allow_tf32 = True",
        "torch.set_float32_matmul_precision('medium')",
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
        "torch.backends.cudnn.conv.fp32_precision = 'tf32'",
    ],
)
def test_exact_is_exact_whatever_the_program_has_set_and_that_is_restored(setting):
    if "fp32_precision" in setting and not hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        pytest.skip("this torch has the older switches only")
    exec(setting)
    before = switches()
    with resolve_compute("cpu").active():
        assert set(switches()) <= {"ieee", False}
        assert torch.is_inference_mode_enabled()
    assert switches() == before
    with pytest.raises(RuntimeError, match="from the inside"), resolve_compute("cpu").active():
        raise RuntimeError("from the inside")
    assert switches() == before
    assert not torch.is_inference_mode_enabled()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_threads_that_compute_at_once_stay_exact_and_restore_the_switches(first_leaves_first):
    before = switches()
    entered = [threading.Event(), threading.Event()]
    leave = [threading.Event(), threading.Event()]

    def compute(number):
        with resolve_compute("cpu").active():
            entered[number].set()
            assert leave[number].wait(30)

    threads = [threading.Thread(target=compute, args=(number,)) for number in (0, 1)]
    for thread, event in zip(threads, entered, strict=True):
        thread.start()
        assert event.wait(30)
    for number in (0, 1) if first_leaves_first else (1, 0):
        assert set(switches()) <= {"ieee", False}
        leave[number].set()
        threads[number].join()
    assert switches() == before


@pytest.mark.usefixtures("untouched")
def test_one_thread_that_is_exact_makes_all_exact(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before = switches()
    with resolve_compute("cuda", "tf32", memory=1).active():
        with resolve_compute("cpu").active():
            assert set(switches()) <= {"ieee", False}
        assert set(switches()) <= {"tf32", True}
    assert switches() == before


@pytest.mark.usefixtures("untouched")
def test_a_process_forked_while_another_thread_computes_gets_its_switches_back(monkeypatch):
    before = switches()
    products = module._Float32Products()
    abandoned = products.as_precise_as(tf32=False)
    abandoned.__enter__()  # by a thread that the forked process has not
    monkeypatch.setattr(module.os, "getpid", lambda: -1)
    with products.as_precise_as(tf32=False):
        assert set(switches()) <= {"ieee", False}
    assert switches() == before


@pytest.mark.usefixtures("untouched")
def test_tf32_is_switched_on_where_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before = switches()
    with resolve_compute("cuda", "tf32", memory=1).active():
        assert set(switches()) <= {"tf32", True}
    assert switches() == before


def test_older_versions_of_torch_have_other_switches(monkeypatch):
    class Place:
        allow_tf32 = True

    class Backends:
        cudnn = Place()

        class cuda:  # noqa: N801  as torch spells it
            matmul = Place()

    monkeypatch.setattr(module.torch, "backends", Backends)
    with resolve_compute("cpu").active():
        assert (Backends.cudnn.allow_tf32, Backends.cuda.matmul.allow_tf32) == (False, False)
    assert (Backends.cudnn.allow_tf32, Backends.cuda.matmul.allow_tf32) == (True, True)
