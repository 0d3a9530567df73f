#!/bin/sh
# Install the bus from this checkout on a Debian machine of Google's: user, packages, token, settings, units. Run as
# root by start.sh or cloud-init; to be run again after a new version was checked out.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
metadata=http://169.254.169.254/computeMetadata/v1

ask() {
    curl --silent --show-error --fail --retry 5 --header 'Metadata-Flavor: Google' "$metadata/$1"
}

# Prints the newest version of a secret, which this machine's account may read.
secret() {
    access=$(ask instance/service-accounts/default/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
    curl --silent --show-error --fail --retry 5 --config /dev/fd/3 \
        "https://secretmanager.googleapis.com/v1/projects/$(ask project/project-id)/secrets/$1/versions/latest:access" 3<<END |
header = "Authorization: Bearer $access"
END
        python3 -c 'import base64, json, sys; sys.stdout.write(base64.b64decode(json.load(sys.stdin)["payload"]["data"]).decode())'
}

export DEBIAN_FRONTEND=noninteractive
apt-get -qq install -y --no-install-recommends make python3-venv chromium chromium-driver polkitd
id aafai-bus >/dev/null 2>&1 || adduser --quiet --system --group --home /var/lib/aafai-bus aafai-bus

cd "$here"
make .venv/bus-ready
# A service may not write here: its every start would compile all modules anew.
.venv/bin/python -m compileall -q actions api client cloud config core queues services ./*.py

# Secrets and settings, readable by root only: systemd reads them, the bus does not need to. What is yours stands in
# mine.env beside it, which is read after this and never written.
token=$(secret "$(ask instance/attributes/aafai-token-secret)")
install -d -m 0700 /etc/aafai-bus
umask 0077
cat >/etc/aafai-bus/env.part <<END
AAFAI_TOKEN=$token
AAFAI_HOST=0.0.0.0
AAFAI_POWER_SWITCH="systemd;gcp"
AAFAI_WAKE_ALARM=$(ask instance/attributes/aafai-alarm)
AAFAI_MIRROR=$(ask instance/attributes/aafai-mirror)
END
mv /etc/aafai-bus/env.part /etc/aafai-bus/env
umask 0022

install -m 0644 aafai-bus-poweroff.rules /etc/polkit-1/rules.d/50-aafai-bus-poweroff.rules
install -m 0644 aafai-bus.service aafai-bus-watchdog.service aafai-bus-watchdog.timer /etc/systemd/system/
systemctl daemon-reload
systemctl enable --quiet aafai-bus.service aafai-bus-watchdog.timer
systemctl restart aafai-bus.service aafai-bus-watchdog.timer
touch /var/lib/aafai-bus/installed
