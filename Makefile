# What a new user and the gate call. Needs python3 (3.11 or newer), python3-venv and make.
PYTHON ?= python3
SCALE ?= 1.0
OUT ?= demo
PORT ?= 8080
KILLS ?= 200
BIN := .venv/bin
# What is compiled once is not compiled by each process again: a start of pytest 11.4 -> 5.7 CPU s.
unexport PYTHONDONTWRITEBYTECODE

# What a lock names, by uv in a seventh of pip's time; by pip where a network is made for that alone.
# Not all of a package is compiled, of which most is never imported: 22 CPU s of what the tests need.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps
index = $${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null)}
define locked
	@UV_SYSTEM_CERTS=1 UV_DEFAULT_INDEX="$(index)" \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r $(1) || \
		$(PIP) --require-hashes -r $(1)
endef

.PHONY: install install-dev install-airflow demo airflow check test test-large test-kernel test-clocks e2e faults lint messages docs bench bench-surges secrets lock clean

install: .venv/installed
.venv/installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements-uv.lock
	$(call locked,requirements.lock)
	$(PIP) --no-build-isolation -e .
	$(BIN)/python -c "from pipeline.formats.numbers import load_compiled as load; load() and load().warm()"
	touch $@

install-dev: .venv/installed-dev
.venv/installed-dev: requirements-dev.lock .venv/installed
	$(call locked,requirements-dev.lock)
	touch $@

install-airflow: .venv/installed-airflow
.venv/installed-airflow: requirements-airflow.lock .venv/installed
	$(call locked,requirements-airflow.lock)
	touch $@

demo: install
	$(BIN)/tidegauge demo --scale $(SCALE) --out $(OUT)

# Until Ctrl-C; everything is in ./airflow.
airflow: install-airflow
	$(BIN)/python -m pipeline.demo.standalone --port $(PORT)

# Lakes of tests lie in memory where 4 GB of it are free: of thousands each waits 0.2 s for a disk.
# Those of whole systems and of faults lie on the disk. One process more than processors: each waits
# at times, for a thread or a child.
MEMORY := $(shell df -k --output=avail /dev/shm 2>/dev/null | awk 'NR > 1 && $$1 > 4e6 {print "/dev/shm"}')
FAST := env PYTEST_DEBUG_TEMPROOT=$(MEMORY) $(BIN)/python -m pytest \
	-n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadgroup --timeout=600 \
	-o tmp_path_retention_policy=failed

# Every rule, on small lakes; then those on large or many. No test takes minutes: one that hangs
# fails with its stack, and the others go on.
SMALL := -m "not large"
test: install-dev
	timeout --foreground --signal=INT --kill-after=1m 20m $(FAST) $(SMALL)
test-large: install-dev
	timeout --foreground --signal=INT --kill-after=1m 50m $(FAST) -m large $$( \
		grep -rlE 'mark\.(rest_)?large' $$(find tests -mindepth 1 -maxdepth 1 \
			! -name e2e ! -name faults ! -name system) --include=test_*.py)

# What reads lines is the same compiled, with each place in an array checked, and uncompiled.
KERNEL := $(BIN)/python -m pytest -n auto --timeout=600 tests/formats/test_combined.py \
	tests/formats/test_automaton.py tests/formats/test_conformance.py tests/formats/test_numbering.py \
	tests/formats/test_sha256.py
test-kernel: install-dev
	NUMBA_DISABLE_JIT=1 $(KERNEL) -k "not costs_one_pass and not can_be_kept"
	cache=$$(mktemp -d) && NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$$cache $(KERNEL) && rm -r $$cache

# What asks what time it is, now and on a leap day and both days on which clocks change, a process each.
# Their folder is their own: by such a clock pytest would remove those of runs beside it as old.
test-clocks: install-dev
	set -e; folder=$$(mktemp -d -p "$(MEMORY)"); \
	printf "%s\n" --no-header --odd-day=0 --odd-day=1 --odd-day=2 \
		| PYTEST_DEBUG_TEMPROOT=$$folder xargs -P 4 -I{} $(BIN)/python -m pytest --timeout=600 \
			-m clock {} $$(grep -rlF pytest.mark.clock tests --include=test_*.py); \
	rm -r $$folder

# What a change needs: lint, types, the small tests of the folders that are not as in SINCE; all
# small ones where it is in a module that stands beside the folders, which all use.
SINCE ?= HEAD
check: lint
	$(FAST) $(SMALL) $$(ls -d tests/test_rooms.py $$( \
		(git diff --name-only $(SINCE); git ls-files --others --exclude-standard) | sed -nE \
		-e 's#^(tests/)?(sql|definitions)/.*#tests/build#p; s#^(docs/.*|(dags/)?README.*)#tests/docs#p; t' \
		-e 's#^dags/.*\.py#tests/orchestration#p; s#^pipeline/languages/.*#tests/test_language.py#p; t' \
		-e 's#^(pipeline|tests)/([a-z]+)/.*#tests/\2#p; t; /^tests\/test_/ {p; d}' \
		-e 's#^(pipeline|tests)/[a-z_]+\.py#tests#p' \
		| grep -vE '/(e2e|faults|system)$$' | sort -u) 2>/dev/null)

# Spark and pandas, for the end-to-end tests alone, beside what all tests have.
ENGINES := .venv/engines
$(ENGINES)/installed: requirements-engines.lock .venv/installed
	rm -rf $(ENGINES)
	DIST_EXTRA_CONFIG=$(CURDIR)/docker/spark/wheel.cfg $(PIP) --require-hashes --no-build-isolation \
		--target $(ENGINES) -r requirements-engines.lock
	touch $@

# Minutes: a real Airflow, a browser and Docker. Screenshots are in ./e2e-artefacts.
# As root on Debian it installs what it needs of the system; else it says what it leaves out.
# First what waits much, Docker beside the others: who runs `make test` meanwhile uses their waits.
# Then what is longest begins first.
LONGEST := tests/system/test_dags.py tests/system/test_wheel.py
E2E := timeout --foreground --signal=INT --kill-after=2m 60m $(BIN)/python -m pytest -rs \
	--timeout=3000 -n 2
e2e: install-dev $(ENGINES)/installed
	tests/e2e/packages.sh
	rm -f e2e-artefacts/measured.txt
	$(E2E) --dist loadfile $(wildcard tests/e2e/test_*.py)
	$(E2E) --dist loadgroup --no-loadscope-reorder \
		$(LONGEST) $(filter-out $(LONGEST),$(wildcard tests/system/test_*.py))
	cat e2e-artefacts/measured.txt

# Processes killed and raced, disks full, hostile logs; minutes. What is longest begins first.
LONG := $(addprefix tests/faults/test_,kills.py memory.py bucket_faults.py)
faults: install-dev
	KILLS=$(KILLS) timeout --foreground --signal=INT --kill-after=1m 40m $(BIN)/python -m pytest \
		-n 2 --dist loadfile --no-loadscope-reorder --timeout=2000 $(LONG) \
		$(filter-out $(LONG),$(wildcard tests/faults/test_*.py))

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The code's sentences into the catalogues; what is new there waits for its French, which tests demand.
messages: install-dev
	set -e; update() { \
		catalogue=pipeline/languages/$$1; shift; \
		$(BIN)/pybabel -q extract -F pyproject.toml --no-location --sort-output "$$@" \
			-o messages.pot pipeline; \
		$(BIN)/pybabel -q update -l fr -i messages.pot -o $$catalogue -w 100 --no-fuzzy-matching \
			--ignore-obsolete --ignore-pot-creation-date; \
		rm messages.pot; \
	}; update fr.po; update kept.fr.po --no-default-keywords -k keep -k keep_clause

# The site, in ./site: no dead link, no page outside the menu.
docs: install-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Half an hour; the commit is the one before figures carried their proof.
bench: install-dev
	$(BIN)/python benchmarks/bench.py --before 5eb3b03
	$(BIN)/python benchmarks/days.py
	$(BIN)/python benchmarks/bucket.py
	$(BIN)/python benchmarks/bucket_names.py
	$(BIN)/python benchmarks/formats.py
	$(BIN)/python benchmarks/libraries.py
	$(BIN)/python benchmarks/small_files.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/verify.py --scale 1 --runs 1

bench-surges: install-dev
	$(BIN)/python benchmarks/surges.py
	$(BIN)/python benchmarks/surges_common.py
	$(BIN)/python benchmarks/surges_young.py
	$(BIN)/python benchmarks/hours.py
	$(BIN)/python benchmarks/why.py

# Passwords and keys for docker compose, in .env; never overwrites.
secrets:
	$(PYTHON) docker/env.py

# The locks name no index and no host.
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
LOCK := $(UV) --extra demo --group build
lock: install
	$(LOCK) --extra airflow --group services --group dev pyproject.toml -o requirements-dev.lock
	$(LOCK) --extra airflow --group services --extra s3 --extra sftp -c requirements-dev.lock pyproject.toml \
		-o requirements-airflow.lock
	$(LOCK) -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(UV) -c requirements-dev.lock --group engines -o requirements-engines.lock
	echo uv | $(UV) - -o requirements-uv.lock
	printf 'pyspark\nseaweedfs-bin\n' | $(UV) -c requirements-dev.lock -c requirements-engines.lock \
		- -o docker/scale.txt

clean:
	rm -rf .venv demo airflow e2e-artefacts site build *.egg-info
