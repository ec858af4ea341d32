#!/usr/bin/env bash
# Feeds the readers of foreign bytes with inputs of libFuzzer's, under the address sanitizer, and says what was found.
# Usage: deploy/fuzz.sh [--seconds N | --inputs N] [TARGET ...]
# Inputs that reach something new are kept in .build/fuzz/corpus, for the next run to go on from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

bound=-max_total_time=60
case ${1:-} in
    --seconds) bound=-max_total_time=${2:?"--seconds needs a number"} && shift 2 ;;
    --inputs) bound=-runs=${2:?"--inputs needs a number"} && shift 2 ;;
esac
targets=("$@")
if ((${#targets[@]} == 0)); then
    for folder in Tests/FuzzTests/Corpus/*/; do targets+=("$(basename "$folder")"); done
fi
for target in "${targets[@]}"; do
    [[ -d Tests/FuzzTests/Corpus/$target ]] ||
        fail "there is no target $target" "name a folder of Tests/FuzzTests/Corpus"
done
find_swift

# Of several -sanitize the last one decides about coverage, so it names both. Optimised, but with every assertion;
# gold, the linker of choice otherwise, breaks off on these objects.
options=(
    --scratch-path .build/fuzz --product fuzz --sanitize=address --sanitize=fuzzer
    -Xswiftc "-sanitize=address,fuzzer" -Xswiftc -O -Xswiftc -assert-config -Xswiftc Debug
    -Xswiftc -use-ld=lld
)
step "build"
export SHARDWALK_FUZZ=1
log=.build/fuzz-build.log
mkdir -p .build
swift build "${options[@]}" >"$log" 2>&1 ||
    fail "the build failed" "see the last lines of $log: $(tail -n 3 "$log")"
program=$(swift build "${options[@]}" --show-bin-path 2>/dev/null)/fuzz

# The leak checker takes Swift's tagged pointers for none.
export ASAN_OPTIONS=detect_leaks=0
limits=(-timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=256 -max_len=8192)
found=0
report=()
for target in "${targets[@]}"; do
    step "$target"
    corpus=.build/fuzz/corpus/$target log=.build/fuzz/$target.log
    mkdir -p "$corpus"
    status=0
    FUZZ_TARGET=$target "$program" "${limits[@]}" -dict=Tests/FuzzTests/json.dict \
        "$bound" -print_final_stats=1 \
        -artifact_prefix=".build/fuzz/$target-" \
        "$corpus" "Tests/FuzzTests/Corpus/$target" >"$log" 2>&1 || status=$?
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    line="$target: ${executed:-?} inputs, ${edges:-no} edges"
    # A program without coverage runs, and finds nothing.
    if [[ $status == 0 && -n $edges ]]; then
        report+=("$line, nothing found")
        continue
    fi
    found=1
    report+=("$line, FAILED: see $log")
    artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    [[ -z $artifact ]] ||
        report+=("  repeat: ASAN_OPTIONS=detect_leaks=0 FUZZ_TARGET=$target $program ${limits[*]} $artifact")
done
end_step
printf '%s\n' "${report[@]}"
exit "$found"
