"""Which learning rate? rmkit's RewardTrainer on the rows of `real_run.py`, once a rate, full fine-tuning.

  python benchmarks/learning_rates.py --rates 2e-5 5e-5 1e-4
"""
import json
import tempfile
from pathlib import Path

from real_run import ACCURACY_HEAD, accuracy_row, held_out, machine, make_parser, run_side, set_up, settings_of, table


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-5, 5e-5, 1e-4])
    args = parser.parse_args()
    settings, found = settings_of(args), {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _, test, _ = set_up(work, args.data, args.cache.expanduser(), settings)
        for rate in args.rates:
            (work / "settings.json").write_text(json.dumps(settings | dict(learning_rate=rate)))
            side = run_side("rmkit", work)
            found[rate] = held_out(side, test["prompt"]) | dict(losses=side["losses"])
            print(rate, found[rate], flush=True)
    print("\n" + table(["learning rate", *ACCURACY_HEAD], [accuracy_row(f"{k:.0e}", v) for k, v in found.items()]))
    if args.save:
        args.save.write_text(json.dumps(dict(settings=settings, machine=machine(), rates=found), indent=1) + "\n")


if __name__ == "__main__":
    main()
