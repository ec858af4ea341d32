#!/usr/bin/env bash
# Chaos for as long as you like: emulator, redis-server and shardwalk are killed, frozen, cut off and misled while a workload
# writes, one seed after the other, a minute each; at the end of each the cache has to equal the table.
# Prints every trouble, and for each seed the counts and that there is no difference, or which keys differ.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

minutes=10 seed=1
while (($# > 0)); do
    case $1 in
        --minutes) minutes=${2:?} && shift 2 ;;
        --seed) seed=${2:?} && shift 2 ;;
        *) fail "'$1' is no option" "deploy/chaos.sh [--minutes N] [--seed S]" ;;
    esac
done
[[ $minutes =~ ^[1-9][0-9]*$ && $seed =~ ^[0-9]+$ ]] ||
    fail "minutes and seed are numbers, minutes 1 at least" "deploy/chaos.sh --minutes 10 --seed 1"

step "packages"
provide_test_tools

step "build"
swift build --build-tests

step "chaos"
export SHARDWALK_CHAOS_MINUTES=$minutes SHARDWALK_CHAOS_SEED=$seed
swift test --skip-build --disable-xctest --filter ChaosTests
end_step
