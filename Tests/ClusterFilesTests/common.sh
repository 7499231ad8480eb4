# For the scripts beside it: a folder of its own, a PostgreSQL set up by cluster/postgres, small data.
# Wants FLYWHEEL (the program) and CLUSTER (the folder `cluster`).
set -euo pipefail
: "${FLYWHEEL:?}" "${CLUSTER:?}"
place=$(mktemp -d /tmp/flywheel-cluster-XXXXXX)
chmod 755 "$place"
children=()

fail() { echo "failed: $*" >&2; exit 1; }
# Status 77 is a test that cannot run here.
skip() { echo "skipped: $*"; exit 77; }

finish() {
    local status=$?
    trap - EXIT
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
        for log in "$place"/*.log; do [ -s "$log" ] && { echo "--- $log"; tail -n 40 "$log"; }; done >&2
    fi
    for child in "${children[@]}"; do kill -TERM "$child" 2>/dev/null || true; done
    for child in "${children[@]}"; do
        for _ in $(seq 50); do kill -0 "$child" 2>/dev/null || break; sleep 0.1; done
        kill -KILL "$child" 2>/dev/null || true
    done
    declare -F finish_more >/dev/null && finish_more
    rm -rf "$place"
    exit "$status"
}
trap finish EXIT

# until_true SECONDS WHAT COMMAND...
until_true() {
    local patience=$1 what=$2
    shift 2
    for _ in $(seq $((patience * 5))); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
    fail "waited ${patience} s for $what"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Certificates of an authority of our own, for localhost.
make_certificates() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Flywheel test authority" \
        -keyout "$place/ca.key" -out "$place/ca.pem"
    openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" \
        -keyout "$place/server.key" -out "$place/server.csr"
    openssl x509 -req -days 2 -in "$place/server.csr" -CA "$place/ca.pem" -CAkey "$place/ca.key" \
        -set_serial 1 -out "$place/server.crt" \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
} &>/dev/null

# A server on $port with the settings, rules and roles of cluster/postgres; sets $superuser and
# urls by `url LOGIN`.
start_postgres() {
    local bin as=() data=$place/postgres
    bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
    [ -x "$bin/postgres" ] || skip "PostgreSQL is not installed"
    port=$(free_port)
    mkdir "$data"
    if [ "$(id -u)" -eq 0 ]; then
        as=(setpriv --reuid=postgres --regid=postgres --init-groups --inh-caps=-all)
    fi
    cp "$place"/server.{crt,key} "$data/"
    # The test's own network and user stand for the operator's.
    sed 's#10.0.0.0/8 #127.0.0.0/8#; s/ peer$/ trust/' "$CLUSTER/postgres/pg_hba.conf" >"$data/rules"
    cp "$CLUSTER/postgres/postgresql.conf" "$data/fragment"
    if [ "$(id -u)" -eq 0 ]; then chown -R postgres:postgres "$data"; fi
    (cd / && "${as[@]}" "$bin/initdb" -U postgres -E UTF8 --locale=C.UTF-8 -D "$data/data") >"$place/initdb.log"
    (cd / && "${as[@]}" bash -c 'umask 077; mv "$1"/server.* "$1/data/"; cp "$1/rules" "$1/data/pg_hba.conf"
        cp "$1/fragment" "$1/data/flywheel.conf"; echo "include = '\''flywheel.conf'\''" >>"$1/data/postgresql.conf"' - "$data")
    # A small machine: less memory than the fragment is for.
    (cd / && exec "${as[@]}" "$bin/postgres" -D "$data/data" -c port="$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories="$data" -c shared_buffers=64MB -c lc_messages=C) &>"$place/postgres.log" &
    children+=($!)
    superuser="host=$data port=$port user=postgres dbname=postgres"
    until_true 30 "PostgreSQL" psql "$superuser" -c "SELECT 1"
    export OWNER_PASSWORD=o-secret COORDINATOR_PASSWORD=c-secret WORKER_PASSWORD=w-secret GATEWAY_PASSWORD=g-secret
    psql "$superuser" -q -v ON_ERROR_STOP=1 -f "$CLUSTER/postgres/roles.sql"
    FLYWHEEL_DATABASE_URL=$(url flywheel_owner) "$FLYWHEEL" migrate >/dev/null
    psql "$(url flywheel_owner)" -q -v ON_ERROR_STOP=1 -f "$CLUSTER/postgres/logins.sql"
    psql "$(url flywheel_owner)" -q -v ON_ERROR_STOP=1 -c "CREATE ROLE anna LOGIN PASSWORD 'a-secret'" \
        -c "GRANT flywheel_reader, flywheel_user TO anna"
}

# The URL of a login, whose password is the first letter of its last word and `-secret`.
url() {
    local word=${1#*_}
    echo "postgresql://$1:${word:0:1}-secret@localhost:$port/flywheel?sslmode=verify-full&sslrootcert=$place/ca.pem"
}

# `flywheel` as the person anna.
anna() {
    env -i PATH="$PATH" LANG=C.UTF-8 FLYWHEEL_HOME="$place/anna" FLYWHEEL_ARTIFACTS="$place/artifacts" \
        FLYWHEEL_DATABASE_URL="$(url anna)" "$FLYWHEEL" "$@"
}

sql() { psql "$superuser dbname=flywheel" -Atc "$1"; }

# Rows to learn, and training.yaml with $1 steps.
make_lesson() {
    mkdir -p "$place/anna"
    python3 - "$place" "$1" <<'PYTHON'
import itertools, json, sys
place, steps = sys.argv[1:]
kinds = {"ball": "round", "wheel": "round", "box": "square", "tile": "square", "road": "long", "rope": "long"}
colours = "red green blue white black brown grey pink gold silver".split()
sizes = "tiny small plain large huge".split()
rows = [{"messages": [{"role": "user", "content": f"a {s} {c} {k}"}, {"role": "assistant", "content": kinds[k]}]}
        for k, c, s in itertools.product(kinds, colours, sizes)]
for name, chosen in (("rows", [r for i, r in enumerate(rows) if i % 10]), ("golden", rows[::10])):
    with open(f"{place}/{name}.jsonl", "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in chosen)
with open(f"{place}/training.yaml", "w") as file:
    file.write(f"""kind: train
name: shapes
model:
  new: {{architecture: llama, hidden: 32, layers: 2, heads: 2, keyValueHeads: 1, intermediate: 64, vocabulary: 320, positionsMax: 128}}
data: shapes@latest
schedule: {{steps: {steps}, learningRate: 3.0e-3, warmup: 0.1}}
batch: {{lanes: 4, laneRows: 16, rowTokens: 128, seed: 7}}
ranks: {{min: 2, max: 2}}
checkpoint: {{everySteps: 10}}
overlong: drop
""")
PYTHON
    anna data import "$place/rows.jsonl" --name shapes
    anna data import "$place/golden.jsonl" --name shapes-golden --golden
} >/dev/null
