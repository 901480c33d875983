#!/usr/bin/env bash
# Measures how long it takes, and how many commands, until an application of one's
# own has received a first verified delivery:
#
#   firstdelivery.sh binary PATH   from an empty folder with only the binary
#   firstdelivery.sh clone REPO    from a fresh clone with empty caches
#
# The application is a few lines of Python. Commands of the provider's side, which
# send the delivery, are not counted.
set -euo pipefail

place=$(mktemp -d)
pids=()
cleanup() {
	kill "${pids[@]}" 2> /dev/null || true
	wait
	chmod -R u+w "$place"
	rm -rf "$place"
}
trap cleanup EXIT

free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
app=$(free)
gateway=$(free)

# It is there before the clock runs: it is the user's own.
python3 - "$app" "$place/received" << 'PYTHON' &
import http.server, sys

class Application(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[2], "a") as out:
            print(self.headers["Webhook-Verdict"], self.headers["Webhook-Event"], body.decode().strip(), file=out)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass

server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Application)
open(sys.argv[2], "w").close()
server.serve_forever()
PYTHON
pids+=($!)

until [ -e "$place/received" ]; do sleep 0.05; done

now() { date +%s.%N; }
commands=0
began=$(now)
case ${1:-} in
	binary)
		hooklatch=$(realpath "$2")
		mkdir "$place/empty" && cd "$place/empty"
		;;
	clone)
		git clone --quiet "$2" "$place/clone" && cd "$place/clone"
		export GOPATH=$place/go GOCACHE=$place/cache GOFLAGS=-modcacherw
		began=$(now)
		make build
		commands=$((commands + 1))
		hooklatch=$PWD/bin/hooklatch
		;;
	*)
		sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
esac

export STRIPE_SECRET=whsec_measured
"$hooklatch" webhook proxy --from "$gateway" --to "$app" --scheme stripe --secret env:STRIPE_SECRET > "$place/said" 2>&1 &
pids+=($!)
commands=$((commands + 1))
until grep -q 'Ctrl-C ends' "$place/said"; do
	kill -0 "${pids[1]}" || { cat "$place/said"; exit 1; }
	sleep 0.05
done
echo '{"id":"evt_1","type":"invoice.paid"}' |
	"$hooklatch" webhook send --scheme stripe --secret env:STRIPE_SECRET --to "http://localhost:$gateway/" - > /dev/null
ended=$(now)
grep -qx 'accepted invoice.paid {"id":"evt_1","type":"invoice.paid"}' "$place/received"
printf '%s: %.1f seconds, %d command(s) to a first verified delivery\n' "$1" "$(python3 -c "print($ended - $began)")" "$commands"
