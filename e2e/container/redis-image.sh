#!/bin/sh
# Makes an image of this machine's Redis, which has what examples/sidecar relies
# on in Docker's own: the programs, and a /data that belongs to user 999.
#
#     redis-image.sh NAME
set -eu
cd "$(dirname "$0")"
programs="$(command -v redis-server) $(command -v redis-cli)"
data=$(mktemp -d)
trap 'rmdir "$data"' EXIT

# shellcheck disable=SC2046,SC2086 # lists of paths without blanks
tar --create --dereference --absolute-names --owner=999 --group=999 --transform="s,^$data,/data," \
	$programs $(./libraries.sh $programs) --no-recursion "$data" |
	docker import --change "ENV PATH=/usr/bin:/bin" --change "VOLUME /data" - "$1"
