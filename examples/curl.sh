#!/bin/sh
# Submit a job with curl, wait until it has ended, and print the answer of GET /outbound.
#
#     examples/curl.sh fakejob '{"delay_seconds": 2}'
#
# AAFAI_CLIENT_URL is where the bus is, http://127.0.0.1:8000 without; AAFAI_TOKEN its token, if it wants one.
# Exit status: 0 the job succeeded, 1 it did not, 2 the bus refuses what was asked, 3 it has not ended within
# AAFAI_CLIENT_LIMIT seconds (3600 without), 4 nobody answers.
set -eu

url=${AAFAI_CLIENT_URL:-http://127.0.0.1:8000}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
credentials=''
if [ -n "${AAFAI_TOKEN:-}" ]; then credentials="header = \"Authorization: Bearer $AAFAI_TOKEN\""; fi

# Writes the answer into that file. The token goes through a descriptor of its own, because arguments can be read
# by every user of this computer. What is refused for a moment only is asked again.
ask() {
    curl --config /dev/fd/3 --output "$answer" "$@" 3<<END || give_up $?
silent
show-error
fail-with-body
max-time = 60
retry = 3
retry-connrefused
$credentials
END
}

# 22 is what curl says of an answer that is an error.
give_up() {
    if [ "$1" != 22 ]; then exit 4; fi
    cat "$answer" >&2
    exit 2
}

first() {
    grep -o "\"$1\": *\"[^\"]*\"" "$answer" | head -n 1 | cut -d '"' -f 4
}

if [ $# -lt 1 ] || [ $# -gt 2 ] || [ "${1#-}" != "$1" ]; then
    echo "usage: $0 ACTION [PARAMS], as in: $0 fakejob '{\"delay_seconds\": 2}'" >&2
    exit 2
fi

# With a key of its own the submission may be sent again in doubt: it is one job, however often it arrives.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
ask --header 'Content-Type: application/json' --header "Idempotency-Key: $key" --data-binary @- \
    "$url/inbound" <<END
{"action": "$1", "params": ${2:-"{}"}}
END
job_id=$(first job_id)
echo "job $job_id was accepted" >&2

deadline=$(($(date +%s) + ${AAFAI_CLIENT_LIMIT:-3600}))
status=pending
while [ "$status" = pending ]; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "job $job_id has not ended yet; it goes on: GET $url/outbound?job_id=$job_id" >&2
        exit 3
    fi
    # The bus holds its answer back until the job has ended, for five seconds at most: nothing is asked in vain.
    ask "$url/outbound?job_id=$job_id&wait=5"
    status=$(first status)
done
cat "$answer"
[ "$status" = complete ]
