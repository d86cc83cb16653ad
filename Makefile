# `make` alone lists the commands. PYTHON=python3.12 make site picks the interpreter
# when .venv is made.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
DEV := .venv/ready-dev
# What the user has set for other Python programs stays out, see
# tools/common/environment.py: another `helpers`, a backend that draws nothing.
unexport $(filter-out PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONUNBUFFERED,\
	$(filter PYTHON% MATPLOTLIB% MPLBACKEND,$(.VARIABLES)))
# TensorFlow asks for libclang and imports it only to compile; it is 25 MB.
LOCK = $(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-annotate \
	--python-version 3.10 --resolution $(or $(RESOLUTION),highest) --custom-compile-command "make lock"

.PHONY: help site view lab data test notebooks export record student homework lint lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' Makefile

site: $(READY) ## render the pages into _site/
	@$(BIN)/python -m tools.pages.render
	@test ! -d _site || chmod -R go+rX _site # for those who copy it to a server

view: $(READY) ## serve the pages on this machine, and print their address
	@$(BIN)/python -m tools.pages.render --view

lab: $(READY) ## open part 1 in JupyterLab; LAB="--no-browser --port 8888": with options
	@$(BIN)/python -m tools.notebooks.lab $(LAB)

data: $(READY) ## bring the data to this machine, once: CIFAR-100, 170 MB
	@$(BIN)/python -m helpers.data --download

test: $(DEV) ## run all tests, and the notebooks against their stored outputs
	@$(BIN)/python -m tools.checks.test

notebooks: $(READY) ## execute the notebooks in place, on the real data, and redraw the pictures
	@$(BIN)/python -m tools.notebooks.export && $(BIN)/python -m tools.notebooks.quizzes
	@for notebook in notebooks/*.ipynb; do $(BIN)/python -m tools.notebooks.execute "$$notebook" || exit 1; done
	@$(BIN)/python -m tools.pages.pictures && $(BIN)/python -m tools.pages.draw
	@$(BIN)/python -m tools.pages.slides

export: $(READY) ## make helpers/recipes.py of what the notebooks define
	@$(BIN)/python -m tools.notebooks.export

record: $(DEV) ## list the recorded runs; JOBS=all or JOBS="improving large": train them
	@$(BIN)/python -m tools.recording $(JOBS) $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(DRAFT),--draft)

student: $(READY) ## make _student/, the lecture and its pages without the solutions
	@$(BIN)/python -m tools.editions.student
	@test ! -d _student || chmod -R go+rX _student

homework: $(READY) ## make _homework/, the exercises as graded homework
	@$(BIN)/python -m tools.editions.homework make

lint: $(DEV) ## check the code, the workflows and the spelling
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/zizmor --offline --quiet .github
	@$(BIN)/codespell

lock: $(DEV) # renew the lock files (RESOLUTION=lowest-direct: with the oldest versions)
	@$(LOCK) --group site --no-emit-package libclang -o requirements.lock pyproject.toml
	@$(LOCK) --group dev -c requirements.lock -o requirements-dev.lock
	@$(LOCK) --group homework -o requirements-homework.lock

clean: ## remove what the other commands made, but not the data, the runs and the grades
	@$(PYTHON) tools/clean.py

# A folder that was moved, or a .venv whose Python is gone, is set up anew.
MADE_FOR := $(shell head -n 1 .venv/made-for 2>/dev/null)
ifneq ($(MADE_FOR) $(shell $(BIN)/python -E -c 1 2>/dev/null && echo starts),$(CURDIR) starts)
.PHONY: $(READY)
endif
$(READY): requirements.lock pyproject.toml tools/setup.py
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) was not found: install Python 3.10 to 3.13, or name it, as in PYTHON=python3.11 make site." >&2; exit 1; }
	@$(PYTHON) tools/setup.py

$(DEV): $(READY) requirements-dev.lock
	@$(BIN)/python tools/setup.py dev
