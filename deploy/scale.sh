#!/usr/bin/env bash
# Measures shardwalk with thousands of shards (docs/scale.md): the program between the emulator and a redis-server, then
# the walk in the simulation. Prints a table for each, with a column for each number of shards. Takes about twenty minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

sizes=(1000 2500 5000) simulated=(1000 2500 5000 10000)
while (($# > 0)); do
    case $1 in
        --shards) read -r -a sizes <<<"${2?}" && shift 2 ;;
        --simulated) read -r -a simulated <<<"${2?}" && shift 2 ;;
        *) fail "'$1' is no option" "deploy/scale.sh [--shards '1000 5000'] [--simulated '1000 10000']" ;;
    esac
done

step "packages"
provide_test_tools

step "build"
swift build "${release_options[@]}"
swift build "${simulation_options[@]}"
program=$(release_program)
simulate=$(simulation_program)
results=$(mktemp -d)

# Runs a command for each number of shards, and prints the table of what it printed.
table_of() {
    local name=$1
    shift
    step "$name"
    "$@" >"$results/$name"
    "$SHARDWALK_PYTHON" Tests/Scale/table.py "$results/$name"
}
simulate_each() { for shards in "$@"; do "$simulate" --shards "$shards"; done; }

if ((${#sizes[@]} > 0)); then
    table_of program "$SHARDWALK_PYTHON" Tests/Scale/measure.py \
        "$program" "${SHARDWALK_REDIS_SERVER:-redis-server}" "${sizes[@]}"
fi
if ((${#simulated[@]} > 0)); then table_of simulation simulate_each "${simulated[@]}"; fi
end_step
