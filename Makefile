# The two commands: make run, make test. `make check` is the only door for people and CI.
PYTHON ?= python3
BIN := .venv/bin
PY := $(BIN)/python
SOURCES := manage.py crm customers complaints campaigns delivery tests bench
# Tests and checks never see the user's data or servers.
CLEAN_ENV := env -u DATA_DIR -u DATABASE_URL -u REDIS_URL -u PORT -u HTTPS -u DEBUG

.PHONY: backup restore run test check browser chaos bench lock messages format help
help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: .venv/run  ## install, start PostgreSQL and Valkey, migrate, seed, serve on 127.0.0.1:8000
	@$(PY) manage.py serve

test: .venv/dev  ## the whole suite on throw-away servers
	$(CLEAN_ENV) $(BIN)/pytest -q -n 2 -m "not serial and not browser and not browser_all and not chaos"
	$(CLEAN_ENV) $(BIN)/pytest -q -m "(serial or browser) and not browser_all and not chaos"

browser: .venv/dev  ## every page, both themes, both sizes, with axe
	$(CLEAN_ENV) $(BIN)/pytest -n 2 -m browser_all tests/browser

chaos: .venv/dev  ## kills, restarts, crashes, odd input to the API
	$(CLEAN_ENV) $(BIN)/pytest -m chaos tests/chaos
	$(CLEAN_ENV) FUZZ_EXAMPLES=40 FUZZ_SEED=$$(date +%s) $(BIN)/pytest -n 2 tests/access/test_fuzz.py

backup: .venv/run  ## a full sealed copy of database and files; BACKUP_DIR says where
	@$(PY) manage.py backup

restore: .venv/run  ## TO=folder [FROM=backups] [KEYS=folder] [UNTIL=moment]: restore, and prove it
	@$(PY) -m crm.restore --to "$(TO)" $(if $(FROM),--from "$(FROM)") $(if $(KEYS),--keys "$(KEYS)") $(if $(UNTIL),--until "$(UNTIL)")

check: .venv/dev  ## format, lint, types, imports, templates, migrations, deployment settings
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(CLEAN_ENV) DATA_DIR=.data/check $(BIN)/mypy crm customers complaints campaigns delivery
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet
	$(CLEAN_ENV) DATA_DIR=.data/check $(PY) manage.py makemigrations --check --dry-run
	$(CLEAN_ENV) DATA_DIR=.data/check HTTPS=1 ALLOWED_HOSTS=crm.example.cn $(PY) manage.py check --deploy --fail-level WARNING

bench: .venv/dev  ## measure; figures go to bench/RESULTS.md
	$(CLEAN_ENV) $(PY) -m bench

lock: .venv/dev  ## compile the locks from *.in (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -c requirements.txt requirements-dev.in -o requirements-dev.txt

messages: .venv/dev  ## collect new messages (needs gettext)
	$(CLEAN_ENV) DATA_DIR=.data/check $(PY) manage.py makemessages -l zh_Hans --no-location --no-wrap -i .venv -i .data -i tests -i bench

format: .venv/dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

# A bare python3 can lack ensurepip: then the system's pip fills the new environment.
.venv/made:
	$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv; $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python $(PY) install -q pip; }
	@touch $@

.venv/run: .venv/made requirements.txt
	@echo "postal-crm: installing requirements.txt"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/dev: .venv/made requirements-dev.txt
	@echo "postal-crm: installing requirements-dev.txt"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ .venv/run
