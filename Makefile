# make recover: from nothing to boz.png. make test: the same, then the whole test suite.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: recover test

recover: $(VENV)/installed
	$(VENV)/bin/python recover.py --output boz.png

# In this order: the test tools bring the package along, so that it is installed only once.
test: $(VENV)/installed-dev
	$(MAKE) --no-print-directory recover
	$(VENV)/bin/python -m pytest

# The stamps make the second call quick; they age when the requirements change.
$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable ".[dev]"
	touch $(VENV)/installed $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
