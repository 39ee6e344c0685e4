#!/usr/bin/env python3
"""What a second core gives: two trials at once on a thread each, and one trial on two threads, beside one on one thread.

Set up once:   cargo build --release
Run:           python3 benches/parallel.py [--rounds 5] [--seconds 4] [--network mix] [--batch 64]

First a probe of the machine: two processes that compute alone, in registers, against one. Two cores that are truly two
give 2.0; two hyperthreads of one core, or cores that others use, give less, and no program can give more than they do.
Then, in every round in turn, (a) one `blocksmith bench` on one thread, (b) two at once on a thread each, (c) one on two
threads. A round's ratios are the images/s of (b), summed, and of (c) over the mean of (a) just before and just after.
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


def spin(until):
    """Integer and float arithmetic until a time of the clock that all processes share; prints rounds per second."""
    rounds, integer, real, start = 0, 1, 0.5, time.time()
    while time.time() < until:
        for _ in range(20_000):
            integer = (integer * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            real = real * 3.9 * (1.0 - real)
        rounds += 1
    print(json.dumps({"images_per_s": rounds / (time.time() - start)}))


def together(commands):
    """Runs commands at once; the sum of their rates."""
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate()[0] for process in running]
    failed = [command for command, process in zip(commands, running) if process.returncode != 0]
    if failed:
        sys.exit(f"{' '.join(map(str, failed[0]))} failed")
    return sum(json.loads(output)["images_per_s"] for output in outputs)


def text(ratios):
    low, *_, high = sorted(ratios) if len(ratios) > 1 else ratios * 2
    return f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"


def probe(rounds, seconds):
    """How many times the rate of one process two give that share nothing but the machine."""
    def at_once(count):
        # Started a moment ahead, so that all run over the same time.
        until = str(time.time() + 0.3 + seconds)
        return together([[sys.executable, __file__, "--spin", until]] * count)
    ratios = []
    for _ in range(rounds):
        before, two, after = at_once(1), at_once(2), at_once(1)
        ratios.append(two / ((before + after) / 2))
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement, at least")
    parser.add_argument("--network", default="mix")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    parser.add_argument("--spin", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.spin:
        return spin(args.spin)
    if args.rounds < 1:
        parser.error("--rounds: at least 1")
    if not BINARY.exists():
        sys.exit(f"{BINARY} is not there: cargo build --release")

    def bench(threads):
        return [str(BINARY), "bench", "--network", args.network, "--mode", args.mode, "--batch", str(args.batch),
                "--threads", str(threads), "--seconds", str(args.seconds), "--json"]

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{args.mode} {args.network} at batch {args.batch}, {cores} cores, {args.rounds} rounds")
    print(f"probe: two processes      {text(probe(args.rounds, min(args.seconds, 2)))} times one", flush=True)
    ones, twos, threads = [together([bench(1)])], [], []
    for _ in range(args.rounds):
        twos.append(together([bench(1), bench(1)]))
        ones.append(together([bench(1)]))
        threads.append(together([bench(2)]))
        ones.append(together([bench(1)]))
    # What stands between two measurements of (a), in their order.
    beside = [(a + b) / 2 for a, b in zip(ones, ones[1:])]
    print(f"one trial, one thread     {statistics.median(ones):.1f} images/s")
    print(f"two trials, a thread each {text([x / a for x, a in zip(twos, beside[0::2])])} times one trial")
    print(f"one trial, two threads    {text([x / a for x, a in zip(threads, beside[1::2])])} times one thread")


if __name__ == "__main__":
    main()
