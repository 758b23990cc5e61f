#!/bin/sh
# After deb and rpm: the user that the units run as, and nothing started. There is no
# configuration for this company yet.
set -e
if ! getent passwd gleapsync >/dev/null; then
  useradd --system --home-dir /var/lib/gleapsync --shell /usr/sbin/nologin gleapsync
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
