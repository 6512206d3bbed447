"Fixtures that many tests share. Nothing here or below talks to a hub."
import os
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg")

import pytest

from browser import chromium
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure(config):
    config.addinivalue_line("markers", "gpu: needs a CUDA device; skips without one")


def pytest_collection_modifyitems(items):
    import torch
    if torch.cuda.is_available(): return
    for item in items:
        if "gpu" in item.keywords: item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture
def tokenizer(): return tiny_tokenizer()


@pytest.fixture
def model(): return tiny_model(seed=0)


# Not for the session: as long as it is open no other event loop can run in this process.
@pytest.fixture(scope="module")
def browser():
    "Headless Chromium; without one the test is skipped, except in CI"
    yield from chromium()


@pytest.fixture(scope="session")
def pairs(): return make_pairs(64, seed=0)


@pytest.fixture(scope="session")
def shared_data():
    "Folder of real preference data, beside the checkout; it isn't part of the project"
    if not DATA.is_dir(): pytest.skip(f"no real preference data at {DATA}")
    return DATA
