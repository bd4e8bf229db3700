#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every optimizer of torch: saved, trained on, its slots put back into one that was made anew and
into one that has trained, and trained on again: every bit must be the same."""

import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python"), str(TOP / "tests" / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import torch
    from torch import nn, optim
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    from state_cases import Training, begun, journey, one_run, refuses, regression, seen
    TORCH = int(torch.__version__.split(".")[0])
    OPTIMIZERS = {
        "SGD": lambda p: optim.SGD(p, 0.05),
        "SGD, momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9, dampening=0.1),
        "SGD, nesterov": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
        "SGD, foreach": lambda p: optim.SGD(p, 0.05, momentum=0.9, foreach=True),
        "Adam": lambda p: optim.Adam(p, 0.01),
        "Adam, amsgrad": lambda p: optim.Adam(p, 0.01, amsgrad=True),
        "Adam, foreach": lambda p: optim.Adam(p, 0.01, foreach=True),
        "AdamW": lambda p: optim.AdamW(p, 0.01),
        "Adamax": lambda p: optim.Adamax(p, 0.01),
        "Adagrad": lambda p: optim.Adagrad(p, 0.05, lr_decay=0.1, initial_accumulator_value=0.1),
        "Adadelta": lambda p: optim.Adadelta(p, 1.0),
        "ASGD": lambda p: optim.ASGD(p, 0.05, t0=2.0),
        "NAdam": lambda p: optim.NAdam(p, 0.01),
        "RAdam": lambda p: optim.RAdam(p, 0.01),
        "RMSprop": lambda p: optim.RMSprop(p, 0.01),
        "RMSprop, centered": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.5),
        "Rprop": lambda p: optim.Rprop(p, 0.01),
        "LBFGS": lambda p: optim.LBFGS(p, 0.1, max_iter=3, history_size=3),
        "LBFGS, strong_wolfe": lambda p: optim.LBFGS(p, 0.1, max_iter=3, history_size=3,
                                                     line_search_fn="strong_wolfe"),
        "two groups": lambda p: optim.Adam([{"params": list(p)[:1], "lr": 0.1},
                                            {"params": list(p)[1:]}], 0.01),
    }
    if TORCH >= 2:
        OPTIMIZERS.update({
            "AdamW, fused": lambda p: optim.AdamW(p, 0.01, fused=True),
            "Adam, a rate that is a tensor": lambda p: optim.Adam(p, torch.tensor(0.01),
                                                                  foreach=False),
            "Adafactor": lambda p: optim.Adafactor(p),
        })


def make(kind):
    return regression(lambda model: OPTIMIZERS[kind](list(model.parameters())))


def every_one(tap, work):
    for kind in OPTIMIZERS:
        journey(tap, work / "a.snap.tar", f"{kind}: a fresh one", make(kind))
        journey(tap, work / "b.snap.tar", f"{kind}: one that has trained", make(kind), warm=2)
        journey(tap, work / "c.snap.tar", f"{kind}: the archive has no slots yet", make(kind),
                steps=0, warm=2)


class Aliases(optim.Optimizer if torch is not None else object):
    """Slots that are views of the parameter, and of one another; state of its own under a name."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.1})
        self.state["steps"], self.state["noise"] = 0, {"scale": torch.ones(3)}

    def step(self, closure):
        loss = closure()
        self.state["steps"] += 1
        self.state["noise"]["scale"] *= 0.9
        with torch.no_grad():
            for parameter in (one for group in self.param_groups for one in group["params"]):
                slots, size = self.state[parameter], parameter.numel()
                if not slots:
                    slots["all"] = torch.zeros(size + 4)
                    slots["part"] = slots["all"][2:2 + size]
                    slots["tail"] = parameter.detach().view(-1)[1:]
                slots["part"].add_(parameter.grad.view(-1))
                slots["tail"].sub_(0.1 * self.state["noise"]["scale"][0] * slots["part"][1:])
        return loss


def slots(tap, work):
    def lent(model):
        return Aliases(model.parameters())
    for warm in (0, 2):
        name = f"slots that share memory{', warm' * bool(warm)}"
        _, second, _ = journey(tap, work / "alias.snap.tar", name, regression(lent), warm=warm)
        weight = second.objects["model"][0].weight
        own = second.objects["optimizer"].state[weight]
        tap.ok(own["tail"].data_ptr() == weight.data_ptr() + 4 and
               own["part"].data_ptr() == own["all"].data_ptr() + 8, f"{name}: they still do")
    tap.ok(second.objects["optimizer"].state["steps"] == 6, "what has a key of its own",
           second.objects["optimizer"].state["steps"])

    def drop_own(training):
        training.objects["optimizer"].state["more"] = 5
        del training.objects["optimizer"].state["steps"]
    journey(tap, work / "alias.snap.tar", "keys of its own that come and go", regression(lent),
            change=drop_own)

    def other_form(training):
        for slots in training.objects["optimizer"].state.values():
            slots["exp_avg"] = slots["exp_avg"].double()
            slots["exp_avg_sq"] = slots["exp_avg_sq"].reshape(-1)
    journey(tap, work / "form.snap.tar", "slots of another dtype or shape are replaced, the rest "
            "stay", make("Adam"), warm=2, change=other_form, moves=("exp_avg",))

    def late():
        model, values = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), {"steps": 0}
        optimizer = optim.Adam(model.parameters(), 0.01)

        def step():
            values["steps"] += 1
            model.zero_grad(set_to_none=True)
            hidden = model[0](torch.rand(2, 4))
            loss = (model[1](hidden) if values["steps"] > 4 else hidden).pow(2).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()
        return {"model": model, "optimizer": optimizer, "values": values}, step
    journey(tap, work / "late.snap.tar", "parameters that have no slots yet", late)
    _, second, _ = journey(tap, work / "late.snap.tar", "and lose those that they have", late,
                           warm=6, more=1)
    tap.ok(second.objects["model"][1].weight not in second.objects["optimizer"].state,
           "there are none")
    training = begun(make("Adam"), work / "late.snap.tar")
    training.objects["optimizer"].state[torch.zeros(7)] = {"step": 1}
    training.save(work / "late.snap.tar")
    with snapstate.Archive(work / "late.snap.tar") as archive:
        told = [gap["reason"] for gap in archive.coverage["not_captured"]
                if gap["name"] == "optimizer.state"]
    tap.ok(told and "shape [7]" in told[0], "slots of a tensor in no group are in the coverage "
           "statement", told)
    training.objects["optimizer"].state[3] = "x"
    fails(tap, snapstate.CaptureError, r"optimizer\.state: .* integer 3",
          "a key that is an integer", training.save, work / "late.snap.tar")


def groups(tap, work):
    path = work / "groups.snap.tar"

    def build(layers, added=True):
        def grown():
            model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
            optimizer = optim.Adam(model[layers[0]].parameters(), 0.01)
            if added:
                optimizer.add_param_group({"params": list(model[layers[1]].parameters()),
                                           "lr": 0.2})

            def step():
                model.zero_grad()
                loss = model(torch.rand(2, 4)).pow(2).sum()
                loss.backward()
                optimizer.step()
                return loss.detach()
            return {"model": model, "optimizer": optimizer}, step
        return grown
    journey(tap, path, "a group that was added", build((0, 1)), warm=1)
    refuses(tap, path, "a group is missing here", snapstate.AbsentError,
            "optimizer: 2 parameter groups in the archive, 1 here",
            Training(build((0, 1), added=False), seed=2))
    refuses(tap, path, "groups in another order", snapstate.AbsentError,
            r"optimizer\.param_groups\[0\]: other parameters than in the archive, or in another "
            r"order", Training(build((1, 0)), seed=2))
    begun(build((0, 1), added=False), path)
    other = Training(build((0, 1)), seed=2)
    other.run(1)
    refuses(tap, path, "a group is missing in the archive", snapstate.AbsentError,
            "optimizer: 1 parameter groups in the archive, 2 here", other)
    begun(make("Adam"), path)
    for kind, pattern in (("Adam, foreach", r"foreach None in the archive, True here: make the "
                                            r"optimizer with foreach=None"),
                          ("SGD", r"optimizer: torch\.optim\.adam\.Adam in the archive, "
                                  r"torch\.optim\.sgd\.SGD here")):
        other = Training(make(kind), seed=2)
        other.run(1)
        refuses(tap, path, f"Adam into {kind}", snapstate.AbsentError, pattern, other)
    fails(tap, snapstate.AbsentError, "has model.0.weight and so on there, .* give it as model=",
          "an optimizer without its model", snapstate.restore, path,
          optimizer=Training(make("Adam")).objects["optimizer"], ignore=("model", "modules"))

    def both_of_one():
        objects, step = make("Adam")()
        first = objects["optimizer"]
        second = optim.SGD(objects["model"].parameters(), 0.1, momentum=0.5)

        def step_both():
            loss = step()
            second.step()
            return loss
        return {**objects, "optimizer": [first, second]}, step_both
    journey(tap, path, "two optimizers of one model", both_of_one, warm=1)

    class Wrapper:
        def __init__(self, optimizer):
            self.optimizer = optimizer

    def wrapped():
        objects, step = make("Adam")()
        return {**objects, "optimizer": Wrapper(objects["optimizer"])}, step
    wanted = [loss for loss, _ in begun(wrapped, path).run(2)]
    other = Training(wrapped, seed=2)
    snapstate.restore(path, **other.objects)
    tap.ok([loss for loss, _ in other.run(2)] == wanted, "an optimizer inside another library's")


def options(tap, work):
    """Options that only one of two versions of torch has."""
    path = work / "options.snap.tar"
    build = make("Adam")

    def with_options(training, **added):
        optimizer = training.objects["optimizer"]
        optimizer.param_groups[0].update(added)
        optimizer.defaults.update(added)

    begun(build, path)
    other = Training(build, seed=2)
    with_options(other, newer=3)
    receipt = snapstate.restore(path, **other.objects)
    told = [reason for reason in receipt.reasons if "newer" in reason]
    tap.ok(receipt.tier == "streams" and told == [
        "optimizer.param_groups[0].newer: is 3 here, and the archive does not know it"],
        "an option that the archive does not know is noted, once, and the tier is streams", receipt,
        receipt.reasons)
    tap.ok(other.objects["optimizer"].param_groups[0]["newer"] == 3, "and it stays")
    first = Training(build)
    begin = one_run(work / "older", first.objects, first.one_step, 1)
    other = Training(build, seed=2)
    with_options(other, newer=3)
    with snapstate.Archive(one_run(work / "newer", other.objects, other.one_step, 2,
                                   begin)) as archive:
        tap.ok(archive["optimizer"]["param_groups"][0]["newer"] == 3 and
               archive["optimizer"]["defaults"]["newer"] == 3, "and is saved with the rest")

    first = Training(build)
    with_options(first, older=[4, "x"])
    first.run(2)
    first.save(path)
    wanted = [loss for loss, _ in first.run(2)]
    other = Training(build, seed=2)
    receipt = snapstate.restore(path, **other.objects)
    told = [reason for reason in receipt.reasons if "older" in reason]
    tap.ok(receipt.tier == "streams" and told == [
        "optimizer.param_groups[0].older: is [4, 'x'] in the archive, and was not known here"] and
        [loss for loss, _ in other.run(2)] == wanted,
        "an option that is not known here is set and noted", receipt, receipt.reasons)

    first = Training(build)
    first.run(3)
    optimizer = first.objects["optimizer"]
    for part in (optimizer.defaults, optimizer.param_groups[0]):
        del part["differentiable"]
    for index, slots in enumerate(optimizer.state.values()):
        slots["step"] = 3  # as in the versions before 1.12
    first.save(path)
    other = Training(build, seed=2)
    receipt = snapstate.restore(path, **other.objects)
    steps = [slots["step"] for slots in other.objects["optimizer"].state.values()]
    tap.ok(len(steps) == 4 and all(isinstance(step, torch.Tensor) and step.item() == 3
                                   for step in steps) and
           any("slots of an older version" in reason for reason in receipt.reasons),
           "slots of an older version are brought to the form of this one, and that is noted",
           receipt.reasons, steps)
    other.run(1)

    first = begun(build, path)
    wanted = snapstate.save(path, read_back=False, **first.objects)
    other = Training(build, seed=2)
    for part in (other.objects["optimizer"].defaults,
                 other.objects["optimizer"].param_groups[0]):
        turned = dict(reversed(part.items()))
        part.clear()
        part.update(turned)
    receipt = snapstate.restore(path, **other.objects)
    tap.ok(receipt.reasons == ["the profile is none: nothing is promised of the next step"] and
           seen(other.objects["optimizer"]) == seen(first.objects["optimizer"]) and
           snapstate.save(path, read_back=False, **other.objects) == wanted,
           "options in another order get the archive's, and the hash is the same", receipt.reasons)


def exact(tap, work):
    """A run that requires exact does not go on with an option that only one side knows."""
    def go_on(steps, **added):
        training = Training(make("Adam"))
        training.objects["optimizer"].param_groups[0].update(added)
        with snapstate.Run(work / "exact", read_back=False, **training.objects) as run:
            for _ in run.steps(steps):
                run.step(loss=training.one_step())
            return run.receipt
    go_on(2)
    fails(tap, snapstate.AbsentError, r"\[0\]\.newer: is 3 here, .*; nothing was changed",
          "a run that requires exact, and an option that is only here", go_on, 3, newer=3)
    tap.ok(go_on(3).exact, "without it, it goes on")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("optimizers", "torch is not installed")
        return tap.done()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        for part in (every_one, slots, groups, options, exact):
            part(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
