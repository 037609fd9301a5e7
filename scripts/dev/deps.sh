#!/bin/sh
# Installs those of the Debian packages named on the command line that are missing. Says nothing
# and takes no time where none is. Without the right to install it prints the one command to run.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
    pkg-config --exists lua5.4 libuv 2>/dev/null && exit 0
    echo "This is no Debian. Install what stands for these packages there: $*" >&2
    exit 1
fi

installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p')
missing=
for package in "$@"; do
    printf '%s\n' "$installed" | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=
elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "Some packages are missing. Install them with:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi

echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $sudo apt-get update -qq &&
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    exit 1
fi
