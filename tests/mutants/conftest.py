"""The mutation score, printed at the end of every run that planted a bug."""


def pytest_terminal_summary(terminalreporter):
    outcomes = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            planted = dict(report.user_properties).get("mutant")
            if planted is not None and report.when == "call":
                outcomes[planted] = outcome == "passed"
    if outcomes:
        killed = sum(outcomes.values())
        terminalreporter.write_sep("=", f"mutation score: {killed} of {len(outcomes)} planted bugs found and named")
        for planted in sorted(name for name, found in outcomes.items() if not found):
            terminalreporter.write_line(f"survived: {planted}")
