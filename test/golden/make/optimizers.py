"""torch.optim's SGD and AdamW, clip_grad_norm_ and AveragedModel on a few small tensors, step by step."""

from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import common

FILE = "optimizers.safetensors"
SHAPES = [(4, 3, 2), (5,), ()]
STEPS = 6
Tensors = dict[str, torch.Tensor]


def optimizer_of(case: dict, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    # foreach and fused round in other orders.
    plain = {"lr": 1.0, "weight_decay": case["weightDecay"], "foreach": False, "fused": False}
    if case["kind"] == "adamw":
        return torch.optim.AdamW(parameters, betas=(0.9, case["beta2"]), eps=case["eps"], **plain)
    return torch.optim.SGD(parameters, momentum=0.9, nesterov=case["nesterov"], **plain)


def optimizer_answers(inputs: Tensors, cases: list[dict]) -> Tensors:
    answers: Tensors = {}
    for c, case in enumerate(cases):
        parameters = [nn.Parameter(inputs[f"parameter{i}"].clone()) for i in range(len(SHAPES))]
        optimizer = optimizer_of(case, parameters)
        for step in range(STEPS):
            group = optimizer.param_groups[0]
            group["lr"] = case["lr"][step]
            if case["kind"] == "adamw":
                group["betas"] = (case["momentum"][step], case["beta2"])
            else:
                group["momentum"] = case["momentum"][step]
            for i, parameter in enumerate(parameters):
                # A parameter without a gradient in this step.
                unreached = i == 1 and step in case["unreached"]
                parameter.grad = None if unreached else inputs[f"gradient{i}.{step}"].clone()
            if case["maxGradNorm"] is not None:
                norm = nn.utils.clip_grad_norm_(parameters, case["maxGradNorm"])
                answers[f"case{c}.norm.{step}"] = norm.detach().clone()
            optimizer.step()
            for i, parameter in enumerate(parameters):
                answers[f"case{c}.parameter{i}.{step}"] = parameter.detach().clone()
    return answers


class Values(nn.Module):
    def __init__(self, value: torch.Tensor, buffer: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(value.clone())
        self.register_buffer("running_mean", buffer.clone())
        self.register_buffer("num_batches_tracked", torch.tensor(0))


def decay_at(decay: float, updates: int) -> float:
    """TensorFlow's ExponentialMovingAverage with num_updates."""
    return min(decay, (1 + updates) / (10 + updates))


def average_answers(inputs: Tensors, decay: float) -> Tensors:
    model = Values(inputs["parameter0"], inputs["parameter1"])
    average = AveragedModel(model, use_buffers=True)
    # The first update of a fresh AveragedModel copies; ours begins with the weights it was made of.
    average.n_averaged.fill_(1)
    answers: Tensors = {}
    for step in range(STEPS):
        with torch.no_grad():
            model.weight.add_(inputs[f"gradient0.{step}"])
            model.running_mean.add_(inputs[f"gradient1.{step}"])
            model.num_batches_tracked.add_(1)
        average.multi_avg_fn = get_ema_multi_avg_fn(decay_at(decay, step))
        average.update_parameters(model)
        answers[f"average.weight.{step}"] = average.module.weight.detach().clone()
        answers[f"average.running_mean.{step}"] = average.module.running_mean.clone()
    return answers


def make(job: common.Job) -> None:
    inputs = {f"parameter{i}": job.tensor(*shape, low=-1) for i, shape in enumerate(SHAPES)}
    for step in range(STEPS):
        for i, shape in enumerate(SHAPES):
            inputs[f"gradient{i}.{step}"] = job.tensor(*shape, low=-2, high=2)

    def rates(low: float, high: float) -> list[float]:
        return [float(value) for value in job.rng.uniform(low, high, STEPS)]

    sgd = {"kind": "sgd", "weightDecay": 0.0, "nesterov": False, "maxGradNorm": None, "unreached": []}
    adamw = {"kind": "adamw", "weightDecay": 0.01, "beta2": 0.99, "eps": 1e-8, "maxGradNorm": None, "unreached": []}
    cases = [
        {**sgd, "momentum": [0.0] * STEPS},
        {**sgd, "momentum": rates(0.85, 0.95), "weightDecay": 0.0005},
        {**sgd, "momentum": rates(0.5, 0.95), "weightDecay": 0.01, "nesterov": True},
        # Momentum that starts later, clipped gradients, a parameter without gradients.
        {**sgd, "momentum": [0.0, 0.0, *rates(0.8, 0.9)[2:]], "maxGradNorm": 2.5, "unreached": [0, 3]},
        {**adamw, "momentum": rates(0.85, 0.95)},
        {**adamw, "momentum": [0.9] * STEPS, "weightDecay": 0.0, "beta2": 0.999, "unreached": [0, 4]},
        {**adamw, "momentum": rates(0.85, 0.95), "maxGradNorm": 100.0},
    ]
    for case in cases:
        case["lr"] = rates(0.001, 0.1)
    decay = float(job.rng.uniform(0.2, 0.4))
    common.write_tensors(
        job.out / FILE,
        {**inputs, **optimizer_answers(inputs, cases), **average_answers(inputs, decay)},
        about="each case's parameters after each step, from parameter_i and gradient_i.step; momentum is AdamW's beta1; "
        "norms before clipping; averages of parameter0 (a weight) and parameter1 (a buffer), which the gradients move",
        cases=cases,
        decay=decay,
        steps=STEPS,
    )


def check(golden: Path, data: Path) -> list[common.Difference]:
    tensors, metadata = common.read_tensors(golden / FILE)
    difference = common.Difference(FILE)
    answers = {**optimizer_answers(tensors, metadata["cases"]), **average_answers(tensors, metadata["decay"])}
    for name, answer in answers.items():
        difference.tensors(name, answer, tensors[name], 1e-6)
    return [difference]
