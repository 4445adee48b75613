# Every target installs what is missing first; run.py does the work, also where make is absent.
WORKSPACE ?= data/demo.toml
PERIOD ?=
PYTHON ?= python3

.PHONY: report test lab refresh install

report:
	@$(PYTHON) run.py report $(WORKSPACE) $(if $(PERIOD),--period $(PERIOD))

test lab refresh install:
	@$(PYTHON) run.py $@
