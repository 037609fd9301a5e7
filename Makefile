# Raftbench: builds the Lua module raft.core and everything around it. `make help` lists the targets.
LUA ?= lua5.4
BUILD ?= build
CC ?= cc

PACKAGES = libuv $(LUA)
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
SANITIZE =
OPTIMIZE = -O2 -g
CFLAGS_ALL = -std=gnu11 -fPIC -fvisibility=hidden -ffp-contract=off -pthread $(WARNINGS) $(OPTIMIZE) $(SANITIZE) \
	-Isrc -isystem /usr/include $(shell pkg-config --cflags $(PACKAGES)) $(CFLAGS)
LIBRARIES = $(shell pkg-config --libs libuv) -lm

SOURCES = $(wildcard src/*/*.c)
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o)
MODULE = $(BUILD)/raft/core.so

all: $(MODULE)

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared $(SANITIZE) -o $@ $^ $(LDFLAGS) $(LIBRARIES)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

clean:
	rm -rf $(BUILD)

.PHONY: all clean
