#!/usr/bin/env bash
# Installs what is missing, builds shardwalk and shows it at work: `shardwalk demo` with its own emulator of
# DynamoDB Streams and its own redis-server. Needs a Swift toolchain, and root or sudo if packages are missing.
# Arguments go to `shardwalk demo`; the exit code is its own: 0 when cache and table are equal.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

step "packages"
install_packages "${build_packages[@]}"
provide_redis
find_swift

step "release build (some minutes the first time)"
swift build "${release_options[@]}"
program=$(release_program)

end_step
exec "$program" demo "$@"
