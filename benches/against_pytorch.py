#!/usr/bin/env python3
"""Training and inference speed beside PyTorch's, the two in turn, and the ratio of their medians with its range.

Set up once:   python3 -m venv VENV && VENV/bin/pip install torch==2.15.0 numpy && cargo build --release
Run:           VENV/bin/python benches/against_pytorch.py [--rounds 5] [--seconds 4] [--tuned]
               [--only mobilenet_v2:train:64 ...]

Each round runs blocksmith and then PyTorch (channels_last, one thread each) on the same work; a pair's ratio is
blocksmith's images/s over PyTorch's. `--tuned` runs PyTorch under glibc settings that keep its buffers from going back to
the system: the honest opponent; without it PyTorch runs as installed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "target" / "release" / "blocksmith"
TUNED = ":".join(["glibc.malloc.mmap_threshold=2147483648", "glibc.malloc.trim_threshold=8589934592",
                  "glibc.malloc.top_pad=67108864"])
WORK = ["mobilenet_v2:train:64", "mix:train:64", "mobilenet_v2:infer:128", "mobilenet_v2:infer:1"]
ARGUMENTS = {"mobilenet_v2": ["--set", "stem=cifar", "--input", "3x32x32", "--classes", "10"], "mix": []}


def conv_norm(torch, inputs, outputs, kernel=1, stride=1, groups=1, act=None):
    layers = [torch.nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
              torch.nn.BatchNorm2d(outputs)]
    return torch.nn.Sequential(*layers, *([act] if act else []))


def network(torch, name):
    """MobileNetV2 in its 32x32 geometry, or the CSE paper's Mix model, written for this file."""
    nn = torch.nn
    relu6 = lambda: nn.ReLU6(inplace=True)

    class Bottleneck(nn.Module):
        def __init__(self, inputs, outputs, ratio, stride, paper):
            super().__init__()
            hidden = inputs * ratio
            expand = [conv_norm(torch, inputs, hidden, act=relu6())] if ratio != 1 or paper else []
            self.body = nn.Sequential(*expand, conv_norm(torch, hidden, hidden, 3, stride, hidden, relu6()),
                                      conv_norm(torch, hidden, outputs))
            self.shortcut = None
            if stride == 1 and inputs == outputs:
                self.shortcut = nn.Identity()
            elif stride == 1 and paper:
                self.shortcut = conv_norm(torch, inputs, outputs)

        def forward(self, x):
            return self.body(x) if self.shortcut is None else self.body(x) + self.shortcut(x)

    class Cse(nn.Module):
        def __init__(self, inputs, outputs, stride, side):
            super().__init__()
            pixels, width = side * side, min(8, side * side // 16)
            self.body = nn.Sequential(conv_norm(torch, inputs, outputs, act=nn.PReLU()),
                                      conv_norm(torch, outputs, outputs, 3, 1, outputs, nn.PReLU()))
            self.map = nn.Sequential(nn.Linear(pixels, width, bias=False), nn.ReLU(inplace=True),
                                     nn.Linear(width, pixels, bias=False), nn.Sigmoid())
            self.shortcut = nn.Identity() if inputs == outputs else conv_norm(torch, inputs, outputs)
            self.down = nn.Conv2d(outputs, outputs, 2, 2, groups=outputs, bias=False) if stride == 2 else nn.Identity()

        def forward(self, x):
            y = self.body(x)
            n, _, h, w = y.shape
            gate = self.map(y.mean(1).flatten(1)).view(n, 1, h, w)
            return self.down(y * gate + self.shortcut(x))

    layers, channels, side, paper = [conv_norm(torch, 3, 32, 3, act=relu6())], 32, 32, name == "mix"
    if paper:
        stages = [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 1)]
    else:
        stages = [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for ratio, outputs, repeats, stride in stages:
        for block in range(repeats):
            layers.append(Bottleneck(channels, outputs, ratio, stride if block == 0 else 1, paper))
            channels = outputs
    for outputs, repeats, stride in [(64, 4, 2), (96, 3, 2), (160, 3, 1), (320, 1, 2)] if paper else []:
        for block in range(repeats):
            step = stride if block == 0 else 1
            layers.append(Cse(channels, outputs, step, side))
            channels, side = outputs, side // step
    layers.append(conv_norm(torch, 320, 1280, groups=320 if paper else 1, act=relu6()))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 10))


def pytorch(name, mode, batch, seconds):
    """The opponent: runs in a process of its own and prints images/s of its median step."""
    import torch
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = network(torch, name)
    expected = {"mobilenet_v2": 2_236_682, "mix": 362_992}[name]
    assert sum(p.numel() for p in net.parameters()) == expected
    net.train(mode == "train")
    if mode == "infer":
        from torch.fx.experimental.optimization import fuse
        net = fuse(net)
    net = net.to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, 32, 32).to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (batch,))
    sgd = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=4e-5)

    def step():
        if mode == "infer":
            with torch.inference_mode():
                return net(x)[0, 0].item()
        sgd.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        sgd.step()
        return loss.item()

    for _ in range(2):
        step()
    times = []
    while len(times) < 5 or sum(times) < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(json.dumps({"images_per_s": batch / statistics.median(times)}))


def images_per_s(command, tuned=False):
    environment = dict(os.environ, **({"GLIBC_TUNABLES": TUNED} if tuned else {}))
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return json.loads(out)["images_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--only", nargs="+", default=WORK, metavar="NETWORK:MODE:BATCH")
    parser.add_argument("--opponent", metavar="NETWORK:MODE:BATCH", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.opponent:
        name, mode, batch = args.opponent.split(":")
        return pytorch(name, mode, int(batch), args.seconds)
    print(f"one thread, {args.rounds} pairs, PyTorch {'with a tuned allocator' if args.tuned else 'as installed'}")
    for work in args.only:
        name, mode, batch = work.split(":")
        ours = [str(BINARY), "bench", "--network", name, *ARGUMENTS[name], "--mode", mode, "--batch", batch,
                "--seconds", str(args.seconds), "--json"]
        theirs = [sys.executable, __file__, "--opponent", work, "--seconds", str(args.seconds)]
        pairs = [(images_per_s(ours), images_per_s(theirs, args.tuned)) for _ in range(args.rounds)]
        ratios = sorted(a / b for a, b in pairs)
        medians = [statistics.median(side) for side in zip(*pairs)]
        print(f"{work:24} ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
              f"blocksmith {medians[0]:.1f}, PyTorch {medians[1]:.1f} images/s", flush=True)


if __name__ == "__main__":
    main()
