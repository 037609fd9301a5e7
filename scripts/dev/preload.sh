#!/bin/sh
# Runs a command with the libraries of $RAFTBENCH_PRELOAD loaded before all others.
unset MAKEFLAGS MAKELEVEL
LD_PRELOAD=$RAFTBENCH_PRELOAD exec "$@"
