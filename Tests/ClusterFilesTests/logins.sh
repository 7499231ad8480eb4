#!/usr/bin/env bash
# The whole path with nothing but the logins of cluster/postgres, over TLS: each program with its own.
source "$(dirname "$0")/common.sh"
command -v openssl >/dev/null || skip "openssl is not installed"
make_certificates
start_postgres

echo "Nobody gets in without TLS, or when the server is not who it should be."
psql "$(url anna)&sslmode=disable" -c "SELECT 1" &>"$place/answer" && fail "a session without TLS"
grep -q "no encryption" "$place/answer" || fail "$(cat "$place/answer")"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Somebody else" \
    -keyout "$place/other.key" -out "$place/other.pem" &>/dev/null
status=0
FLYWHEEL_HOME=$place/anna FLYWHEEL_DATABASE_URL="$(url anna | sed s/ca.pem/other.pem/)" \
    "$FLYWHEEL" nodes list &>"$place/answer" || status=$?
[ "$status" -eq 69 ] || fail "a server of another authority: status $status, $(cat "$place/answer")"
grep -qi "certificate" "$place/answer" || fail "$(cat "$place/answer")"

echo "Coordinator, worker and gateway, each with its own login."
# service LOGIN NAME VARIABLES... -- ARGUMENTS...
service() {
    local login=$1 name=$2 variables=()
    shift 2
    while [ "$1" != -- ]; do variables+=("$1"); shift; done
    shift
    (exec env -i PATH="$PATH" LANG=C.UTF-8 FLYWHEEL_HOME="$place/$name" FLYWHEEL_LOG=info \
        FLYWHEEL_ARTIFACTS="$place/artifacts" FLYWHEEL_DATABASE_URL="$(url "$login")" "${variables[@]}" \
        "$FLYWHEEL" "$@") &>"$place/$name.log" &
    children+=($!)
}
node_is_up() { anna nodes list --json | grep -q '"up"'; }
key_is_known() {
    curl -sS --max-time 5 --cacert "$place/ca.pem" -H "authorization: Bearer $key" \
        "https://localhost:$door/v1/models" | grep -q '"list"'
}
all_kept() { [ "$(sql "SELECT count(*) FROM flywheel.feedback_received WHERE capture_id IS NOT NULL")" = 6 ]; }
door=$(free_port)
service fw_coordinator coordinator -- coordinator
service fw_gateway gateway -- gateway --listen "127.0.0.1:$door" --require-keys \
    --certificate "$place/server.crt" --key "$place/server.key"
service fw_worker worker FLYWHEEL_GATEWAY="https://localhost:$door" -- worker --node a --slots 2
until_true 20 "the node" node_is_up

echo "A person submits, steers and reads."
make_lesson 60
{
    echo "---"
    echo "{kind: evaluate, name: shapes-exam, model: shapes, golden: shapes-golden@latest, after: [shapes],"
    echo " graders: [{type: exact}], gate: {metric: accuracy, margin: 0.01, promote: true}, maxTokens: 8}"
} >>"$place/training.yaml"
mapfile -t jobs < <(anna submit "$place/training.yaml")
anna jobs pause "${jobs[1]}" >/dev/null
anna jobs resume "${jobs[1]}" >/dev/null
for job in "${jobs[@]}"; do anna jobs wait "$job" || fail "job $job: $(anna jobs show "$job")"; done
anna nodes drain a --reason "a test" && anna nodes resume a
[ "$(anna sql --json "SELECT count(*) AS n FROM invariant_violation")" = '[{"n":0}]' ] || fail "invariants"

echo "An application asks over HTTPS, and says what it thinks of the answer."
cat >"$place/task.yaml" <<'YAML'
task: shape
generalist: {upstream: flywheel, model: shapes@1}
signals: {correction: {target: output}}
golden: shapes-golden
graders: [{type: exact}]
gate: {metric: accuracy, margin: 0.01}
student: {base: shapes}
YAML
anna tasks apply "$place/task.yaml" >/dev/null
key=$(anna keys create --name app | head -1)
ask() {
    curl -sS --max-time 60 --cacert "$place/ca.pem" -H "authorization: Bearer $key" \
        -H "content-type: application/json" "https://localhost:$door/v1/$1" -d "$2"
}
until_true 10 "the gateway to know the key" key_is_known
curl -s --max-time 5 "http://localhost:$door/healthz" && fail "the gateway speaks plain HTTP too"
for thing in "red ball" "blue box" "gold rope" "grey tile" "pink wheel" "silver road"; do
    answer=$(ask chat/completions "{\"model\": \"shape\", \"temperature\": 0, \"max_tokens\": 8,
        \"messages\": [{\"role\": \"user\", \"content\": \"what is a $thing that nobody saw\"}]}")
    grep -q '"chat.completion"' <<<"$answer" || fail "$answer"
    id=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])' <<<"$answer")
    ask feedback "{\"inference\": \"$id\", \"name\": \"correction\", \"correction\": {\"content\": \"round\"},
        \"source\": {\"id\": \"anna\"}}" | grep -q '"feedback"' || fail "feedback on $answer"
done
until_true 20 "captures" all_kept

status=0
FLYWHEEL_HOME=$place/anna FLYWHEEL_DATABASE_URL=$(url fw_gateway) timeout 20 "$FLYWHEEL" gateway --listen 127.0.0.1:0 \
    --certificate "$place/server.crt" --key "$place/other.key" &>"$place/answer" || status=$?
[ "$status" -eq 65 ] && grep -q "not the key of" "$place/answer" || fail "another's key: $status, $(cat "$place/answer")"

echo "A job of kind build reads captures with the worker's login."
printf 'kind: build\nname: curated\ntask: shape\nvalidation: 0\n' >"$place/build.yaml"
job=$(anna submit "$place/build.yaml")
anna jobs wait "$job" || fail "job $job: $(anna jobs show "$job")"

echo "Every session was encrypted, and none was more than its group allows."
[ "$(sql "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename LIKE 'fw_%' AND NOT ssl")" = 0 ]
# As many sessions at most as postgresql.conf counts.
sessions=$(sql "SELECT usename, count(*) FROM pg_stat_activity WHERE usename LIKE 'fw_%' GROUP BY 1")
while IFS='|' read -r login count; do
    case $login in fw_gateway) most=8 ;; *) most=9 ;; esac
    [ "$count" -le "$most" ] || fail "$login has $count sessions"
done <<<"$sessions"
grep "ERROR:.*denied" "$place/postgres.log" && fail "a program asked for what its login may not do"
# refused LOGIN STATEMENT
refused() {
    psql "$(url "$1")" -c "$2" &>"$place/answer" && fail "$1 may: $2"
    grep -q "permission denied" "$place/answer" || fail "$1, $2: $(cat "$place/answer")"
}
refused fw_worker "SELECT * FROM flywheel.api_key"
refused fw_worker "SELECT flywheel.submit('{}')"
refused fw_worker "UPDATE flywheel.job SET state = 'succeeded'"
refused fw_coordinator "SELECT request FROM flywheel.capture_contents"
refused fw_gateway "SELECT request FROM flywheel.capture_payload"
refused fw_gateway "SELECT flywheel.register('{}')"
refused anna "SELECT request FROM flywheel.capture_contents"
refused anna "SELECT flywheel.register('{}')"
status=0
anna data build shape --name peek &>"$place/answer" || status=$?
[ "$status" -eq 65 ] && grep -q flywheel_content_reader "$place/answer" || fail "$status: $(cat "$place/answer")"

echo "A dump is a whole cluster's memory."
pg_dump -Fc -f "$place/dump" "$(url flywheel_owner)"
psql "$superuser" -q -c "CREATE DATABASE copy OWNER flywheel_owner"
pg_restore --exit-on-error -d "$superuser dbname=copy" "$place/dump"
FLYWHEEL_HOME=$place/anna FLYWHEEL_DATABASE_URL="$superuser dbname=copy" "$FLYWHEEL" migrate --check >/dev/null
[ "$(psql "$superuser dbname=copy" -Atc "SELECT string_agg(state, ' ' ORDER BY id) FROM flywheel.jobs")" = \
    "succeeded succeeded succeeded" ] || fail "the copy"
