#!/bin/sh
# Install the Debian packages named in a list, only those that are missing, without starting services:
# the lab starts its own daemons inside its namespaces.
set -eu
list=$1
wanted=$(sed 's/#.*//' "$list" | tr -s '[:space:]' '\n' | sed '/^$/d')
[ -n "$(command -v python3)" ] && python3 -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
missing=
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "Installing from Debian:$missing"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT INT TERM
fi
apt-get update -qq
# shellcheck disable=SC2086  # a list of words on purpose
apt-get install -y -qq --no-install-recommends $missing > /tmp/fwguard-apt.$$ 2>&1 || {
    cat /tmp/fwguard-apt.$$ >&2
    echo "These packages could not be installed:$missing" >&2
    exit 1
}
rm -f /tmp/fwguard-apt.$$
