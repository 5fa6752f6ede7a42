"""Times and memory over the history of the code, measured by asv: `asv run`, `asv publish`.

`asv run --python=same --quick` runs each once in the environment that is there.
"""
