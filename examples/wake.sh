#!/bin/sh
# Start the machine of a bus with gcloud, wait until the bus accepts jobs, and print where it is; or run a command
# with AAFAI_CLIENT_URL set to that.
#
#     export AAFAI_CLIENT_INSTANCE=my-project/europe-west1-b/aafai-bus
#     examples/wake.sh
#     examples/wake.sh examples/curl.sh download_website '{"url": "https://example.org"}'
#
# AAFAI_PORT is the bus's port, 8000 without. A machine that stops is waited for and started again; one that
# Google has no room for is tried for AAFAI_CLIENT_LIMIT seconds (600 without). The address is another one after
# every start, so it is asked for and never remembered. Further zones, with commas between them, are tried in turn
# where there is no room, if a machine of that name is in each. Exit status: that of the command; 2 for a wrong setting,
# 3 when the time is over, 4 when the machine cannot be started.
set -eu

IFS=/ read -r project zones instance rest <<END
${AAFAI_CLIENT_INSTANCE:-}
END
zone=${zones%%,*}
if [ -z "$instance" ] || [ -n "$rest" ]; then
    echo "AAFAI_CLIENT_INSTANCE: write project/zone/instance, as in my-project/europe-west1-b/aafai-bus" >&2
    exit 2
fi
deadline=$(($(date +%s) + ${AAFAI_CLIENT_LIMIT:-600}))
said=$(mktemp)
trap 'rm -f "$said"' EXIT

machine() {
    verb=$1
    shift
    gcloud compute instances "$verb" "$instance" --project="$project" --zone="$zone" --quiet "$@" 2>"$said"
}

# Waits that many seconds, or ends when the time is over; the second word is what for.
pause() {
    if [ "$(($(date +%s) + $1))" -gt "$deadline" ]; then
        echo "The time is over: $2." >&2
        exit 3
    fi
    sleep "$1"
}

give_up() {
    cat "$said" >&2
    exit 4
}

begin() {
    echo "starting $instance" >&2
    if machine "$1" >/dev/null; then return; fi
    # Google has no machine of this kind left in the zone, or somebody else is at it: both pass.
    if grep -Eq 'RESOURCE_POOL_EXHAUSTED|enough resources|not ready' "$said"; then
        pause "${AAFAI_CLIENT_PAUSE:-15}" "Google cannot start $instance in $zone at the moment"
        zones=${zones#"$zone"}
        zones=${zones#,}${zones:+,}$zone
        zone=${zones%%,*}
    else
        give_up
    fi
}

accepts() {
    curl --silent --fail --max-time 5 --output /dev/null "$1/health"
}

while :; do
    found=$(machine describe \
        --format='value[separator=" "](status,networkInterfaces[0].accessConfigs[0].natIP)') || give_up
    status=${found%% *} address=${found#"${found%% *}"}
    address=${address# }
    case $status in
        RUNNING)
            if [ -z "$address" ]; then
                echo "$instance has no external address; give it one: gcloud compute instances add-access-config" >&2
                exit 4
            fi
            url=http://$address:${AAFAI_PORT:-8000}
            if accepts "$url"; then break; fi
            pause 1 "$url does not accept jobs"
            ;;
        TERMINATED) begin start ;;
        SUSPENDED) begin resume ;;
        *) pause 2 "$instance is $status" ;;
    esac
done

if [ $# = 0 ]; then
    echo "$url"
else
    AAFAI_CLIENT_URL=$url
    export AAFAI_CLIENT_URL
    "$@"
fi
