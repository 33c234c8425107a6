"""The kinds of measurement, each one file: `run(task) -> Outcome` measures; `check(config)`, where there is one, raises
UserError for a configuration that cannot be run, before any work is done. What options a study takes is in options.py.
"""
