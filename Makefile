# Everything happens in .venv, which is made here. Only python3, make and git are needed.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export EDGEKD_CACHE ?= $(CURDIR)/.edgekd-cache
# Hundreds of processes import PyTorch here; without bytecode each would compile it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo docs test slow emulated torchtrt android android-fuzz android-benchmark browser browser-photos abuse simulation fuzz lint format check clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

setup: $(READY) ## The virtual environment, with everything

$(READY): pyproject.toml constraints.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "edgekd's host tools need Python 3.11 or newer; python3 is $$(python3 -V)"; exit 1; }
	@test -x $(BIN)/python || python3 -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "python3 cannot make virtual environments; install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt \
		--no-deps --target $(VENV)/stubs tensorrt-stubs
	sed -i.orig -f .ci/tensorrt-stubs.sed $(VENV)/stubs/tensorrt_bindings/tensorrt.pyi
	@touch $@

demo: setup ## The whole chain on painted dermoscopy, some minutes; ends with a report
	$(BIN)/edgekd demo --out runs/demo

# Workers take neighbouring tests, which share fixtures, and help each other in the end.
PARALLEL := -n auto --dist worksteal

# Several workers share the cores: threads of OpenMP would only wait for each other.
test slow: export OMP_NUM_THREADS ?= 1

test: setup ## The tests, on all cores; ARGS="-n 0 tests/data" runs some of them, one by one
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

slow: setup ## The long tests: trainings, long repetitions and `make simulation`'s; some minutes
	$(BIN)/python -m pytest $(PARALLEL) -m "slow or simulation" -rP $(ARGS)

emulated: setup ## The tests on emulated arm64 boards; fetches 190 MB once, needs no root
	$(BIN)/python -m pytest -n 2 --dist loadfile -m emulated $(ARGS)

torchtrt: setup ## Engines by torch-tensorrt, without a GPU; installs it apart (240 MB) once, some minutes
	$(BIN)/python -m pytest -m torchtrt $(ARGS)

abuse: setup ## The runtime's long tests: many threads, many openings; some minutes
	$(BIN)/python -m pytest -m abuse -rP tests/abuse $(ARGS)

android: setup ## The runtime for Android in Kotlin, on the JVM, by all conformance vectors; needs JDK 17 and Maven
	.ci/android $(BIN) $(ARGS)

android-fuzz: setup ## That runtime on 20,000 damaged bundles and 20,000 damaged images; half an hour
	.ci/android $(BIN) -Dtest=FuzzTest -Dsurefire.failIfNoSpecifiedTests=false \
		-Dedgekd.fuzz=20000 -Dedgekd.fuzz.jobs=2 $(ARGS)

android-benchmark: setup ## That runtime beside a loop over LiteRT written by hand; ARGS="--bundle FILE"; minutes
	.ci/android $(BIN) --projects benchmark --also-make -DskipTests
	$(BIN)/python benchmarks/peers/android.py $(ARGS)

browser: setup ## The runtime and page for browsers, by all conformance vectors in Chromium; needs Node 20 and npm
	.ci/browser $(BIN)

browser-photos: browser ## A shipped student on 713 real photographs in that page, and its size over the wire; minutes
	$(BIN)/python -m pytest -m slow -rP tests/end_to_end/test_browser_photos.py $(ARGS)

simulation: setup ## Levels of gate and comparisons, by thousands of repetitions; some minutes
	$(BIN)/python -m pytest -m simulation -rP $(ARGS)

fuzz: setup ## The runtime on 20,000 damaged bundles and 20,000 damaged images; minutes. `.ci/run` has a short one
	$(BIN)/python tests/abuse/fuzz.py $(ARGS)

docs: setup ## The site of docs/, strictly, in build/site; its reference pages are made of the code
	$(BIN)/python .ci/reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lint: setup ## Style, types, which room may import which, and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if test -x $(BIN)/hadolint; then $(BIN)/hadolint Dockerfile.jetson; \
		else echo "Dockerfile.jetson is not linted: hadolint's wheel is for x86-64 Linux"; fi

format: setup ## Lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test ## The linters and the tests

clean: ## Remove what was made, but not your runs
	rm -rf $(VENV) .edgekd-cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
