#!/bin/sh
# Submit a job by leaving a file, with nothing running: neither curl nor, for the last two, the machine.
#
#     examples/drop_a_file.sh /var/lib/aafai-bus/queues fakejob           the folder of a bus on this computer
#     examples/drop_a_file.sh /mnt/mirror fakejob '{"delay_seconds": 2}'  its mirror (AAFAI_MIRROR=folder:…)
#     examples/drop_a_file.sh gs://my-bucket/bus fakejob                  its mirror in a bucket, by gcloud
#
# Prints the name of the file. In a mirror, receipts/NAME tells what became of it, once a bus has looked.
set -eu

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    echo "usage: $0 FOLDER|gs://BUCKET/PREFIX ACTION [PARAMS], as in: $0 /mnt/mirror fakejob '{\"delay_seconds\": 2}'" >&2
    exit 2
fi
folder=${1%/}
name=$(date -u +%Y%m%dT%H%M%SZ)-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n').json
job=$(printf '{"action": "%s", "params": %s}' "$2" "${3:-"{}"}")

case $folder in
    gs://*)
        printf '%s\n' "$job" | gcloud storage cp - "$folder/inbox/$name"
        ;;
    *)
        inbox=$folder/inbox
        if [ -d "$folder/inbound" ]; then inbox=$folder/inbound; fi
        if [ ! -d "$inbox" ]; then
            echo "$folder has neither inbound/, as queues have, nor inbox/, as mirrors have." >&2
            exit 2
        fi
        # Under another name first, so that nobody reads half of it.
        printf '%s\n' "$job" >"$inbox/.$name.part"
        mv "$inbox/.$name.part" "$inbox/$name"
        ;;
esac
echo "$name"
