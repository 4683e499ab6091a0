# Run by `/bin/sh -s` on a pfSense or OPNsense firewall, after lines that set: verb id before wait reload,
# a function `new_file` that prints the new config.xml, and the paths below. FreeBSD's sh and dash alike.
#
# Exit: 0 done · 70 no reading · 75 busy · 77 pre-image moved · 78 refused, state as before · 79 state unknown
#       80 too late · 81 no such warrant
set -u
umask 077
PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin
export PATH
state=/var/run/fwguard
lock=$state/lock

die() { # STATUS MESSAGE
    printf '%s\n' "$2" >&2
    exit "$1"
}
hash_of() { # FILE; FreeBSD has sha256(1), Linux sha256sum(1)
    if command -v sha256 >/dev/null 2>&1; then sha256 -q "$1"; else sha256sum "$1" | cut -d ' ' -f 1; fi
}
put() { # FILE: make it the configuration, whole or not at all, and load it
    # A copy of the old file first: the new one gets its owner and mode.
    cp -p "$config" "$config.fwguard" && cat "$1" >"$config.fwguard" && sync || return 1
    mv "$config.fwguard" "$config" || return 1
    rm -f /tmp/config.cache # pfSense reads this instead, where it is
    $reload >/dev/null 2>&1 </dev/null
}
mine() { [ -e "$state/$id.before" ] || die 81 "no write of warrant $id is known here"; }
decide() { mkdir "$state/$id.decided" 2>/dev/null || die 80 "warrant $id is decided already: its time ran out, or it is final"; }

case $verb in
    read)
        exec cat "$config"
        ;;
    apply)
        mkdir -p "$state" && chmod 700 "$state" || die 78 "cannot write $state"
        find "$state" -name lock -type d -mmin +2 -exec rmdir {} + 2>/dev/null # left by a loss of power
        find "$state" -name '*.decided' -mtime +1 -exec rmdir {} + 2>/dev/null
        find "$state" -type f -mtime +1 -exec rm -f {} + 2>/dev/null
        mkdir "$lock" 2>/dev/null || die 75 "another write is under way"
        trap 'rmdir "$lock"' EXIT
        [ ! -e "$state/$id.before" ] || die 78 "warrant $id was used already"
        for pending in "$state"/*.before; do
            [ ! -e "$pending" ] || [ -d "${pending%.before}.decided" ] || die 75 "another write waits to be confirmed"
        done
        [ "$(hash_of "$config")" = "$before" ] || die 77 "$config is not what this was approved for"
        new_file >"$state/$id.after" && cp "$config" "$state/$id.before" || die 78 "no room in $state"
        # Whoever makes the directory `decided` decides: this timer, a confirm or a rollback.
        (
            trap '' HUP
            sleep "$wait"
            mkdir "$state/$id.decided" 2>/dev/null && put "$state/$id.before"
        ) >/dev/null 2>&1 </dev/null &
        put "$state/$id.after" && exit 0
        decide
        put "$state/$id.before" || die 79 "the new configuration does not load, nor does the old one"
        die 78 "the new configuration does not load"
        ;;
    confirm)
        mine
        decide
        rm -f "$state/$id.after"
        ;;
    rollback)
        mine
        decide
        put "$state/$id.before" || die 79 "the old configuration does not load"
        ;;
esac
