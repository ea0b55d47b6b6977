# Writes the seeds that are pickles: python3 fuzz/seeds.py. The other seeds are files of test/ or written by hand.
import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

FOLDER = Path(__file__).parent / "seeds"


def fake(name, **base):
    """A class that is pickled with the name of a module that is not installed."""
    module, word = name.rsplit(".", 1)
    made = type(word, (), {"__module__": module, **base})
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    setattr(sys.modules[module], word, made)
    return made


FloatStorage = fake("torch.FloatStorage")
Learner = fake("fastai.learner.Learner")
Sequential = fake("torch.nn.modules.container.Sequential")
Linear = fake("torch.nn.modules.linear.Linear")
DataLoaders = fake("fastai.data.core.DataLoaders")
CategoryMap = fake("fastai.data.transforms.CategoryMap")


def rebuild_tensor(*arguments):
    raise NotImplementedError


rebuild_tensor.__module__ = "torch._utils"
rebuild_tensor.__qualname__ = rebuild_tensor.__name__ = "_rebuild_tensor_v2"
sys.modules["torch._utils"] = types.ModuleType("torch._utils")
sys.modules["torch._utils"]._rebuild_tensor_v2 = rebuild_tensor


class Storage:
    def __init__(self, key, length):
        self.key, self.length = key, length


class Tensor:
    def __init__(self, key, *shape):
        self.key, self.shape = key, shape

    def __reduce__(self):
        length, strides = 1, []
        for side in reversed(self.shape):
            strides.insert(0, length)
            length *= side
        storage = Storage(self.key, length)
        return rebuild_tensor, (storage, 0, self.shape, tuple(strides), False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", FloatStorage, value.key, "cpu", value.length)


def module(kind, parameters={}, modules={}):
    made = kind()
    made.training = False
    made._parameters = OrderedDict(parameters)
    made._buffers = OrderedDict()
    made._modules = OrderedDict(modules)
    return made


def archive(path, value, storages):
    data = io.BytesIO()
    Pickler(data, protocol=2).dump(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        out.writestr("archive/data.pkl", data.getvalue())
        out.writestr("archive/version", "3\n")
        for key, length in storages.items():
            out.writestr(f"archive/data/{key}", bytes(4 * length))


head = module(Linear, {"weight": Tensor("0", 2, 3), "bias": Tensor("1", 2)})
learner = Learner()
learner.model = module(Sequential, modules={"0": head})
vocab = CategoryMap()
vocab.items = ["astro", "cort"]
learner.dls = DataLoaders()
learner.dls.vocab = vocab
learner.metrics = []
archive(FOLDER / "fastai" / "learner.pkl", learner, {"0": 6, "1": 2})
archive(FOLDER / "torch-zip" / "state.pth", OrderedDict(weight=Tensor("0", 2, 3), step=3), {"0": 6})

(FOLDER / "pickle").mkdir(parents=True, exist_ok=True)
plain = {"a": [1, 2.5, None, True], "b": ("x", b"bytes"), 3: {"c": {1, 2}, "d": 2**70}, "e": "ü" * 300}
for protocol in range(6):
    (FOLDER / "pickle" / f"protocol-{protocol}.pickle").write_bytes(pickle.dumps(plain, protocol))
