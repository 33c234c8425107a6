"""The kinds of measurement. Each is one file with two functions: `run(task) -> Outcome` measures, `check(config)`
raises UserError for a configuration that cannot be run, before any work is done.
"""
