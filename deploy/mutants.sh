#!/usr/bin/env bash
# Plants the bugs of Tests/Mutants/mutants.txt, one at a time, and says which seed of the simulation finds each: a test of
# the test. Prints those that no seed has found, and then ends with exit code 1.
#
# Usage: mutants.sh [SEEDS [BUGS]]: so many seeds (2000) for each of the first so many bugs (all).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

seeds=${1:-2000} folder=.build/mutants
find_swift
step "planting"
mkdir -p "$folder"
list=$(python3 Tests/Mutants/plant.py . "$folder") ||
    fail "not all bugs could be planted" "see what Tests/Mutants/plant.py says above"
mapfile -t names <<<"$list"
names=("${names[@]:0:${2:-${#names[@]}}}")
swift build --package-path "$folder" -c release --product simulate
simulate=$(swift build --package-path "$folder" -c release --product simulate --show-bin-path)/simulate

step "without a bug"
"$simulate" --seeds "$seeds"

step "with each of ${#names[@]} bugs"
missed=0
for name in "${names[@]}"; do
    # A crash is as good as a violation: the walk's own preconditions have seen the bug.
    if SHARDWALK_MUTANT=$name "$simulate" --seeds "$seeds" --first >"$folder/output" 2>&1; then
        printf 'MISSED %s\n' "$name"
        missed=$((missed + 1))
    else
        printf '%s: %s\n' "$name" "$(grep -m 1 '^seed' "$folder/output" || echo 'the walk ends at a precondition')"
    fi
done
end_step
printf '%d of %d bugs found\n' $((${#names[@]} - missed)) "${#names[@]}"
((missed == 0))
