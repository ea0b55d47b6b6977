"""Complete schedules of torch: OneCycleLR with each of its options, and warm-ups. Writes schedules.json.

    python test/golden/make/schedules.py --out test/golden
"""

import argparse
import json
import warnings
from pathlib import Path

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR

ONE_CYCLE = [
    {"steps": 20},
    {"steps": 1},
    {"steps": 2},
    {"steps": 33, "pct_start": 0.1},
    {"steps": 25, "pct_start": 0.0},
    {"steps": 25, "pct_start": 1.0},
    {"steps": 40, "anneal_strategy": "linear"},
    {"steps": 40, "three_phase": True},
    {"steps": 41, "three_phase": True, "anneal_strategy": "linear", "pct_start": 0.45},
    {"steps": 30, "cycle_momentum": False},
    {"steps": 30, "base_momentum": 0.8, "max_momentum": 0.99, "div_factor": 10.0, "final_div_factor": 100.0},
]
WARM_UP = [
    {"steps": 30, "warmup_steps": 0, "min_lr": 0.0},
    {"steps": 30, "warmup_steps": 5, "min_lr": 0.0},
    {"steps": 47, "warmup_steps": 10, "warmup_factor": 0.25, "min_lr": 1e-4},
]


def optimizer(lr: float) -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)


def run(opt: SGD, scheduler, steps: int) -> list:
    rates = []
    for _ in range(steps):
        group = opt.param_groups[0]
        rates.append([float(group["lr"]), float(group["momentum"])])
        opt.step()
        scheduler.step() if len(rates) < steps else None
    return rates


def one_cycle(options: dict) -> dict:
    options = dict(options)
    steps = options.pop("steps")
    opt = optimizer(1e-3)
    return {"steps": steps, "options": options, "rates": run(opt, OneCycleLR(opt, max_lr=0.01, total_steps=steps, **options), steps)}


def warm_up(steps: int, warmup_steps: int, warmup_factor: float = 0.001, min_lr: float | None = None) -> dict:
    options = {"warmup_steps": warmup_steps, "warmup_factor": warmup_factor, "min_lr": min_lr}
    opt = optimizer(0.02)
    after = ConstantLR(opt, factor=1.0) if min_lr is None else CosineAnnealingLR(opt, T_max=steps - warmup_steps, eta_min=min_lr)
    if warmup_steps == 0:
        scheduler = after
    else:
        rise = LinearLR(opt, start_factor=warmup_factor, total_iters=warmup_steps)
        scheduler = SequentialLR(opt, [rise, after], milestones=[warmup_steps])
    return {"steps": steps, "options": options, "rates": run(opt, scheduler, steps)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    # OneCycleLR's own call of optimizer.step() comes before the first.
    warnings.filterwarnings("ignore")
    golden = {
        "about": "lr and momentum before each step; OneCycleLR(max_lr=0.01), and LinearLR then CosineAnnealingLR or nothing, of SGD(lr=1e-3 and 0.02, momentum=0.9)",
        "one_cycle": [one_cycle(options) for options in ONE_CYCLE],
        "warm_up": [warm_up(**options) for options in WARM_UP] + [warm_up(20, 6, 0.1)],
    }
    (parser.parse_args().out / "schedules.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
