#!/bin/sh
# Runs the same seeds of a scenario with several builds and under several Luas, and compares the traces' hashes: a run is
# a function of script, options and seed, whatever compiled it. Each argument is "BUILD-FOLDER LUA"; SEEDS ("1 2 3"),
# SCENARIO. Exit code 0 where all agree.
set -eu
cd "$(dirname "$0")/../.."
scenario=${SCENARIO:-scripts/chaos.lua}
differ=0
for seed in ${SEEDS:-1 2 3 4 5 6 7 8}; do
    first=
    for variant in "$@"; do
        build=${variant% *}
        lua=${variant##* }
        hash=$(RAFTBENCH_BUILD=$build $lua scripts/raftbench run "$scenario" --seed "$seed" 2>&1 |
            sed -n 's/.*, trace \([0-9a-f]*\)).*/\1/p')
        if [ -z "$hash" ]; then
            echo "seed $seed: no trace with $variant" >&2
            differ=1
        elif [ -z "$first" ]; then
            first=$hash
        elif [ "$hash" != "$first" ]; then
            echo "seed $seed: $variant gives $hash, not $first as $1" >&2
            differ=1
        fi
    done
    echo "seed $seed: ${first:-none}"
done
exit $differ
