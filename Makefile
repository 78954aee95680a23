# make run [DIR=...]   build walden, fetch its model, and start it in DIR (here if not given); where there is no
#                      terminal, let it solve a small task in a copy of assets/demo instead; with GPU=cuda, vulkan
#                      or metal the model computes on a graphics card
# make test            everything that must hold before a change is taken: format, lints, tests with real models,
#                      documentation, licences
# make setup           install what the build needs; the other two do it by themselves

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help
.PHONY: help run test setup gpu demo conformance interop recordings hosts plateau

export CARGO_TERM_COLOR ?= auto

DIR ?= .
MODEL ?= qwen2.5-coder-1.5b
SMALL_MODEL ?= smollm2-135m
# One with a SentencePiece vocabulary and a sliding window, which forgets what is behind it.
OTHER_MODEL ?= gemma3-270m

# The property tests draw the same cases each time; another seed draws others.
export PROPTEST_RNG_SEED ?= 1

# The graphics card to build for: cuda, vulkan or metal; none by default.
GPU ?=

RELEASE := target/release/walden
# The tests, the lints and the documentation share the dev profile, so that llama.cpp is built once for all of them.
DEBUG := target/debug/walden
# The same without the feature `net`, to look at what it imports.
OFFLINE := target/offline/walden

# The protocol's official conformance suite, and the node that runs it: from the npm registry, once.
CONFORMANCE := target/conformance
SUITE := $(CONFORMANCE)/node_modules/@modelcontextprotocol/conformance/dist/index.js
NODE := $(CONFORMANCE)/node_modules/.bin/node

# The protocol's reference servers, as the registries have them.
INTEROP := target/interop

# Two hosts that are not walden's own, and the node that runs the first: from npm and PyPI, once.
HOSTS := target/hosts
INSPECTOR := $(HOSTS)/node_modules/@modelcontextprotocol/inspector
PYTHON_HOST := $(HOSTS)/venv/bin/python

STEP = printf '\n== %s\n'

help:
	sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

run: setup gpu
	$(STEP) 'building walden (the first time takes some minutes: llama.cpp comes with it)'
	cargo build --release --locked $(if $(GPU),--features $(GPU))
	$(STEP) 'the model'
	$(RELEASE) model pull $(MODEL)
	if [ -t 0 ] && [ -t 1 ]; then
		exec $(RELEASE) --cwd '$(DIR)'
	fi
	make --no-print-directory demo

# What the engine needs for a graphics card is looked for before the minutes that its build takes: the build says it
# in the last of a thousand lines.
gpu:
	lacks() {
		echo "GPU=$(GPU) needs $$1, and there is none here."
		echo "hint: $$2, or run make without GPU"
		exit 1
	}
	compiles() { printf "$$1" | $${CXX:-c++} -fsyntax-only -x c++ - 2>/dev/null; }
	case '$(GPU)' in
	'' | metal) ;;
	cuda)
		[ -n "$${CUDACXX:-}" ] || command -v nvcc >/dev/null 2>&1 ||
			lacks "the CUDA toolkit's compiler nvcc" "install the toolkit and put its bin folder on the PATH (often /usr/local/cuda/bin)"
		;;
	vulkan)
		command -v glslc >/dev/null 2>&1 ||
			lacks 'the shader compiler glslc' 'install it (Debian and Ubuntu: glslc; Fedora: glslc)'
		compiles '#include <spirv/unified1/spirv.hpp>\n' ||
			lacks "SPIR-V's headers" 'install them (Debian and Ubuntu: spirv-headers; Fedora: spirv-headers-devel)'
		compiles '#include <vulkan/vulkan.hpp>\n' ||
			lacks "Vulkan's C++ headers" 'install them (Debian and Ubuntu: libvulkan-dev; Fedora: vulkan-loader-devel and vulkan-headers)'
		compiles '#include <vulkan/vulkan.h>\n#ifndef VK_EXT_layer_settings\n#error\n#endif\n' ||
			lacks "Vulkan's headers of version 1.3.272 or later" "those of Debian 12 and Ubuntu 22.04 are older; install the Vulkan SDK and set VULKAN_SDK and CPLUS_INCLUDE_PATH to it"
		;;
	*)
		echo "GPU=$(GPU) is not known: cuda, vulkan and metal are."
		exit 1
		;;
	esac

# What walden does without a terminal, on a task with tests that fail before and pass after.
demo:
	walden="$$PWD/$(RELEASE)"
	task="$$PWD/assets/demo/TASK.md"
	before="$$PWD/assets/demo"
	work=$$(mktemp -d)
	trap 'rm -rf "$$work"' EXIT
	cp "$$before"/*.py "$$before/README.md" "$$work"
	tests() { (cd "$$work" && PYTHONDONTWRITEBYTECODE=1 python3 -m unittest 2>&1); }
	if command -v git >/dev/null; then
		git -C "$$work" init --quiet
		git -C "$$work" add .
		git -C "$$work" -c user.name=demo -c user.email=demo@localhost -c commit.gpgsign=false commit --quiet -m 'the demo as it comes'
	fi
	$(STEP) 'no terminal here: walden solves a small task without one'
	cat "$$task"
	$(STEP) 'its tests before (they fail)'
	if tests; then
		echo 'the tests of the demo pass before the task is done'
		exit 1
	fi
	$(STEP) 'walden exec'
	"$$walden" exec --cwd "$$work" --auto edit --prompt-file "$$task" || echo "(walden ended with status $$?)"
	$(STEP) 'what changed'
	for file in README.md pages.py test_pages.py; do
		diff -u --label "before/$$file" --label "after/$$file" "$$before/$$file" "$$work/$$file" || true
	done
	$(STEP) 'its tests after'
	if tests; then
		$(STEP) 'solved: the tests pass'
	else
		$(STEP) 'not solved: the tests still fail'
		exit 1
	fi

test: setup
	$(STEP) 'format'
	cargo fmt --check
	$(STEP) 'lints'
	cargo clippy --locked --all-targets -- -D warnings
	$(STEP) 'a walden without net, for the test of what it imports'
	cargo build --locked --no-default-features --bin walden
	mkdir -p $(dir $(OFFLINE))
	ln -f $(DEBUG) $(OFFLINE)
	$(STEP) 'the models that the tests run on'
	cargo build --locked
	$(DEBUG) model pull $(MODEL)
	$(DEBUG) model pull $(SMALL_MODEL)
	$(DEBUG) model pull $(OTHER_MODEL)
	$(STEP) 'tests'
	model=$$($(DEBUG) model path $(MODEL))
	small=$$($(DEBUG) model path $(SMALL_MODEL))
	other=$$($(DEBUG) model path $(OTHER_MODEL))
	WALDEN_TEST_MODEL="$$model" WALDEN_TEST_SMALL_MODEL="$$small" WALDEN_TEST_SPM_MODEL="$$other" \
		WALDEN_TEST_WINDOW_MODEL="$$other" WALDEN_TEST_OFFLINE="$$PWD/$(OFFLINE)" cargo test --locked
	$(STEP) 'what the safety tests count'
	cargo test --locked --quiet --test hostile before_the_first_word -- --nocapture | grep 'hostile repositories'
	cargo test --locked --quiet --test attacks the_same_work -- --nocapture | grep 'extra questions'
	$(DEBUG) sandbox prove | tail -1
	$(STEP) 'the reference servers of the registries'
	make --no-print-directory interop
	$(STEP) 'conformance to both eras of the protocol, as a client and as a server'
	make --no-print-directory conformance
	$(STEP) 'the servers, driven by other hosts'
	make --no-print-directory hosts
	$(STEP) 'documentation'
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --document-private-items
	$(STEP) 'licences and advisories'
	if command -v cargo-deny >/dev/null; then
		cargo deny check
	else
		echo 'skipped: cargo-deny is not installed (cargo install --locked cargo-deny)'
	fi
	$(STEP) 'all of it holds'

# Every scenario of both sets of requirements that counts must pass; the suite also runs and shows some that do not.
conformance:
	if [ ! -f $(SUITE) ] && command -v npm >/dev/null; then
		mkdir -p $(CONFORMANCE)
		echo '{"private": true}' >$(CONFORMANCE)/package.json
		npm install --prefix $(CONFORMANCE) --no-audit --no-fund --loglevel=error \
			node@22.23.3 @modelcontextprotocol/conformance@0.2.0-alpha.12 || true
	fi
	if ! [ -f $(SUITE) ] || ! $(NODE) --version >/dev/null 2>&1; then
		echo 'skipped: the suite needs node 22, which npm could not install here'
		exit 0
	fi
	for revision in 2025-11-25 2026-07-28; do
		results=$$(mktemp -d)
		if ! timeout 110 $(NODE) $(SUITE) client --command "$$PWD/$(DEBUG) mcp-conformance" \
			--requirements $$revision -o "$$results" >"$$results/log" 2>&1; then
			sed -n '/SUITE SUMMARY/,$$p' "$$results/log"
			echo "walden does not conform to $$revision (see $$results)"
			exit 1
		fi
		echo "$$revision: $$(grep -c '^✓' "$$results/log") scenarios for clients pass"
		rm -rf "$$results"
	done
	cargo test --locked --quiet --test conformance -- --nocapture | grep 'scenarios for servers'

# Each of the seven reference servers is added, agreed to, listed, called and looked after; a session with the one that has
# everything goes through the screen (UPDATE_RECORDING=1 writes its frames to assets/servers.txt); in a session at a real
# terminal somebody logs in at a real authorization server.
interop:
	if [ ! -f $(INTEROP)/ready ] && command -v npm >/dev/null && command -v node >/dev/null; then
		mkdir -p $(INTEROP)
		echo '{"private": true}' >$(INTEROP)/package.json
		npm install --prefix $(INTEROP) --no-audit --no-fund --loglevel=error \
			@modelcontextprotocol/server-{everything,filesystem,memory,sequential-thinking}@2026.8.31 &&
			python3 -m venv $(INTEROP)/venv &&
			$(INTEROP)/venv/bin/pip install --quiet --disable-pip-version-check \
				mcp-server-fetch==2026.10.24 mcp-server-git==2026.10.19 mcp-server-time==2026.10.19 &&
			touch $(INTEROP)/ready || true
	fi
	if [ ! -f $(INTEROP)/ready ]; then
		echo 'skipped: the reference servers need node, npm and python with venv, and the registries'
		exit 0
	fi
	cargo test --locked --test interop --test recording -- --nocapture
	if [ ! -d $(INTEROP)/node_modules/oidc-provider ]; then
		npm install --prefix $(INTEROP) --no-audit --no-fund --loglevel=error oidc-provider@9.13.3 || true
	fi
	if [ ! -d $(INTEROP)/node_modules/oidc-provider ] || ! command -v tmux >/dev/null ||
		! $(DEBUG) model path $(SMALL_MODEL) >/dev/null 2>&1; then
		echo 'skipped: the login at a real authorization server needs tmux, a model, and oidc-provider of npm'
		exit 0
	fi
	screens=$$(mktemp)
	python3 -B tests/recording/login.py $(DEBUG) $(SMALL_MODEL) $(INTEROP) "$$screens"
	rm "$$screens"

# Sessions with a real model, a real server and a real authorization server, recorded at a real terminal. It takes minutes,
# and needs tmux.
recordings: interop
	cargo build --release --locked
	$(RELEASE) model pull $(MODEL)
	python3 -Bu tests/recording/login.py $(RELEASE) $(MODEL) $(INTEROP) assets/login.txt
	python3 -Bu tests/recording/drive.py $(RELEASE) $(MODEL) \
		$(INTEROP)/node_modules/@modelcontextprotocol/server-everything/dist/index.js assets/servers-model.txt

# How well the model calls tools of others where there are 3, 20 and 60 of them: a table, in some minutes.
plateau:
	cargo build --release --locked
	/usr/bin/python3 tests/plateau/measure.py $(RELEASE) "$$($(RELEASE) model path $(MODEL))"

# The official inspector and the official Python client must get from the three servers what they ask for.
hosts:
	if [ ! -d $(INSPECTOR) ] && command -v npm >/dev/null; then
		mkdir -p $(HOSTS)
		echo '{"private": true}' >$(HOSTS)/package.json
		npm install --prefix $(HOSTS) --no-audit --no-fund --loglevel=error \
			node@22.23.3 @modelcontextprotocol/inspector@2.12.0 || true
	fi
	if ! [ -x $(PYTHON_HOST) ] || ! $(PYTHON_HOST) -c 'import mcp' 2>/dev/null; then
		python3 -m venv $(HOSTS)/venv && $(PYTHON_HOST) -m pip install --quiet mcp==2.3.0 || true
	fi
	if ! $(PYTHON_HOST) -c 'import mcp' 2>/dev/null || ! $(HOSTS)/node_modules/.bin/node --version >/dev/null 2>&1; then
		echo 'skipped: the inspector and the Python client could not be installed here by npm and pip'
		exit 0
	fi
	$(PYTHON_HOST) tests/hosts/drive.py "$$PWD/$(DEBUG)" $(HOSTS)/node_modules/.bin/node \
		$(HOSTS)/node_modules/.bin/mcp-inspector
	cargo test --locked --quiet --test mcp_new

# Quick when everything is there: it only looks.
setup:
	have() { command -v "$$1" >/dev/null 2>&1; }
	has_libclang() {
		[ -n "$${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm*/lib/libclang*.so*' >/dev/null ||
			compgen -G '/usr/lib/*/libclang*.so*' >/dev/null || compgen -G '/usr/lib*/libclang*.so*' >/dev/null
	}
	if ! have cargo; then
		echo 'walden needs Rust 1.90 or later, and there is no cargo here.'
		echo 'hint: install Rust with rustup, then run make again'
		exit 1
	fi
	missing=()
	have cmake || missing+=(cmake)
	have g++ || have clang++ || missing+=(g++)
	have clang || missing+=(clang)
	has_libclang || missing+=(libclang-dev)
	have pkg-config || missing+=(pkg-config)
	have python3 || missing+=(python3)
	# Reads what the program asks of the kernel, for the tests of hostile repositories.
	have strace || missing+=(strace)
	# Makes the network whose packets a test counts.
	PATH="$$PATH:/usr/sbin:/sbin" have ip || missing+=(iproute2)
	python3 -m pip --version >/dev/null 2>&1 || have pip3 || have pip || missing+=(python3-pip)
	if [ $${#missing[@]} -gt 0 ]; then
		$(STEP) "installing $${missing[*]}"
		as_root=()
		if [ "$$(id -u)" != 0 ]; then as_root=(sudo); fi
		if ! have apt-get || { [ $${#as_root[@]} -gt 0 ] && ! have sudo; }; then
			echo 'this needs an administrator. On Debian or Ubuntu:'
			echo "  apt-get install $${missing[*]}"
			echo 'Elsewhere install the packages of the same purpose (on Fedora: cmake gcc-c++ clang clang-devel), then run make again.'
			exit 1
		fi
		"$${as_root[@]}" apt-get update -qq
		"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"
	fi
	if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
		if have rustup; then rustup component add rustfmt clippy; fi
	fi
