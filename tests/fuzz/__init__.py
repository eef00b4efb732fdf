"""Fuzzing by hand, with a limit on time: `make fuzz`, or each module with `--help`. Needs extra `fuzz`."""
