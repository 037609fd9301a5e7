#!/bin/sh
# Runs the fuzzers that `make fuzzers` built, two at a time, or merges what they found.
#   scripts/dev/fuzz.sh run BUILD SECONDS NAME...
#   scripts/dev/fuzz.sh merge BUILD NAME...
# What a run finds of use is kept in BUILD/corpus/NAME; an input that breaks something is
# BUILD/found/NAME-*, and ends the run of that fuzzer. The kept corpus is spec/fuzz/corpus/NAME;
# its files named regression-* stay whatever a merge says.
set -eu

SIZE_MAX=1024
command=$1 build=$2
shift 2

# One fuzzer, for xargs: NAME.
if [ "$command" = one ]; then
    name=$1
    mkdir -p "$build/corpus/$name" "$build/found" "spec/fuzz/corpus/$name"
    status=0
    UBSAN_OPTIONS=print_stacktrace=1 nice "$build/fuzzer/$name" -max_total_time="$FUZZ_SECONDS" \
        -max_len=$SIZE_MAX -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" \
        "$build/corpus/$name" "spec/fuzz/corpus/$name" >"$build/$name.log" 2>&1 || status=$?
    echo "$status" >"$build/$name.status"
    exit 0
fi

# How many inputs a fuzzer has run so far, by its log.
executed() {
    sed -n 's/^#\([0-9]*\)\t.*/\1/p; s/^stat::number_of_executed_units: *//p' "$build/$1.log" \
        2>/dev/null | tail -n 1
}

progress() {
    line="fuzz:"
    for name in "$@"; do
        if [ -f "$build/$name.status" ]; then
            done_count=$((done_count + 1))
        elif [ -f "$build/$name.log" ]; then
            line="$line $name $(executed "$name"),"
        fi
    done
    echo "$line $done_count of $# done"
}

run() {
    FUZZ_SECONDS=$1
    export FUZZ_SECONDS
    shift
    for name in "$@"; do
        rm -f "$build/$name.log" "$build/$name.status"
    done
    printf '%s\n' "$@" | xargs -P 2 -n 1 "$0" one "$build" &
    runs=$!
    ticks=0
    while kill -0 "$runs" 2>/dev/null; do
        done_count=0
        if [ -t 1 ]; then
            printf '\r\033[K%s' "$(progress "$@")"
        elif [ $((ticks % 30)) = 29 ]; then
            progress "$@"
        fi
        ticks=$((ticks + 1))
        sleep 1
    done
    [ -t 1 ] && printf '\r\033[K'
    failed=0
    for name in "$@"; do
        if [ "$(cat "$build/$name.status")" = 0 ]; then
            echo "$name: nothing in $(executed "$name") inputs"
        else
            failed=1
            echo "$name: FAILED after $(executed "$name") inputs"
            grep -E 'assertion failed|  at |ERROR:|runtime error|Test unit written' \
                "$build/$name.log" || tail -n 20 "$build/$name.log"
            echo "  again: $build/fuzzer/$name $(ls -t "$build/found/$name-"* 2>/dev/null | head -n 1)"
        fi
    done
    return $failed
}

# Judged by what is reached, not by how often, and few rather than small: otherwise each is worth
# hundreds of files.
merge() {
    for name in "$@"; do
        fresh=$build/merged/$name
        kept=spec/fuzz/corpus/$name
        rm -rf "$fresh"
        mkdir -p "$fresh" "$kept" "$build/corpus/$name"
        "$build/fuzzer/$name" -set_cover_merge=1 -use_counters=0 -max_len=$SIZE_MAX "$fresh" "$kept" \
            "$build/corpus/$name" >"$build/$name.log" 2>&1
        find "$kept" -type f ! -name 'regression-*' -delete
        cp "$fresh"/* "$kept"
        echo "$name: $(ls "$kept" | wc -l) files, $(cat "$kept"/* | wc -c) bytes"
    done
}

"$command" "$@"
