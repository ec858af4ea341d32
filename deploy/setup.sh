# What the scripts beside it share; they source it from the top folder.
# shellcheck shell=bash disable=SC2034 # its variables are used by those scripts

# The oldest toolchain that reads Package.swift.
readonly swift_minimum=6.2
# What the build links against, and what the toolchain itself needs from Debian.
readonly build_packages=(
    libcurl4-openssl-dev libssl-dev libhiredis-dev
    binutils ca-certificates git libc6-dev libncurses6 libsqlite3-0 libstdc++-12-dev libxml2 tzdata
    zlib1g-dev
)
# What the tests need beside that.
test_packages=(mount openssl python3 python3-venv)
# What the finished program links against: the Dockerfile's last stage installs the same.
readonly runtime_packages=(ca-certificates libcurl4 libhiredis0.14 libssl3)

step_name=
step_began=0

say() { printf '==> %s\n' "$*" >&2; }

# Says what failed and what can be done, and ends the script.
fail() {
    printf 'Error: %s\nTry: %s\n' "$1" "$2" >&2
    exit 1
}

# Names the step that begins; its end is told with its duration.
step() {
    end_step
    step_name=$1 step_began=$SECONDS
    say "$step_name"
}

end_step() {
    if [[ -n $step_name ]]; then say "$step_name: done in $((SECONDS - step_began)) s"; fi
    step_name=
}

on_exit() {
    local status=$?
    if ((status != 0)) && [[ -n $step_name ]]; then
        say "$step_name: FAILED after $((SECONDS - step_began)) s"
    fi
}
trap on_exit EXIT

# Runs a command as root, without ever asking for a password.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Installs those of the Debian packages that are missing.
install_packages() {
    local package missing=()
    command -v dpkg-query >/dev/null || {
        say "not a Debian system: taking it that these are installed: $*"
        return
    }
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    say "installing ${missing[*]}"
    as_root true ||
        fail "installing packages needs root, and sudo does not let us without a password" \
            "sudo apt-get install --no-install-recommends ${missing[*]}"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
    as_root "${apt[@]}" update ||
        say "some package lists could not be fetched; trying with those at hand"
    as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
        fail "the packages above could not be installed" \
            "sudo apt-get update, see what it complains about, and start again"
}

# Finds the Swift toolchain, on the path or where it is usually unpacked (sudo shortens the path).
find_swift() {
    local place words version
    for place in "${HOME:-/root}/.local/share/swiftly/bin" /opt/swift/usr/bin /usr/share/swift/usr/bin; do
        command -v swift >/dev/null && break
        if [[ -x $place/swift ]]; then PATH=$PATH:$place; fi
    done
    local remedy="install Swift $swift_minimum or later from https://www.swift.org/install/linux/"
    command -v swift >/dev/null || fail "there is no Swift toolchain on the path" "$remedy"
    words=$(swift --version 2>&1) || fail "the Swift toolchain does not run: $words" "$remedy"
    version=$(sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' <<<"$words")
    [[ $(printf '%s\n' "$swift_minimum" "$version" | sort -V | head -n 1) == "$swift_minimum" ]] ||
        fail "the Swift toolchain is $version, which is too old" "$remedy"
    say "Swift $version at $(command -v swift)"
}

# The oracles' Python packages, in an environment of their own.
provide_python() {
    local home=.build/python requirements=Tests/requirements.txt
    # Written last, so that an environment that was left half-made is made anew.
    if ! cmp -s "$requirements" "$home/installed.txt"; then
        /usr/bin/python3 -m venv --clear "$home"
        "$home/bin/pip" install --quiet --disable-pip-version-check --retries 5 -r "$requirements" ||
            fail "the Python packages could not be installed" \
                "see pip's words above: it has to reach pypi.org, or the index that PIP_INDEX_URL names"
        cp "$requirements" "$home/installed.txt"
    fi
    export SHARDWALK_PYTHON=$PWD/$home/bin/python
}

# Makes a redis-server available without the service that Debian's package of that name would start:
# the program itself comes with redis-tools, which knows it by another name.
provide_redis() {
    if command -v redis-server >/dev/null || [[ -n ${SHARDWALK_REDIS_SERVER:-} ]]; then return; fi
    install_packages redis-tools
    local program
    program=$(command -v redis-check-rdb) ||
        fail "there is no redis-server" "install Redis or Valkey, or name one in SHARDWALK_REDIS_SERVER"
    mkdir -p .build/tools
    ln -sfn "$program" .build/tools/redis-server
    export SHARDWALK_REDIS_SERVER=$PWD/.build/tools/redis-server
}

# How the program is built to be shipped: it needs no Swift on the machine that it runs on. The toolchain's own
# linker leaves out the other one's warning about a function deep in Foundation.
readonly release_options=(
    -c release --static-swift-stdlib --product shardwalk -Xswiftc -use-ld=lld
)

# How the simulation is built.
readonly simulation_options=(
    -c release --static-swift-stdlib --product simulate -Xswiftc -use-ld=lld
)

# The path of the program that a release build makes.
release_program() { printf '%s/shardwalk' "$(swift build "${release_options[@]}" --show-bin-path)"; }

# The path of the command that a build of the simulation makes.
simulation_program() { printf '%s/simulate' "$(swift build "${simulation_options[@]}" --show-bin-path)"; }

# Installs whatever the tests need.
provide_test_tools() {
    install_packages "${build_packages[@]}" "${test_packages[@]}"
    provide_redis
    find_swift
    provide_python
}
