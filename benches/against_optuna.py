#!/usr/bin/env python3
"""Optuna's samplers on a table of trials that blocksmith trained, to compare our strategies with.

Set up once:   pip install optuna==5.0.0
A table:       blocksmith run experiments/tabular.yaml --data cifar-10-binary.tar.gz
               blocksmith table reports/tabular --out tabular.csv.gz
Run:           python3 benches/against_optuna.py tabular.csv.gz [--seeds 100] [--jobs 2] [--ours curves.json] [--out optuna.json] [--theirs optuna.json]

RandomSampler, NSGAIISampler and TPESampler as Optuna sets them up, for two objectives: validation accuracy after the table's
last epoch (up) and params (down). The parameters are the table's factors, each categorical and suggested only where it has an
effect: where some candidate with the levels chosen so far has a level of it. In a run with seed s an evaluation gives the
accuracy of one trial: of the table's seeds in rising order that with the number s mod n.

What a run found is scored by the mean accuracy over the table's seeds: the hypervolume of the front of all candidates evaluated
so far, against the point of 1.1 times the largest params and of chance accuracy, over that of the whole table's front; and the
regret, which is the best mean accuracy of the table less that of the candidate whose evaluation was the highest.

Optuna may propose a candidate again, and an evaluation that tells nothing new is paid for all the same: `asked` counts every
evaluation. `distinct` does not count those of candidates that the run has evaluated already. A run ends at --most times the
largest budget; one that has found fewer distinct candidates by then keeps what it has.

With --theirs, curves that an earlier run wrote with --out are compared, and Optuna is not run.

Printed: the median over seeds, with the 95 % interval of a bootstrap. With --ours, curves of our own strategies as
{"strategy": {"budget": [hypervolume of every seed]}}, and the ratios of their medians to Optuna's.
"""
import argparse
import csv
import gzip
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import OrderedDict

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import numpy
    import optuna
except ImportError as error:
    sys.exit(f"{error}: pip install optuna")

BUDGETS = [50, 100, 150, 200, 300]
SAMPLERS = OrderedDict(
    random=optuna.samplers.RandomSampler,
    nsga2=optuna.samplers.NSGAIISampler,
    tpe=optuna.samplers.TPESampler,
)
RESAMPLES = 2000
CHOICE = "choice."


class Table:
    """Candidates with their choices, params, and accuracies by seed."""

    def __init__(self, path):
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rt", encoding="utf-8", newline="") as file:
            text = file.read()
        lines = text.splitlines(keepends=True)
        if not lines or not lines[0].startswith("# blocksmith table 1"):
            sys.exit(f"{path}: this is no table of blocksmith (format 1)")
        about = {}
        for line in lines:
            if line.startswith("#") and ":" in line:
                name, value = line.lstrip("# ").split(":", 1)
                about[name] = value.strip()
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        self.name = about.get("space", path)
        self.source = about.get("source", "")
        self.chance = 100.0 / int(about["classes"])
        self.epochs = sum(name.startswith("acc_") for name in rows[0])
        self.seeds = sorted({int(row["seed"]) for row in rows})
        self.texts = list(OrderedDict.fromkeys(row["candidate"] for row in rows))
        number = {text: i for i, text in enumerate(self.texts)}
        first = OrderedDict((row["candidate"], row) for row in reversed(rows))
        self.params = numpy.array([int(first[text]["params"]) for text in self.texts])
        # A trial that failed tells images apart by chance.
        self.accuracy = numpy.full((len(self.texts), len(self.seeds)), self.chance)
        for row in rows:
            if row[f"acc_{self.epochs}"] and not row.get("failed_epoch"):
                seed = self.seeds.index(int(row["seed"]))
                self.accuracy[number[row["candidate"]], seed] = float(row[f"acc_{self.epochs}"])
        self.mean = self.accuracy.mean(axis=1)
        self.factors = OrderedDict()
        for column in rows[0]:
            if column.startswith(CHOICE):
                cells = [first[text][column] for text in self.texts]
                levels = list(OrderedDict.fromkeys(cell for cell in cells if cell))
                if levels:
                    self.factors[column[len(CHOICE):]] = (levels, numpy.array(cells, dtype=object))
        if not self.factors:
            sys.exit(f"{path}: this table has no choices: its study had no search")
        self.reference = 1.1 * self.params.max()
        self.whole = self.hypervolume(range(len(self.texts)))

    def hypervolume(self, candidates):
        """Area that the candidates' front dominates, by params and mean accuracy."""
        area, best = 0.0, self.chance
        ordered = sorted(set(candidates), key=lambda i: (self.params[i], -self.mean[i]))
        for i in ordered:
            if self.mean[i] > best:
                area += (self.reference - self.params[i]) * (self.mean[i] - best)
                best = self.mean[i]
        return area

    def suggest(self, trial):
        """The candidate of a trial's suggestions; None where no candidate of the table has such levels."""
        left = numpy.ones(len(self.texts), dtype=bool)
        for name, (levels, cells) in self.factors.items():
            if not (cells[left] != "").any():
                continue
            level = levels[0] if len(levels) == 1 else trial.suggest_categorical(name, levels)
            left &= (cells == level) | (cells == "")
            if not left.any():
                return None
        return int(numpy.flatnonzero(left)[0])


def run(task):
    """Scores of one run: {"asked" | "distinct": {budget: (hypervolume, regret)}}, and how many it asked and found."""
    table, sampler, seed, budgets, most = task
    logging.disable(logging.CRITICAL)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=SAMPLERS[sampler](seed=seed))
    column = seed % len(table.seeds)
    seen, asked, highest, best = [], 0, -1.0, None
    scores = {"asked": {}, "distinct": {}}
    known = set()

    def score():
        if best is None:
            return 0.0, float(table.mean.max() - table.chance)
        return table.hypervolume(known) / table.whole, float(table.mean.max() - table.mean[best])

    infeasible = 0
    while asked < most * budgets[-1] and len(known) < min(budgets[-1], len(table.texts)):
        trial = study.ask()
        candidate = table.suggest(trial)
        if candidate is None:
            # Rejected before training, which costs nothing.
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            infeasible += 1
            if infeasible > 100 * budgets[-1]:
                break
            continue
        asked += 1
        accuracy = float(table.accuracy[candidate, column])
        study.tell(trial, [accuracy, float(table.params[candidate])])
        is_new = candidate not in known
        known.add(candidate)
        if accuracy > highest:
            highest, best = accuracy, candidate
        if asked in budgets:
            scores["asked"][asked] = score()
        if is_new and len(known) in budgets:
            scores["distinct"][len(known)] = score()
    for count in scores.values():
        for budget in budgets:
            count.setdefault(budget, score())
    return sampler, seed, scores, asked, len(known)


def interval(values, others=None):
    """Median, or the ratio of medians, with the 95 % interval of a bootstrap."""
    random = numpy.random.default_rng(1)

    def medians(values):
        values = numpy.asarray(values, dtype=float)
        return numpy.median(random.choice(values, (RESAMPLES, len(values))), axis=1)

    middle, drawn = numpy.median(values), medians(values)
    if others is not None:
        middle, drawn = middle / numpy.median(others), drawn / medians(others)
    low, high = numpy.percentile(drawn, [2.5, 97.5])
    return f"{middle:7.4f} ({low:.4f} to {high:.4f})"


def show(title, curves, budgets):
    """A table: a row per strategy, a column per budget."""
    print(f"\n{title}")
    print(f"{'':24}" + "".join(f"{budget:>30}" for budget in budgets))
    for name, curve in curves.items():
        cells = [interval(curve[str(b)]) if curve.get(str(b)) else "-" for b in budgets]
        print(f"{name:24}" + "".join(f"{cell:>30}" for cell in cells))


def read_ours(path, budgets):
    """Curves of our own strategies."""
    with open(path, encoding="utf-8") as file:
        ours = json.load(file)
    for name, curve in ours.items():
        if not isinstance(curve, dict) or not any(str(b) in curve for b in budgets):
            sys.exit(f"{path}: `{name}` has none of the budgets {budgets}; a strategy is {{\"50\": [0.8, ...], ...}}")
    return ours


def race(table, args, budgets):
    """Runs the samplers: {(measure, count): {sampler: {budget: [value of every seed]}}}."""
    tasks = [(table, sampler, seed, budgets, args.most) for sampler in args.samplers for seed in range(args.seeds)]
    with multiprocessing.Pool(args.jobs) as pool:
        runs = list(pool.imap_unordered(run, tasks))
    runs.sort(key=lambda r: r[1])
    curves = {}
    for count in ("asked", "distinct"):
        for measure, what in enumerate(("hypervolume", "regret")):
            curves[what, count] = {
                f"optuna {sampler}": {
                    str(b): [scores[count][b][measure] for name, _, scores, *_ in runs if name == sampler]
                    for b in budgets
                }
                for sampler in args.samplers
            }
    for sampler in args.samplers:
        of_it = [(asked, found) for name, _, _, asked, found in runs if name == sampler]
        asked, found = numpy.median(of_it, axis=0)
        print(f"{sampler}: {asked:.0f} evaluations of a run (median), {found:.0f} of them of distinct candidates")
    return curves


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="file that `blocksmith table` wrote")
    parser.add_argument("--seeds", type=int, default=100, help="runs of each sampler [100]")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, help="evaluations [50 100 150 200 300]")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--most", type=float, default=2.0, help="evaluations of a run, in largest budgets [2]")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once [1]")
    parser.add_argument("--ours", help="JSON file of our own strategies' hypervolumes")
    parser.add_argument("--out", help="JSON file to write Optuna's curves to")
    parser.add_argument("--theirs", help="JSON file that --out wrote, instead of running Optuna")
    args = parser.parse_args()
    budgets, table = sorted(set(args.budgets)), Table(args.table)
    if args.seeds < 1 or budgets[0] < 1 or args.most < 1 or args.jobs < 1:
        parser.error("--seeds, --budgets, --most and --jobs are 1 or more")
    ours = read_ours(args.ours, budgets) if args.ours else {}
    front = [i for i in range(len(table.texts)) if not any(
        (table.params <= table.params[i]) & (table.mean >= table.mean[i])
        & ((table.params < table.params[i]) | (table.mean > table.mean[i])))]
    print(
        f"table of {table.name} ({table.source}): {len(table.texts)} candidates, {len(table.seeds)} seeds, "
        f"{table.epochs} epochs; its front has {len(front)}, the best mean accuracy is {table.mean.max():.2f} %"
    )
    print(f"Optuna {optuna.__version__}, {args.seeds} runs of each sampler")

    start = time.time()
    if args.theirs:
        with open(args.theirs, encoding="utf-8") as file:
            saved = json.load(file)
        curves = {tuple(name.split(", ")): curve for name, curve in saved.items()}
    else:
        curves = race(table, args, budgets)
    show("hypervolume, every evaluation counted", {**curves["hypervolume", "asked"], **ours}, budgets)
    show("hypervolume, repeated candidates not counted", curves["hypervolume", "distinct"], budgets)
    show("regret in points of accuracy, every evaluation counted", curves["regret", "asked"], budgets)
    show("regret in points of accuracy, repeated candidates not counted", curves["regret", "distinct"], budgets)
    for count in ("asked", "distinct") if ours else ():
        print(f"\nours over Optuna's, medians of hypervolume ({count})")
        print(f"{'':40}" + "".join(f"{budget:>30}" for budget in budgets))
        for name, curve in ours.items():
            for other, against in curves["hypervolume", count].items():
                cells = [interval(curve[str(b)], against[str(b)]) if curve.get(str(b)) else "-" for b in budgets]
                print(f"{name + ' / ' + other:40}" + "".join(f"{cell:>30}" for cell in cells))
    print(f"\n{time.time() - start:.0f} s")
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            json.dump({f"{what}, {count}": curve for (what, count), curve in curves.items()}, file)


if __name__ == "__main__":
    main()
