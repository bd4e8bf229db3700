# SPDX-License-Identifier: Apache-2.0
"""Area `gpu`: portable-1 on a CUDA device against cudnn-1 on the same one, digests there, and what
a run costs a training there."""

import json
import random
from functools import partial

from figure import Figure, Goal, Measurement
from ledger import noise_file
from saving import in_turn
from surroundings import TOP
from worker import Worker

GIB_AT_200_GB_A_SECOND = 2**30 / 200e9
STEPS = 100  # for each snapshot
TEXT_BYTES = 1 << 20


def against_cudnn(what, bench):
    program = bench.program("bench/bench_ops")
    ours, peer = ([program, f"{table}:{bench.cuda}", *map(str, what)]
                  for table in ("cuda", "cudnn"))
    with Worker(ours) as mine, Worker(peer) as theirs:
        return Measurement(*in_turn(bench, mine.go, theirs.go),
                           "cudnn-1: cuDNN and cuBLAS, pedantic, without TF32")


def digest(bench):
    with Worker([bench.program("bench/bench_ops"), f"cuda:{bench.cuda}", "digest", "1024"]) as ours:
        ours.go()
        return Measurement([ours.go() for _ in range(bench.runs)])


def stall(bench):
    def command(device_copy):
        return [bench.program("bench/bench_stall"), str(bench.cuda), str(bench.new_folder()),
                "1024", device_copy]
    with Worker(command("plenty")) as within, Worker(command("never")) as straight:
        return Measurement(*in_turn(bench, within.go, straight.go), "copied to the host at once")


def images(folder):
    """examples/mnist-cnn.json with batches of 1024 images of noise."""
    config = json.loads((TOP / "examples" / "mnist-cnn.json").read_text(encoding="utf-8"))
    files = {"train_images": noise_file(folder, "images", 0x803, (8192, 28, 28)),
             "train_labels": noise_file(folder, "labels", 0x801, (8192,))}
    config["training"].update(evaluate=0, epochs=100_000, batch_size=1024)
    return config, files


def text(folder):
    """examples/shakespeare-gpt.json with 6 blocks of 512, 19 million parameters, over noise."""
    config = json.loads((TOP / "examples" / "shakespeare-gpt.json").read_text(encoding="utf-8"))
    (folder / "text").write_bytes(random.Random(1).randbytes(TEXT_BYTES))
    config["training"]["model"][0].update(layers=6, heads=8, width=512)
    config["training"].update(evaluate=0, epochs=100_000, batch_size=64)
    return config, {"text": str(folder / "text")}


def run_cost(make, state_every, bench):
    """The percents of a step of a training without run folder or state digests."""
    folder = bench.new_folder()
    config, files = make(folder)
    paths = []
    for name, every in (("run", state_every), ("plain", 0)):
        config["training"]["ledger"] = {"state_every": every}
        config["running"] = {"every": 0, "progress": False, "data": files}
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(json.dumps(config), encoding="utf-8")
    with Worker([bench.program("bench/bench_steps"), f"cuda:{bench.cuda}", str(folder / "run"),
                 str(STEPS), *map(str, paths)]) as worker:
        runs = [list(map(float, worker.ask("go"))) for _ in range(bench.runs + 1)][1:]
    return Measurement([100 * ours / plain for ours, plain in runs])


FIGURES = [
    *(Figure("gpu", f"matmul {m} x {n} x {k}", Goal("ratio", 0.7),
             partial(against_cudnn, ["matmul", m, n, k]), conditions="row by row, memory warm")
      for m, n, k in ((1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096),
                      (1000, 1000, 1000), (333, 777, 1111))),
    *(Figure("gpu", f"{name} step", Goal("ratio", 0.5), partial(against_cudnn, [model, 1024]),
             conditions="batch of 1024 images, clipping, AdamW; inputs copied, no ledger")
      for name, model in (("mlp", "mlp"), ("mnist-cnn", "cnn"))),
    Figure("gpu", "state digest of 1 GiB", Goal("most", GIB_AT_200_GB_A_SECOND), digest,
           conditions="40 tensors; leaves by the device, roots by the processor"),
    Figure("gpu", "a save of 1 GiB holds the update", Goal("ratio", 4), stall,
           conditions="first copied within the device; 40 tensors; from the capture to the end of "
                      "what is queued behind before_update, with no step beside"),
    *(Figure("gpu", f"{name}, run folder, {what}", Goal("most", most),
             partial(run_cost, make, state_every), unit="%",
             conditions="time of a step, of that of the same training in memory without state "
                        "digests; a snapshot in 100 steps, to its end; AdamW")
      for name, make in (("mnist-cnn", images), ("gpt", text))
      for what, state_every, most in (("state_every 100", 100, 101),
                                      ("state of every step", 1, 105))),
]
