#!/usr/bin/env bash
# Installs shardwalk as a systemd service on this machine: the program, its libraries, the unit, and
# config.example.json as the configuration if there is none. Starts nothing. Run again, it replaces program and
# unit and leaves the configuration alone.
#
# Usage: deploy/install.sh [program]
# Without an argument the program is built here, which needs a Swift toolchain. A program that was built on
# another Debian 12 machine (deploy/install.sh builds it there, too) needs none.
set -euo pipefail
program=${1:+$(realpath -- "$1")}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. deploy/setup.sh

step "packages"
install_packages "${runtime_packages[@]}"
if [[ -z $program ]]; then
    install_packages "${build_packages[@]}"
    find_swift
    step "release build (some minutes the first time)"
    swift build "${release_options[@]}"
    program=$(release_program)
fi

step "files"
"$program" --version >/dev/null ||
    fail "$program does not run on this machine" "build it on a Debian 12 machine with the same processor"
as_root install -m 0755 "$program" /usr/bin/shardwalk
as_root install -D -m 0644 systemd/shardwalk.service /etc/systemd/system/shardwalk.service
if [[ ! -e /etc/shardwalk/config.json ]]; then
    as_root install -D -m 0644 config.example.json /etc/shardwalk/config.json
fi
if [[ -d /run/systemd/system ]]; then as_root systemctl daemon-reload; fi
end_step

cat <<'next'
Installed: /usr/bin/shardwalk, /etc/systemd/system/shardwalk.service, /etc/shardwalk/config.json
Next:
  1. Set region, table and Redis in /etc/shardwalk/config.json. Secrets go to /etc/shardwalk/environment (lines of
     NAME=value, mode 0600); the configuration names them: "redis://:${NAME}@host:6379/0".
  2. Check it as the service will see it:
     sudo systemd-run --quiet --pipe --wait --collect -p DynamicUser=yes -p User=shardwalk \
         -p StateDirectory=shardwalk -p EnvironmentFile=-/etc/shardwalk/environment shardwalk check
  3. sudo systemctl enable --now shardwalk    (after an update: sudo systemctl restart shardwalk)
  4. journalctl -u shardwalk -f
docs/operations.md explains what it says and what to do then.
next
