#!/bin/sh
# Makes the image that a build starts from out of what this machine has: its Go
# toolchain, the modules it has downloaded, and the few programs that a build
# runs. Nothing has to be fetched, and the build needs no network.
#
#     toolchain-image.sh NAME
set -eu
cd "$(dirname "$0")/../.."
go mod download
root=$(go env GOROOT)
modules=$(go env GOMODCACHE)/cache/download

programs='/bin/sh'
for name in cp git mkdir; do
	programs="$programs $(command -v "$name")"
done

# Links are followed: where they lead to is not in the image.
# shellcheck disable=SC2046,SC2086 # lists of paths without blanks
tar --create --dereference --absolute-names --exclude="$root/test" \
	$programs $(e2e/container/libraries.sh $programs) /etc/ssl/certs/ca-certificates.crt "$root" "$modules" \
	--no-recursion /tmp |
	docker import \
		--change "ENV PATH=$root/bin:/usr/bin:/bin" \
		--change "ENV GOTOOLCHAIN=local GOSUMDB=off GOPROXY=file://$modules" \
		- "$1"
