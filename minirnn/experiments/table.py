"""An experiment's outcome: as JSON, which is what is committed, and from it as a table for people."""

import numpy as np

from minirnn.experiments.experiment import NOT_HELD, NOT_JUDGED, NotRun, Results
from minirnn.train.environment import environment
from minirnn.train.run_folder import RunFolder


def outcome(experiment, jobs, folder=None):
    """(Results, {row: number of runs still missing}) of Jobs, ended or not; those of ingredients are left out.

    Where one run of the row "none" goes on, the second is {"none": 1}. What the experiment measures of a run is kept in
    its folder, so that it is measured once.
    """
    rows, runs, missing = {row.key for row in experiment.rows}, {}, {}
    for job in jobs:
        if job.row not in rows:
            continue
        result = job.result()
        if result is None:
            missing[job.row] = missing.get(job.row, 0) + 1
        else:
            kept = {"epochs": curves(job.path, experiment.curve)} if experiment.curve else {}
            if experiment.measure is not None and result["status"] != "diverged":
                kept |= measured(experiment, job, folder)
            runs.setdefault(job.row, []).append({**result, **kept, "seed": job.seed, "config": job.config})
    return Results(experiment, runs), missing


def measured(experiment, job, folder=None):
    """What ``experiment.measure`` finds of a run, measured once for the same parameters and then read."""
    run_folder = RunFolder.open(job.path)
    inputs = {"run": run_folder.identity, "parameters": job.result()["parameters_sha256"]}
    return run_folder.measured(experiment.name, inputs, lambda: experiment.measure(job.house.load(job.path), folder))


def curves(path, names):
    """{metric: value of every epoch, None where it has none} from a run folder's metrics.jsonl."""
    epochs = [line for line in RunFolder.open(path).read_metrics() if line["kind"] == "epoch"]
    return {name: [line.get(name) for line in epochs] for name in names}


def as_json(experiment, scale, shown, results, missing):
    """The Rows ``shown`` with the source's numbers and ours, claims, data, what the numbers depend on; no paths."""
    rows = []
    for row in shown:
        runs = results.runs.get(row.key, [])
        ours = {c.title: _measured(results, row.key, c.title) for c in experiment.columns}
        rows.append({"row": row.key, "paper": row.reported, "ours": ours, "seeds": [run["seed"] for run in runs],
                     "missing": missing.get(row.key, 0), "seconds": [round(run["seconds"]) for run in runs],
                     "config": runs[0]["config"] if runs else None,
                     "ended_by_hand": [run["seed"] for run in runs if run["status"] == "by hand"],
                     "diverged": [run["seed"] for run in runs if run["status"] == "diverged"]})
        for name in (*experiment.kept, *(["epochs"] if experiment.curve else [])):
            rows[-1][name] = [run.get(name) for run in runs]
    found = {(run["data"]["name"], run["data"]["origin"]) for runs in results.runs.values() for run in runs}
    return {
        "experiment": experiment.name, "title": experiment.title, "scale": scale,
        "columns": {column.title: column.form for column in experiment.columns}, "rows": rows,
        "claims": [judged._asdict() for judged in results.judge(scale)],
        "data": [f"{name} ({origin})" for name, origin in sorted(found)], "notes": list(experiment.notes),
        "environment": environment(),
    }


def _measured(results, row, column):
    """Mean and standard deviation (of a sample, n - 1) of what was measured, and None in ``values`` for the rest."""
    try:
        values = results.values(row, column)
    except NotRun:
        return None
    measured = values[np.isfinite(values)]
    if not measured.size:
        return None
    return {
        "mean": float(measured.mean()), "sd": float(measured.std(ddof=1)) if measured.size > 1 else None,
        "values": [value if np.isfinite(value) else None for value in values.tolist()],
    }


def text(saved):
    """The table of what ``as_json`` gave: paper | ours mean ± sd (or both of two) | seeds, claims, data, notes."""
    columns, rows = saved["columns"], saved["rows"]
    paired = {title for title in columns for row in rows if title in row["paper"]}
    header = ["row"]
    for title in columns:
        header += [f"paper {title}"] * (title in paired) + [f"ours {title}"]
    lines = [[*header, "seeds"]]
    for row in rows:
        cells = [row["row"]]
        for title, form in columns.items():
            if title in paired:
                cells.append(f"{row['paper'][title]:{form}}" if title in row["paper"] else "")
            cells.append(_ours(row["ours"][title], form))
        done = len(row["seeds"])
        seeds = f"{done} of {done + row['missing']}" if row["missing"] else str(done)
        for how in ("ended by hand", "diverged"):
            number = len(row.get(how.replace(" ", "_"), ()))
            seeds += f", {number} {how}" if number else ""
        lines.append([*cells, seeds])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    aligned = ["  ".join(f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(line, widths)))
               for line in lines]
    claims = [_claim(**judged) for judged in saved["claims"]]
    data = [f"data: {', '.join(saved['data'])}"] if saved["data"] else []
    head = f"{saved['title']}, scale {saved['scale']}"
    smoke = ["note: smoke shows that everything runs; its numbers mean nothing"] if saved["scale"] == "smoke" else []
    return "\n".join([head, "", *aligned, "", *claims, *data, *smoke, *(f"note: {note}" for note in saved["notes"])])


def _ours(measured, form):
    if measured is None:
        return "-"
    values = measured["values"]
    number = sum(value is not None for value in values)
    part = f" ({number} of {len(values)})" if number < len(values) else ""
    if number == 2:  # two numbers have no spread
        return ", ".join(f"{value:{form}}" for value in values if value is not None) + part
    return f"{measured['mean']:{form}}" + (f" ± {measured['sd']:{form}}" if measured["sd"] is not None else "") + part


def _claim(claim, verdict, holding, seeds):
    word = verdict.upper() if verdict == NOT_HELD else verdict
    return f"{word:>11}  {claim}" + ("" if verdict == NOT_JUDGED else f" (on {holding} of {seeds} seeds)")


def of_saved(experiment, saved):
    """The Results that ``as_json`` was made of, as far as claims and figures read them."""
    factors = {column.title: (column.metric, column.factor) for column in experiment.columns}
    runs = {}
    for row in saved["rows"]:
        kept = [name for name in (*experiment.kept, "epochs") if name in row]
        for place, seed in enumerate(row["seeds"]):
            run = {"seed": seed, "status": "diverged" if seed in row.get("diverged", ()) else "complete"}
            run |= {name: row[name][place] for name in kept}
            for title, ours in row["ours"].items():
                metric, factor = factors[title]
                value = ours and ours["values"][place]
                run[metric] = None if value is None else value / factor
            runs.setdefault(row["row"], []).append(run)
    return Results(experiment, runs)
