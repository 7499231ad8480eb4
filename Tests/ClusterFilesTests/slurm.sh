#!/usr/bin/env bash
# cluster/slurm.sbatch in a real Slurm of one node: a worker comes up, trains, and drains before the end.
source "$(dirname "$0")/common.sh"
[ "$(id -u)" -eq 0 ] || skip "Slurm is not tried: it needs root"
for program in slurmctld slurmd munged sbatch; do
    command -v "$program" >/dev/null || skip "Slurm is not tried: apt-get install slurmctld slurmd slurm-client munge"
done
make_certificates
start_postgres

slurm=$place/slurm
mkdir -p "$slurm"/{state,spool} "$place/munge"
# A Munge of our own: its key, socket and log lie here.
dd if=/dev/urandom of="$place/munge/key" bs=128 count=1 status=none
chmod 700 "$place/munge"; chmod 600 "$place/munge/key"; chown -R munge:munge "$place/munge"
mkdir "$place/run"; chown munge:munge "$place/run"; chmod 755 "$place/run"
(cd / && exec setpriv --reuid=munge --regid=munge --init-groups munged --foreground \
    --key-file="$place/munge/key" --socket="$place/run/munge" --pid-file="$place/munge/pid" \
    --seed-file="$place/munge/seed" --log-file="$place/munge/log") &>"$place/munged.log" &
children+=($!)
cores=$(nproc)
cat >"$slurm/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$place/run/munge
CredType=cred/munge
CryptoType=crypto/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool
SlurmctldPidFile=$slurm/ctld.pid
SlurmdPidFile=$slurm/d.pid
SlurmctldLogFile=$place/slurmctld.log
SlurmdLogFile=$place/slurmd.log
MpiDefault=none
ReturnToService=2
KillWait=10
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=$cores State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
sed -i '/^CryptoType/d' "$slurm/slurm.conf"
export SLURM_CONF=$slurm/slurm.conf
until_true 10 "Munge" test -S "$place/run/munge"
slurmctld -D &>"$place/slurmctld.out.log" &
children+=($!)
slurmd -D &>"$place/slurmd.out.log" &
children+=($!)
finish_more() { scancel --full --signal=KILL "${allocation:-0}" &>/dev/null || true; }
node_is_idle() { sinfo -h -o %T | grep -qx idle; }
until_true 20 "the node of Slurm" node_is_idle

make_lesson 300
cat >"$place/worker.env" <<SETTINGS
FLYWHEEL_DATABASE_URL='$(url fw_worker)'
FLYWHEEL_HOME=$place/home
FLYWHEEL_ARTIFACTS=$place/artifacts
FLYWHEEL_LOG=info
FLYWHEEL=$FLYWHEEL
SETTINGS
(exec env -i PATH="$PATH" FLYWHEEL_HOME="$place/anna" FLYWHEEL_DATABASE_URL="$(url fw_coordinator)" \
    "$FLYWHEEL" coordinator) &>"$place/coordinator.log" &
children+=($!)

echo "A worker comes up in the allocation, and takes a job to its end."
allocation=$(FLYWHEEL_ENV=$place/worker.env sbatch --parsable --time=2 --signal=B:TERM@45 \
    --output="$place/allocation.log" --chdir="$place" "$CLUSTER/slurm.sbatch")
node_is_up() { [ "$(sql "SELECT count(*) FROM flywheel.nodes WHERE state = 'up'")" = 1 ]; }
state_of() { scontrol show job "$allocation" -o | grep -o 'JobState=[A-Z]*'; }
short=$(sed 's/steps: 300/steps: 30/; s/name: shapes/name: short/' "$place/training.yaml" >"$place/short.yaml"
    anna submit "$place/short.yaml")
until_true 20 "the node" node_is_up
short_is_done() { [ "$(sql "SELECT state FROM flywheel.jobs WHERE id = $short")" = succeeded ]; }
until_true 60 "the end of job $short" short_is_done

echo "Before the allocation ends, a job that would not is put down at a checkpoint."
long=$(sed 's/steps: 300/steps: 30000/; s/name: shapes/name: long/' "$place/training.yaml" >"$place/long.yaml"
    anna submit "$place/long.yaml")
is_over() { state_of | grep -q 'COMPLETED\|TIMEOUT\|FAILED\|CANCELLED'; }
until_true 200 "the end of the allocation" is_over
[ "$(state_of)" = JobState=COMPLETED ] || fail "$(state_of): $(cat "$place/allocation.log")"
read -r state attempts step <<<"$(sql "SELECT state, attempt, (SELECT max(step) FROM flywheel.checkpoints c WHERE c.job_id = j.id)
    FROM flywheel.jobs j WHERE id = $long" | tr '|' ' ')"
[ "$state" = queued ] && [ "$step" -gt 0 ] || fail "job $long is $state at step $step of attempt $attempts"
last=$(sql "SELECT max(step) FROM flywheel.training_steps WHERE job_id = $long")
[ "$last" = "$step" ] || fail "steps after the last checkpoint were lost: $last, $step"
[ "$(sql "SELECT state FROM flywheel.attempts WHERE job_id = $long")" != lost ] || fail "the attempt was lost"
[ "$(sql "SELECT count(*) FROM flywheel.nodes WHERE state = 'up'")" = 0 ] || fail "the worker did not say goodbye"
