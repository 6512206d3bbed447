"""Checks before training and the audit's statistics, on as many pairs as people have: seconds and peak memory.

  python benchmarks/trust.py            # both, 100,000 pairs
  python benchmarks/trust.py preflight  # one of them, in this process

Pairs are the embedded default's; rewards are the true ones with noise.
"""
import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from datasets import disable_progress_bars

from real_run import machine
from rmkit.audits import audit
from rmkit.config import RewardConfig
from rmkit.preflights import preflight
from rmkit.scoring import response_lengths
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.table import pair_scores

HELD_OUT = 2_000  # pairs


def run_preflight(
    n: int,  # pairs to train on
) -> tuple[float, str]:  # seconds, what was found
    "All checks of a run."
    rows, held_out = make_pairs(n), make_pairs(HELD_OUT, split="test")
    args = RewardConfig("out", use_cpu=True, learning_rate=3e-3, report_to="none")
    began = time.perf_counter()
    found = preflight(tiny_model(), rows, held_out, args, tiny_tokenizer())
    return time.perf_counter() - began, str(found)


def run_audit(
    n: int,  # scored pairs
) -> tuple[float, str]:  # seconds, what was found
    "All questions that rewards alone answer; the table is there."
    rows, tokenizer, rng = make_pairs(n), tiny_tokenizer(), np.random.default_rng(0)
    rewards = {side: np.array(rows[f"true_{side}"]) + rng.normal(size=n) for side in ("chosen", "rejected")}
    lengths = {f"length_{side}": response_lengths(rows[side], tokenizer) for side in ("chosen", "rejected")}
    table = pair_scores(rows["prompt"], rows["chosen"], rows["rejected"], rewards["chosen"], rewards["rejected"],
                        source=rows["source"], **lengths)
    began = time.perf_counter()
    found = audit(None, table)
    return time.perf_counter() - began, str(found)


RUNS = dict(preflight=run_preflight, audit=run_audit)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=RUNS, help="without it each runs in a process of its own")
    parser.add_argument("--pairs", type=int, default=100_000)
    args = parser.parse_args()
    if args.what is None:
        for what in RUNS:
            subprocess.run([sys.executable, __file__, what, "--pairs", str(args.pairs)], check=True)
        return
    disable_progress_bars()
    seconds, found = RUNS[args.what](args.pairs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    print(found, file=sys.stderr)
    print(json.dumps(dict(what=args.what, pairs=args.pairs, seconds=round(seconds, 1), peak_gib=round(peak, 2),
                          machine=machine())))


if __name__ == "__main__":
    main()
