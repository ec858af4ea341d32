#!/usr/bin/env bash
# Installs what the tests need, builds for debug and release without a warning, and runs all tests.
# Needs a Swift toolchain, and root or sudo if packages are missing. Arguments go to `swift test`, such as
# --filter WalkTests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

# Runs a build and fails on any warning: the compiler's are errors anyway, those of the package manager
# and the linker are not. What the packages of others print is theirs.
without_warnings() {
    local log=.build/build.log
    "$@" 2>&1 | tee "$log"
    if grep 'warning:' "$log" | grep -v '/checkouts/'; then
        fail "the build has warnings" "mend what the lines above name"
    fi
}

# The shipped program may need no library but those that the image and install.sh install.
check_libraries() {
    local known='libcurl\.so\.4|libhiredis\.so\.0\.14|lib(ssl|crypto)\.so\.3'
    known+='|lib(c|m|stdc\+\+|gcc_s)\.so\.[0-9]+|ld-linux-.*'
    local strangers
    strangers=$(readelf -d "$(release_program)" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        grep -vxE "$known" || true)
    [[ -z $strangers ]] ||
        fail "the release build needs libraries that are not installed with it: $strangers" \
            "link them statically, or add them to runtime_packages in deploy/setup.sh"
}

step "packages"
command -v node >/dev/null || test_packages+=(nodejs)
test_packages+=(shellcheck systemd)
provide_test_tools

step "format"
swift format lint --strict --recursive Sources Tests Package.swift

step "debug build"
without_warnings swift build --build-tests --explicit-target-dependency-import-check error

step "release build"
without_warnings swift build "${release_options[@]}"
check_libraries

step "simulation"
without_warnings swift build "${simulation_options[@]}"
"$(simulation_program)" --seeds 2000

step "mutants"
deploy/mutants.sh 100 14

step "tests"
swift test --skip-build --disable-xctest "$@"
end_step
