"""How fast the explorer answers: 20,000 pairs, with a model of 104 million parameters attached.

Real pairs where there are some (`--data pairs.jsonl`, repeated until there are enough), else rmkit's embedded default.
Everything is timed in the kernel, as a view asks for it; the page's own part is in tests/test_explorer_browser.py.

    python benchmarks/explorer.py --data pairs.jsonl --data more.jsonl
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from rmkit.files import load_rows
from rmkit.scoring import response_lengths, RewardModel
from rmkit.table import pair_scores
from rmkit.synthetic import make_pairs, tiny_tokenizer
from rmkit.visualizer import READER, RewardVisualizer


def a_table(files: list[str], n: int):
    "Pairs with made-up rewards: what they are doesn't matter here"
    rows = [dict(row) for file in files for row in load_rows(file)] or list(make_pairs(n))
    rows = [rows[i % len(rows)] for i in range(n)]
    rng = np.random.default_rng(0)
    columns = {name: [row[name] for row in rows] for name in ("prompt", "chosen", "rejected")}
    lengths = {f"length_{side}": response_lengths(columns[side], tiny_tokenizer()) for side in ("chosen", "rejected")}
    return pair_scores(*columns.values(), rng.normal(size=n) + 0.5, rng.normal(size=n), **lengths,
                       source=[str(row.get("source", "")) for row in rows])


def a_model():
    "104 million parameters, of no use but to take time"
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=768, intermediate_size=3072, num_hidden_layers=11,
                         num_attention_heads=12, max_position_embeddings=8192, num_labels=1,
                         pad_token_id=tokenizer.pad_token_id)
    torch.manual_seed(0)
    model = LlamaForSequenceClassification(config).eval()
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.0f} million parameters")
    return RewardModel(model, tokenizer)


def timed(name: str, ask):
    began = time.perf_counter()
    found = ask()
    print(f"{name:<60}{time.perf_counter() - began:8.3f} s", flush=True)
    return found


def texts_while_reading(viz, ids):
    "Seconds for the texts of each pair, while the model reads other pairs token by token"
    for i in ids: READER.submit(viz.answer, dict(what="tokens", pair=int(i)))
    took = []
    for i in ids:
        began = time.perf_counter()
        viz.answer(dict(what="pair", pair=int(i)))
        viz.answer(dict(what="change", pair=int(i), decision="keep"))
        took.append(time.perf_counter() - began)
        time.sleep(0.1)
    READER.shutdown(cancel_futures=True)
    return np.array(took)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", default=[], help="a file of pairs; several may be given")
    parser.add_argument("--pairs", type=int, default=20_000)
    arguments = parser.parse_args()
    table, model = a_table(arguments.data, arguments.pairs), a_model()
    with TemporaryDirectory() as folder:
        viz = timed("RewardVisualizer(scores, model, marks=...)",
                    lambda: RewardVisualizer(table, model, marks=Path(folder) / "review.jsonl"))
        state = timed("state for a view, as JSON", lambda: json.dumps(viz.meta()))
        print(f"{len(state) / 2**20:.1f} MiB")
        timed("first search", lambda: viz.search("the answer"))
        timed("second search", lambda: viz.search("because"))
        timed("filter and sort in Python", lambda: viz.filter(verdict="wrong", sort="length_gap"))
        page = timed("save", lambda: viz.save(Path(folder) / "pairs.html"))
        print(f"{page.stat().st_size / 2**20:.0f} MiB")
        took = texts_while_reading(viz, np.random.default_rng(1).choice(len(table), 40, replace=False))
        print(
            f"a pair's texts and a decision, while the model reads: median {np.median(took):.3f} s, slowest "
            f"{took.max():.3f} s")


if __name__ == "__main__":
    main()
