"""An experiment's outcome, as a table for people and as JSON for the chapters."""

from minirnn.experiments.experiment import NotRun, Results
from minirnn.train.run_folder import RunFolder, environment

HELD = {True: "held", False: "NOT HELD", None: "not judged"}


def outcome(experiment, jobs):
    """(Results, {row: number of runs still missing}) of Jobs, complete or not."""
    runs, missing = {}, {}
    for job in jobs:
        result = job.result()
        if result is None:
            missing[job.row] = missing.get(job.row, 0) + 1
        else:
            kept = {"epochs": curves(job.path, experiment.curve)} if experiment.curve else {}
            runs.setdefault(job.row, []).append({**result, **kept, "seed": job.seed, "config": job.config})
    return Results(experiment, runs), missing


def curves(path, names):
    """{metric: value of every epoch} from a run folder's metrics.jsonl."""
    epochs = [line for line in RunFolder.open(path).read_metrics() if line["kind"] == "epoch"]
    return {name: [line[name] for line in epochs] for name in names}


def as_json(experiment, scale, results, missing):
    """What is committed: numbers of source and ours, claims, data, and what the numbers depend on; no paths."""
    rows = []
    for row in experiment.rows:
        runs = results.runs.get(row.key, [])
        if runs:
            ours = {c.title: _measured(results, row.key, c.title) for c in experiment.columns}
            kept = {"epochs": [run["epochs"] for run in runs]} if experiment.curve else {}
            rows.append({"row": row.key, "paper": row.reported, "ours": ours, "seeds": [run["seed"] for run in runs],
                         "seconds": [round(run["seconds"]) for run in runs], "config": runs[0]["config"],
                         **kept})  # fmt: skip
    return {
        "experiment": experiment.name, "title": experiment.title, "scale": scale, "data": origins(results), "rows": rows,
        "claims": [{"claim": text, "held": held} for text, held in results.judge(scale)],
        "missing": missing, "notes": list(experiment.notes), "environment": environment(),
    }  # fmt: skip


def origins(results):
    """The data the runs were made on, each with where it came from."""
    found = {(run["data"]["name"], run["data"]["origin"]) for runs in results.runs.values() for run in runs}
    return [f"{name} ({origin})" for name, origin in sorted(found)]


def _measured(results, row, column):
    try:
        values = results.values(row, column)
    except NotRun:
        return None
    return {"mean": results(row, column), "sd": results.spread(row, column), "values": values.tolist()}


def text(experiment, scale, shown, results, missing):
    """The table of the Rows ``shown``, its claims and where the numbers come from."""
    paired = {c.title for c in experiment.columns for row in experiment.rows if c.title in row.reported}
    header = ["row"]
    for column in experiment.columns:
        header += [f"paper {column.title}"] * (column.title in paired) + [f"ours {column.title}"]
    lines = [[*header, "seeds"]]
    for row in shown:
        cells = [row.key]
        for column in experiment.columns:
            if column.title in paired:
                reported = row.reported.get(column.title)
                cells.append("" if reported is None else f"{reported:{column.form}}")
            cells.append(_ours(results, row.key, column))
        done = len(results.runs.get(row.key, ()))
        lines.append([*cells, f"{done}" + (f" of {done + missing[row.key]}" if row.key in missing else "")])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    out = [f"{experiment.title}, scale {scale}", ""]
    out += ["  ".join(f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(line, widths)))
            for line in lines]  # fmt: skip
    out.append("")
    out += [f"{HELD[held]:>10}  {claim}" for claim, held in results.judge(scale)]
    data = origins(results)
    return "\n".join([*out, *([f"data: {', '.join(data)}"] if data else []), *(f"note: {n}" for n in experiment.notes)])


def _ours(results, row, column):
    try:
        mean, sd = results(row, column.title), results.spread(row, column.title)
    except NotRun:
        return "-"
    return f"{mean:{column.form}}" + (f" ± {sd:{column.form}}" if sd is not None else "")
