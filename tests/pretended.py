"""A device that isn't the CPU, pretended: its tensors lie in the CPU's memory, and mix with none of the CPU's.

No machine of the tests has a GPU, and code that mixes devices fails there only: an index or a sum that was made on the
CPU and meets the model's output, a number that a checkpoint brought back. `set_up` registers a device "away" with
PyTorch (its key for devices of others, PrivateUse1), whose operations are the CPU's, and has Accelerate train on it.
What a GPU refuses is refused here: every operation on tensors of two devices, but for those that a GPU allows.

What it can't show: how a GPU computes (order of sums, bfloat16, kernels), its memory, its streams."""
import os
from functools import wraps

import torch
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "away"
COPIES = "copy_", "_copy_from", "_to_copy"  # operations that take a tensor from one device to another
PRODUCTS = "linear", "matmul", "bmm", "scaled_dot_product_attention"  # in 16 bits under autocast
INDEXES = "index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"  # their indices may be the CPU's


class Module(_DummyBackendModule):
    "What stands under `torch.away`, as `torch.cuda` does"
    def set_device(self, device): pass

    def synchronize(self, device=None): pass

    def empty_cache(self): pass

    def get_rng_state(self, device=None): return torch.random.get_rng_state()

    def set_rng_state(self, state, device=None): torch.random.set_rng_state(state)

    def get_amp_supported_dtype(self): return [torch.float16, torch.bfloat16]


class Away(torch.Tensor):
    "A tensor on the device: `raw` is the CPU's, which holds its numbers"

    @staticmethod
    def __new__(cls, raw):
        away = torch.Tensor._make_wrapper_subclass(
            cls, raw.size(), strides=raw.stride(), storage_offset=raw.storage_offset(), dtype=raw.dtype,
            layout=raw.layout, device=torch.device(NAME, 0), requires_grad=False)
        away.raw = raw
        return away

    def __repr__(self): return f"Away({self.raw!r})"

    def __reduce_ex__(self, protocol): return loaded, (self.raw.detach(),)

    def __format__(self, spec): return format(self.raw, spec)

    def tolist(self): return self.raw.tolist()

    def data_ptr(self): return self.raw.data_ptr()

    def untyped_storage(self): return self.raw.untyped_storage()

    @classmethod
    def __torch_dispatch__(cls, op, types, args=(), kwargs=None): return run(op, args, kwargs or {})


def is_away(device):
    return device is not None and torch.device(device).type == NAME


def mixes(op, name, args, given):
    "Whether an operation takes tensors of two devices where a GPU refuses them"
    if name in COPIES or not any(isinstance(x, Away) for x in given): return False
    if name in INDEXES:
        if not isinstance(args[0], Away): return True
        given = [x for x in tree_iter(args[2:3]) if isinstance(x, torch.Tensor)]  # what is written there
    may_be_number = torch.Tag.pointwise in op.tags or name in INDEXES
    return any(not isinstance(x, Away) and (x.dim() or not may_be_number) for x in given)


def run(op, args, kwargs):
    "An operation, on the tensors' memory; a RuntimeError where it mixes devices"
    name = op._schema.name.split("::")[1]
    given = [x for x in tree_iter((args, kwargs)) if isinstance(x, torch.Tensor)]
    if mixes(op, name, args, given):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found at least two devices, {NAME}:0 "
                           f"and cpu! ({name})")
    goes_away = is_away(kwargs["device"]) if kwargs.get("device") else any(isinstance(x, Away) for x in given)
    if name == "copy_": goes_away = isinstance(args[0], Away)
    known = {id(x.raw if isinstance(x, Away) else x): x for x in given}  # an operation in place gives back its argument

    def inside(x):
        if isinstance(x, Away): return x.raw
        return torch.device("cpu") if isinstance(x, torch.device) else x

    def outside(x):
        if not isinstance(x, torch.Tensor): return x
        return known[id(x)] if id(x) in known else Away(x) if goes_away else x

    return tree_map(outside, op(*tree_map(inside, args), **tree_map(inside, kwargs)))


def made_on_the_cpu(make):
    "A maker of tensors of Python's numbers, which PyTorch's C++ can't make on a device that is written in Python"
    @wraps(make)
    def made(*args, device=None, **kwargs):
        return make(*args, **kwargs).to(device) if is_away(device) else make(*args, device=device, **kwargs)
    return made


_places = []  # `map_location` of the `torch.load` that is going on


def loaded(raw):
    "A tensor of a file, on the device again unless it is asked for elsewhere"
    where = _places[-1] if _places else None
    return raw if isinstance(where, (str, torch.device)) and not is_away(where) else Away(raw)


def noting_the_place(load):
    "`torch.load`, whose `map_location` the tensors on the device follow"
    @wraps(load)
    def noted(f, map_location=None, **kwargs):
        _places.append(map_location)
        try:
            return load(f, map_location="cpu" if is_away(map_location) else map_location, **kwargs)
        finally:
            _places.pop()
    return noted


def in_16_bits(op):
    "An operation under autocast: floats are taken in the type that autocast has on the device"
    def cast(x):
        is_float = isinstance(x, Away) and x.dtype == torch.float32
        return x.to(torch.get_autocast_dtype(NAME)) if is_float else x

    def call(*args, **kwargs):
        with torch.autocast(NAME, enabled=False): return op(*tree_map(cast, args), **tree_map(cast, kwargs))
    return call


def train_there():
    "Accelerate's device is this one, unless a run asks for the CPU or is one process of several; it has bfloat16"
    from accelerate import PartialState
    from transformers import training_args
    made = PartialState.__init__

    def init(self, cpu=False, **kwargs):
        os.environ.pop("ACCELERATE_TORCH_DEVICE", None)
        if not cpu and "LOCAL_RANK" not in os.environ: os.environ["ACCELERATE_TORCH_DEVICE"] = f"{NAME}:0"
        made(self, cpu, **kwargs)

    PartialState.__init__ = init
    training_args.is_torch_bf16_gpu_available = lambda: True


def set_up():
    "Register the device, which can't be undone. What comes back must be kept as long as the device is used."
    _device_constructors()  # PyTorch remembers what `with torch.device(...)` is for, before it is wrapped
    torch.tensor, torch.as_tensor = map(made_on_the_cpu, (torch.tensor, torch.as_tensor))
    torch.load = noting_the_place(torch.load)
    torch.serialization.add_safe_globals([loaded])
    torch.__future__.set_swap_module_params_on_conversion(True)  # parameters stay the same objects, as on a GPU
    torch.accelerator.synchronize = lambda *args: None
    _setup_privateuseone_for_python_backend(NAME, backend_module=Module())
    library, products = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    library.fallback(lambda op, *args, **kwargs: run(op, args, kwargs), "PrivateUse1")
    library.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for name in PRODUCTS: products.impl(name, in_16_bits(getattr(torch.ops.aten, name)), "AutocastPrivateUse1")
    train_there()
    return library, products
