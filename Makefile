# make recover: from nothing to boz.png. make test: the same, then the whole test suite. make mutate:
# whether the tests notice lines that are made wrong.
# make docs: the documentation in docs/_build/html, from the code as it is; a warning is an error.
# make fuzz: damaged files for every reader, a minute for each kind.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: recover test docs mutate fuzz

recover: $(VENV)/installed
	$(VENV)/bin/python recover.py --output boz.png

# In this order: the test tools bring the package along, so that it is installed only once.
test: $(VENV)/installed-dev
	$(MAKE) --no-print-directory recover
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile

docs: $(VENV)/installed-docs
	$(VENV)/bin/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

mutate: $(VENV)/installed-dev
	$(VENV)/bin/python tests/mutations.py

fuzz: $(VENV)/installed-dev
	$(VENV)/bin/python tests/fuzz.py

# The stamps make the second call quick; they age when the requirements change.
$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable ".[dev]"
	touch $(VENV)/installed $@

$(VENV)/installed-docs: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable ".[docs]"
	touch $(VENV)/installed $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
