#!/usr/bin/env python3
"""What a search costs beside its training: user CPU seconds of simulated searches, of going on with them, and of their reports.

    python3 benches/scale.py target/release/blocksmith
    python3 benches/scale.py target/release/blocksmith --sizes 1000,10000 --only "tpe;sh_emoa"

For each strategy and number of candidates: the search itself with its report; the same command again once it is finished;
what is left after a kill half way through; and `blocksmith report`.
Prints a table in Markdown. CPU seconds are those of the process in user mode, so that other work on the machine and the disk matter little.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

SPACE = """name: scale
input: 3x32x32
classes: 10
stem: {channels: 8, stride: 2}
head: none
stages:
""" + "".join(
    f"- {{block: ir, expand: [2, 3, 4, 6], kernel: [3, 5], se: [none, 0.25], stride: {stride}, channels: [{few}, {many}]}}\n"
    for stride, few, many in [(2, 12, 16), (1, 16, 24), (2, 24, 32), (1, 32, 40)]
)
REWARD = "reward: {cost: params, target: 20k}"
ASHA = "budget: {kind: asha, min_epochs: 1, eta: 3}"
SEARCHES = {
    "grid": "strategy: grid",
    "random": "strategy: random",
    "local": "strategy: local",
    "evolution": "strategy: evolution",
    "nsga2": "strategy: nsga2",
    "nsga2, 3 objectives": "strategy: nsga2, objectives: [accuracy, params, madds]",
    "tpe": "strategy: tpe",
    "mnas": f"strategy: mnas, {REWARD}",
    "sh_emoa": "strategy: sh_emoa",
    "sh_emoa, 3 objectives": "strategy: sh_emoa, objectives: [accuracy, params, madds]",
    "random, asha": f"strategy: random, {ASHA}",
    "tpe, asha": f"strategy: tpe, {ASHA}",
    "random, successive halving": "strategy: random, budget: successive_halving",
    "random beside tpe": "strategy: tpe, baseline: random",
}


def experiment(search, trials):
    return (
        "name: scale\nseeds: 1\ndata: {format: cifar10}\ntrain: {epochs: 3, schedule: constant}\n"
        "trainer: {kind: simulated, noise: 1.0}\ncheckpoints: {keep: front}\n"
        f"search: {{space: space.yaml, {search}, trials: {trials}}}\n"
    )


def user_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return after.ru_utime - before.ru_utime


def halve(command, whole, half):
    """A study as a kill leaves it: killed once its journal is half as long as that of the whole one."""
    journal, enough = os.path.join(half, "journal.jsonl"), os.path.getsize(os.path.join(whole, "journal.jsonl")) // 2
    with subprocess.Popen(command + [half], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if os.path.exists(journal) and os.path.getsize(journal) >= enough:
                process.kill()
                break
            time.sleep(0.002)


def measure(binary, search, trials, folder):
    with open(os.path.join(folder, "space.yaml"), "w") as file:
        file.write(SPACE)
    path = os.path.join(folder, "scale.yaml")
    with open(path, "w") as file:
        file.write(experiment(search, trials))
    whole, half = os.path.join(folder, "whole"), os.path.join(folder, "half")
    run = [binary, "run", path, "--jobs", "1", "--threads", "1", "--json", "--out"]
    found = {"run": user_seconds(run + [whole]), "again": user_seconds(run + [whole])}
    halve(run, whole, half)
    found["other half"] = user_seconds(run + [half])
    found["report"] = user_seconds([binary, "report", whole])
    found["status"] = user_seconds([binary, "status", whole])
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary")
    arguments.add_argument("--sizes", default="1000,10000,100000")
    arguments.add_argument("--only", default="", help="names of strategies as the table has them, separated by ;")
    arguments.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    given = arguments.parse_args()
    only = [name.strip() for name in given.only.split(";") if name.strip()]
    sizes = [int(size) for size in given.sizes.split(",")]
    print("| search | candidates | run | again | other half | report | status |")
    print("|---|---|---|---|---|---|---|")
    for name, search in SEARCHES.items():
        if only and name not in only:
            continue
        for trials in sizes:
            with tempfile.TemporaryDirectory(dir=given.folder) as folder:
                found = measure(given.binary, search, trials, folder)
            cells = " | ".join(f"{seconds:.2f}" for seconds in found.values())
            print(f"| {name} | {trials:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
