#!/bin/sh
# The machine's startup-script, which Google runs at each boot as root: it installs the bus at the first one, and at
# all others has nothing to do. Debian's images at Google's have no cloud-init; where there is one, cloud-init.yaml
# does the same, and whoever comes second finds it done.
set -eu

if [ -e /var/lib/aafai-bus/installed ]; then exit 0; fi

attribute() {
    curl --silent --show-error --fail --retry 5 --header 'Metadata-Flavor: Google' \
        "http://169.254.169.254/computeMetadata/v1/instance/attributes/$1"
}

exec 9>/run/aafai-bus-install.lock
flock 9
if [ -e /var/lib/aafai-bus/installed ]; then exit 0; fi
# There is no bus yet, and no watchdog: what cannot be installed within an hour must not keep the machine on.
shutdown --no-wall -h +60 || true
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends ca-certificates curl git
if [ ! -d /opt/aafai-bus ]; then
    rm -rf /opt/aafai-bus.part
    git clone --quiet "$(attribute aafai-repository)" /opt/aafai-bus.part
    mv /opt/aafai-bus.part /opt/aafai-bus
fi
git -C /opt/aafai-bus checkout --quiet "$(attribute aafai-version)"
/opt/aafai-bus/examples/gcp/install.sh
shutdown -c
