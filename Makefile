# Raftbench: builds the Lua module raft.core and everything around it. `make help` lists the targets.
LUA ?= lua5.4
# Each Lua has a build of its own: the module is bound to one.
BUILD ?= $(if $(filter lua5.4,$(LUA)),build,build/$(LUA))
CC ?= cc
JOBS ?= $(shell nproc)
# The suite mostly waits (for elections, disks, processes): with one job for each core they would stand idle.
TEST_JOBS ?= $(shell echo $$(($(JOBS) + ($(JOBS) + 1) / 2)))
N ?= 1000

# ---- what it needs: packages of Debian 12 ------------------------------------------------------
PACKAGES_BUILD = gcc libc6-dev make pkg-config lua5.4 liblua5.4-dev libuv1-dev libxxhash-dev libedit-dev
PACKAGES_lua5.3 = lua5.3 liblua5.3-dev
PACKAGES_luajit = luajit libluajit-5.1-dev
PACKAGES_RUN = $(PACKAGES_$(LUA)) lua-cjson lua-unit lua-argparse lua-luv
PACKAGES_TEST = tmux patch libxml2-utils
PACKAGES_BROWSER = chromium chromium-driver curl
PACKAGES_LINT = clang-format clang-tidy lua-check lua5.1
PACKAGES_VALGRIND = valgrind
PACKAGES_FUZZ = clang-14 libclang-rt-14-dev
DEPS = scripts/dev/deps.sh

# ---- how it is compiled ------------------------------------------------------------------------
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
OPTIMIZE = -O2 -g
# Which of the instructions that all such processors have are the fast ones. For structs of some hundred bytes the
# general choice is a string instruction that takes longer to start than they take to copy.
TUNE = $(if $(filter x86_64,$(shell uname -m)),-mtune=skylake)
SANITIZE =
# The -I of others become -isystem: their headers do not answer to our warnings.
INCLUDES = -Isrc $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libuv $(LUA)))
FLAGS = -std=gnu11 -fPIC -fvisibility=hidden -ffp-contract=off -pthread $(WARNINGS) $(INCLUDES)
# Asked for once, when first needed: `make deps` must work before pkg-config is there.
CFLAGS_ALL = $(eval CFLAGS_ALL := $(FLAGS) $(OPTIMIZE) $(TUNE) $(SANITIZE) $(CFLAGS))$(CFLAGS_ALL)
LIBRARIES = $(eval LIBRARIES := $(shell pkg-config --libs libuv) -lm)$(LIBRARIES)

LINE_SOURCES = $(wildcard src/lua/line/*.c)
SOURCES = $(wildcard src/*/*.c) $(LINE_SOURCES)
HEADERS = $(wildcard src/*/*.h src/lua/line/*.h)
LINE_OBJECTS = $(LINE_SOURCES:%.c=$(BUILD)/%.o)
OBJECTS = $(filter-out $(LINE_OBJECTS),$(SOURCES:%.c=$(BUILD)/%.o))
MODULE = $(BUILD)/raft/core.so
# Line editing for the shell: a module apart, so that nothing else needs libedit.
LINE_MODULE = $(BUILD)/raft/line.so
# A fuzzer is one C file of spec/fuzz/ and what they share; replay.c is a main without libFuzzer.
FUZZERS = $(patsubst spec/fuzz/%.c,%,$(wildcard spec/fuzz/*.c))
FUZZ_SOURCES = $(wildcard spec/fuzz/*.c spec/fuzz/support/*.c)
FUZZ_SHARED = $(filter-out %/replay.c,$(wildcard spec/fuzz/support/*.c)) \
	$(wildcard $(patsubst %,src/%/*.c,base trace raft cores world machine store node sim real check)) src/process/messages.c
LUA_FILES = $(shell find lua spec scripts -name '*.lua' 2>/dev/null) $(wildcard scripts/raftbench)

# As many jobs as there are cores, unless the user said how many.
SUBMAKE = $(MAKE) --no-print-directory $(if $(V),,--silent) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))
RAFTBENCH = $(if $(filter lua5.4,$(LUA)),,$(LUA) )scripts/raftbench
TEST = $(RAFTBENCH) test --jobs $(TEST_JOBS)

# V=1 shows the whole command lines.
QUIET = $(if $(V),,@echo "  $(1) $@";)

all: $(MODULE) $(LINE_MODULE) ## build the modules raft.core and raft.line

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(CC) -shared -pthread $(SANITIZE) -o $@ $^ $(LDFLAGS) $(LIBRARIES)

$(LINE_MODULE): $(LINE_OBJECTS)
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(CC) -shared -pthread $(SANITIZE) -o $@ $^ $(LDFLAGS) $$(pkg-config --libs libedit)

# Says which packages are missing before the compiler fails for want of them.
ready:
	@pkg-config --exists libuv libxxhash libedit $(LUA) 2>/dev/null || { \
		echo "What this needs to build is not here: \`make deps\` installs it." >&2; exit 1; }

$(BUILD)/%.o: %.c Makefile | ready
	@mkdir -p $(@D)
	$(call QUIET,CC  )$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d) $(LINE_OBJECTS:.o=.d) $(FUZZ_SOURCES:%.c=$(BUILD)/%.d)

deps: ## install what is missing (or print the one command that does)
	@$(DEPS) $(PACKAGES_BUILD) $(PACKAGES_RUN)

deps-browser: ## besides, the browser in which spec/page_spec.lua looks at pages; without it that is skipped
	@$(DEPS) $(PACKAGES_BROWSER)

demo: deps ## a real five-node cluster on loopback TCP: its story, its most telling second, all of it as a page
	@$(SUBMAKE) all
	@$(RAFTBENCH) run scripts/demo.lua --mode tcp --trace $(BUILD)/demo.trace
	@$(RAFTBENCH) view $(BUILD)/demo.trace -o $(BUILD)/demo.txt
	@$(RAFTBENCH) view $(BUILD)/demo.trace -o $(BUILD)/demo.html
	@echo "All of it, event by event: $(BUILD)/demo.html (a page for the browser), $(BUILD)/demo.txt (a table)"

test: deps ## the whole suite, in the simulated world and over TCP
	@$(DEPS) $(PACKAGES_TEST)
	@$(SUBMAKE) all replays
	@$(TEST)

seeds: deps ## the reference suite, the scenarios and the chaos over N=1000 seeds in the simulated world
	@$(SUBMAKE) all
	@RAFTBENCH_SPEC_SEEDS=1 $(TEST) --mode sim --seeds $(N) --pattern '!_tcp$$' spec/reference_spec.lua \
		spec/reference_defaults_spec.lua $(wildcard spec/scenarios_*_spec.lua) spec/servers_spec.lua \
		spec/chaos_spec.lua spec/minority_spec.lua

SAME_SEEDS = 1 2 3 4 5 6 7 8 9 10

same: deps ## seeds of the chaos by gcc and clang, -O0 and -O2, under each Lua: every trace must be the same
	@$(DEPS) $(PACKAGES_FUZZ) $(PACKAGES_lua5.3) $(PACKAGES_luajit)
	@$(SUBMAKE) all
	@$(SUBMAKE) BUILD=build/same/gcc-O0 CC=gcc OPTIMIZE=-O0 all
	@$(SUBMAKE) BUILD=build/same/clang-O0 CC=clang-14 OPTIMIZE=-O0 all
	@$(SUBMAKE) BUILD=build/same/clang-O2 CC=clang-14 OPTIMIZE=-O2 all
	@$(SUBMAKE) LUA=lua5.3 all
	@$(SUBMAKE) LUA=luajit all
	@SEEDS="$(SAME_SEEDS)" scripts/dev/same.sh "build lua5.4" "build/same/gcc-O0 lua5.4" "build/same/clang-O0 lua5.4" \
		"build/same/clang-O2 lua5.4" "build/lua5.3 lua5.3" "build/luajit luajit"

crash-matrix: deps ## a power cut after every operation of a disk in N=20 runs, and again in each recovery
	@$(SUBMAKE) all
	@RAFTBENCH_CRASH_MATRIX=$(if $(filter 1000,$(N)),20,$(N)) $(TEST) --mode sim spec/crash_matrix_spec.lua

linear-twins: deps ## each check of linearizability against all orders, on N=100000 random histories of each model
	@$(SUBMAKE) all replays
	@RAFTBENCH_LINEAR_TWINS=$(if $(filter 1000,$(N)),100000,$(N)) $(TEST) --mode sim spec/linear_twins_spec.lua

TIME = 60

torture: deps ## nodes as processes, killed at random for TIME=60 seconds while clients write; nothing may be lost
	@$(SUBMAKE) all
	@$(RAFTBENCH) run scripts/torture.lua --set parameters.time=$(TIME)

MUTANTS_FLAGS = --build $(BUILD) --shrink --seconds $(if $(filter 600,$(SECONDS)),60,$(SECONDS)) $(if $(SEEDS),--seeds $(SEEDS))

mutants: deps ## known Raft bugs, each built into a copy and looked for (MUTANTS="a b", SECONDS=60, SEEDS=1: the first)
	@$(SUBMAKE) all
	@$(LUA) scripts/dev/mutants.lua $(MUTANTS_FLAGS) $(MUTANTS)

MODE = process
SEED = 1

chaos: deps ## the chaos for TIME=60 seconds over MODE=process (nodes as processes) or tcp, from SEED=1
	@$(SUBMAKE) all
	@$(RAFTBENCH) run scripts/chaos.lua --mode $(MODE) --seed $(SEED) --set parameters.time=$(TIME)

# ---- with the sanitizers -----------------------------------------------------------------------
# The interpreter is Debian's own, so the sanitizers' libraries go in front of it; its leaks count
# too, because a closed state has given everything back.
ASAN_BUILD = $(BUILD)/asan
ASAN_FLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_ENV = RAFTBENCH_BUILD=$(ASAN_BUILD) RAFTBENCH_SPEC_SEEDS=$(or $(SEEDS),10) \
	LSAN_OPTIONS=suppressions=scripts/dev/lsan.supp:print_suppressions=0 \
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1 \
	RAFTBENCH_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)"

check-asan: deps ## the suite under AddressSanitizer, UBSan and LeakSanitizer (SEEDS=10 of each)
	@$(SUBMAKE) BUILD=$(ASAN_BUILD) SANITIZE="$(ASAN_FLAGS)" OPTIMIZE="-O1 -g" all replays
	@$(ASAN_ENV) scripts/dev/preload.sh $(TEST) $(FILES)

# ---- fuzzers -----------------------------------------------------------------------------------
# `make test` replays what is kept in spec/fuzz/corpus; `make fuzz` looks for more with libFuzzer.
FUZZ_BUILD = $(BUILD)/fuzz
FUZZ_FLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SECONDS = 600

replays: $(FUZZERS:%=$(BUILD)/replay/%) # each fuzzer with a plain main

$(FUZZERS:%=$(BUILD)/replay/%): $(BUILD)/replay/%: $(BUILD)/spec/fuzz/%.o \
		$(BUILD)/spec/fuzz/support/replay.o $(BUILD)/fuzz.a
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(CC) -pthread $(SANITIZE) -o $@ $^ $(LDFLAGS) $(LIBRARIES)

$(FUZZERS:%=$(BUILD)/fuzzer/%): $(BUILD)/fuzzer/%: $(BUILD)/spec/fuzz/%.o $(BUILD)/fuzz.a
	@mkdir -p $(@D)
	$(call QUIET,LINK)$(CC) -pthread $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(LDFLAGS) $(LIBRARIES)

$(BUILD)/fuzz.a: $(FUZZ_SHARED:%.c=$(BUILD)/%.o)
	@rm -f $@
	$(call QUIET,AR  )$(AR) rcs $@ $^

fuzzers: deps
	@$(DEPS) $(PACKAGES_FUZZ)
	@$(SUBMAKE) BUILD=$(FUZZ_BUILD) CC=clang-14 SANITIZE="-fsanitize=fuzzer-no-link $(FUZZ_FLAGS)" \
		OPTIMIZE="-O1 -g" WARNINGS=-w $(FUZZERS:%=$(FUZZ_BUILD)/fuzzer/%)

fuzz: fuzzers ## each fuzzer (or FUZZERS="json kv") for SECONDS=600 under AddressSanitizer and UBSan
	@scripts/dev/fuzz.sh run $(FUZZ_BUILD) $(SECONDS) $(FUZZERS)

fuzz-corpus: fuzzers ## spec/fuzz/corpus anew: the fewest inputs that reach as much as all that were found
	@scripts/dev/fuzz.sh merge $(FUZZ_BUILD) $(FUZZERS)

# Memory comes from malloc piece by piece there (src/base/pool.c), so that each is watched.
VALGRIND_BUILD = $(BUILD)/valgrind

check-valgrind: deps ## a short part of the suite under valgrind
	@$(DEPS) $(PACKAGES_VALGRIND)
	@$(SUBMAKE) BUILD=$(VALGRIND_BUILD) CFLAGS=-DRAFTBENCH_POOL_PASSES_ON all
	@RAFTBENCH_SPEC_SEEDS=1 RAFTBENCH_BUILD=$(VALGRIND_BUILD) valgrind -q --error-exitcode=9 --leak-check=full \
		--errors-for-leak-kinds=definite --keep-debuginfo=yes \
		$(LUA) scripts/raftbench test $(or $(FILES),spec/reference_spec.lua spec/values_spec.lua)

# ---- lint --------------------------------------------------------------------------------------
lint: ## format, static analysis, and the rules of the house (spec/house)
	@$(DEPS) $(PACKAGES_BUILD) $(PACKAGES_RUN) $(PACKAGES_LINT)
	@clang-format --dry-run -Werror $(SOURCES) $(HEADERS) $(FUZZ_SOURCES) $(wildcard spec/fuzz/support/*.h)
	@for file in $(LUA_FILES); do sed '1s/^#!.*//' $$file | luac5.1 -p - || { \
		echo "$$file: not the Lua that 5.1 and LuaJIT read too"; exit 1; }; done
	@luacheck -q $(LUA_FILES)
	@$(SUBMAKE) all
	@$(RAFTBENCH) test spec/house
	@$(SUBMAKE) --keep-going --output-sync tidy

# How many states the analyzer looks at in a function: nearly all of its time goes there. `make analyze` takes its own
# measure, four times as many in four times the time.
NODES = 50000
ANALYZER = -Xclang -analyzer-config -Xclang max-nodes=$(NODES)

analyze: ## clang-tidy over all files anew, with as much time for the analyzer as it takes
	@find $(BUILD) -name '*.tidy' -delete
	@$(SUBMAKE) --keep-going --output-sync NODES=225000 tidy

# A file is looked at again when it, or a header below it, has changed: it follows its object.
tidy: $(SOURCES:%.c=$(BUILD)/%.tidy) $(FUZZ_SOURCES:%.c=$(BUILD)/%.tidy)

$(BUILD)/%.tidy: $(BUILD)/%.o .clang-tidy
	@clang-tidy --quiet $*.c -- $(CFLAGS_ALL) $(ANALYZER) >$@.out 2>&1 || { cat $@.out; exit 1; }
	@mv $@.out $@

annotations: all ## lua/raft/annotations anew, by which editors know the module, from the comments in lua/raft
	@$(LUA) -e 'package.path = "./?.lua;lua/?.lua;lua/?/init.lua;" .. package.path; package.cpath = "$(BUILD)/?.so;" .. package.cpath; require("scripts.dev.annotations").write()'

# ---- the rest ----------------------------------------------------------------------------------
# Below PREFIX the module goes where the interpreter looks for it.
PREFIX = /usr/local
PLACE = $(DESTDIR)$(shell $(LUA) scripts/dev/places.lua $(1) $(PREFIX))
PLACES = TO_C=$(call PLACE,c) TO_LUA=$(call PLACE,lua) TO_BIN=$(DESTDIR)$(PREFIX)/bin
LUA_MODULES = $(shell cd lua && find . -name '*.lua' -o \( -path './raft/view/page/*' -o -path './raft/project/*' \) -type f)

install: all ## install the module, its Lua part and the command below PREFIX=/usr/local
	@$(MAKE) --no-print-directory install-to $(PLACES)

uninstall: ## remove what `make install` put there (with the same PREFIX and LUA)
	@$(MAKE) --no-print-directory uninstall-from $(PLACES)

install-to: # the same, to folders that are named: luarocks does so
	install -D -m 755 $(MODULE) $(TO_C)/raft/core.so
	install -D -m 755 $(LINE_MODULE) $(TO_C)/raft/line.so
	@for file in $(LUA_MODULES); do install -D -m 644 lua/$$file $(TO_LUA)/$$file || exit 1; done
	@echo "installed the modules in Lua in $(TO_LUA)/raft"
	install -D -m 755 scripts/raftbench $(TO_BIN)/raftbench
	sed -i '1s/lua5.4/$(LUA)/' $(TO_BIN)/raftbench

uninstall-from:
	rm -f $(TO_C)/raft/core.so $(TO_C)/raft/line.so $(TO_BIN)/raftbench
	@for file in $(LUA_MODULES); do rm -f $(TO_LUA)/$$file || exit 1; done
	@for folder in $(TO_C)/raft $(TO_LUA)/raft; do [ ! -d $$folder ] || find $$folder -depth -type d -empty -delete; done
	@echo "removed the modules in Lua from $(TO_LUA)/raft"

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: all deps deps-browser demo test seeds torture chaos mutants crash-matrix replays fuzzers fuzz fuzz-corpus check-asan check-valgrind lint analyze tidy annotations ready install uninstall install-to uninstall-from clean help
