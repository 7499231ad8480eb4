#!/usr/bin/env bash
# cluster/systemd under a real systemd, process 1 of a namespace of its own: all sandboxing on, a gang of
# ranks in it, a stop in the middle of a training, a death.
source "$(dirname "$0")/common.sh"
# A second process 1 is nothing to start unasked, however well it is locked in.
[ -n "${FLYWHEEL_BOOT_TESTS:-}" ] || skip "systemd is not booted: set FLYWHEEL_BOOT_TESTS=1 on a machine of no importance"
[ "$(id -u)" -eq 0 ] || skip "systemd is not tried: it needs root"
[ -x /lib/systemd/systemd ] && command -v systemd-analyze >/dev/null || skip "systemd is not installed"
unshare --fork --pid --mount --uts --ipc --cgroup --mount-proc bash -ec 'mount --make-rprivate /
    mount -t tmpfs tmpfs "$1" && mkdir "$1"/{root,upper,work,groups}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
    mount -t cgroup2 cgroup2 "$1/groups" && mount -t cgroup -o none,name=systemd,xattr cgroup "$1/groups"' - "$place" \
    2>/dev/null || skip "systemd is not tried: no namespaces, overlays or control groups here"
make_certificates
start_postgres

echo "It boots, with the files where the README puts them."
world=$place/world
mkdir -p "$world" "$place/srv/artifacts"
door=$(free_port)
cat >"$place/boot" <<'BOOT'
# The root that systemd sees is a copy in memory; the machine's own is out of its reach before it starts:
# what it clears, links or sets at boot must never be the machine's.
set -e
place=$1 cluster=$2 flywheel=$3
mount --make-rprivate /
mount -t tmpfs tmpfs "$place/world"
root=$place/world/root
mkdir "$root" "$place/world/upper" "$place/world/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/world/upper,workdir=$place/world/work" "$root"
mount -t proc proc "$root/proc"
mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --rbind /sys "$root/sys"
umount -R "$root/sys/fs/cgroup" 2>/dev/null || true
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/unified" "$root/sys/fs/cgroup/systemd"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
mount -t cgroup -o none,name=systemd,xattr cgroup "$root/sys/fs/cgroup/systemd"
mount -o remount,bind,ro "$root/sys"
for memory in tmp run dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$memory"; done
chmod 1777 "$root/tmp"
mkdir "$root"/dev/{shm,pts} "$root/run/old"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
    mount -o remount,bind,ro "$root/dev/$node"
done
mkdir -p "$root/srv/flywheel" "$root/etc/flywheel" "$root/etc/sysusers.d"
mount --bind "$place/srv" "$root/srv/flywheel"
cp "$flywheel" "$flywheel-rank" "$root/usr/local/bin/"
cp "$cluster"/systemd/*.service "$root/etc/systemd/system/"
cp "$cluster/systemd/flywheel.sysusers.conf" "$root/etc/sysusers.d/flywheel.conf"
(umask 077; cp "$place"/*.env "$root/etc/flywheel/")
cp "$place/ca.pem" "$root/etc/flywheel/"
cd "$root"
pivot_root . run/old
umount -l /run/old
[ "$(findmnt -n -o FSTYPE /)" = overlay ] && [ -z "$(ls -A /tmp)" ] && [ ! -e "$place" ] || exit 70
systemd-sysusers
chown -R flywheel:flywheel /srv/flywheel
export container=test
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio,-syslog \
    /lib/systemd/systemd --system --unit=basic.target --log-target=console
BOOT
for service in coordinator worker gateway; do
    echo "FLYWHEEL_DATABASE_URL='$(url "fw_$service" | sed "s#$place/ca.pem#/etc/flywheel/ca.pem#")'"
done | tee >(sed -n 1p >"$place/coordinator.env") >(sed -n 2p >"$place/worker.env") >(sed -n 3p >"$place/gateway.env") >/dev/null
until_true 5 "the settings" test -s "$place/gateway.env" -a -s "$place/worker.env" -a -s "$place/coordinator.env"
cat >>"$place/worker.env" <<SETTINGS
FLYWHEEL_ARTIFACTS=/srv/flywheel/artifacts
FLYWHEEL_LOG=info
FLYWHEEL_WORKER_OPTIONS=--node a --slots 2
SETTINGS
echo "FLYWHEEL_GATEWAY=127.0.0.1:$door" >>"$place/gateway.env"
ln -s srv/artifacts "$place/artifacts"
make_lesson 100
# Its control groups lie below one of its own, and go with it.
groups=()
for tree in /sys/fs/cgroup{,/unified,/systemd}; do
    [ -f "$tree/cgroup.procs" ] && mkdir "$tree/${place##*/}" && groups+=("$tree/${place##*/}")
done
(
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
    exec unshare --fork --kill-child --pid --mount --uts --ipc --cgroup --mount-proc \
        bash "$place/boot" "$place" "$CLUSTER" "$FLYWHEEL" &>"$place/boot.log" </dev/null
) &
outer=$!
disown "$outer"
children+=("$outer")
finish_more() {
    [ -z "${init:-}" ] || kill -KILL "$init" 2>/dev/null || true
    sleep 0.5
    find "${groups[@]}" -depth -type d -exec rmdir {} \; 2>/dev/null || true
}
init_of() { init=$(pgrep -P "$outer" -x systemd); }
until_true 20 "systemd" init_of
inside() { timeout 120 nsenter -t "$init" -m -p -u -i -C "$@" </dev/null; }
until_true 20 "systemd to listen" inside systemctl list-units
complaints=$(inside systemd-analyze verify flywheel-{coordinator,worker,gateway}.service 2>&1 | grep -i flywheel || true)
[ -z "$complaints" ] || fail "$complaints"

echo "The three services start, and a gang of ranks trains inside the sandbox."
show() { inside journalctl --no-pager -n 60 -u 'flywheel-*'; inside systemctl status --no-pager 'flywheel-*'; }
inside systemctl start flywheel-{coordinator,gateway,worker} || fail "$(show)"
node_is_up() { anna nodes list --json | grep -q '"up"'; }
(until_true 20 "the node" node_is_up) || fail "$(show)"
(until_true 20 "the gateway" curl -s --fail --max-time 5 "http://127.0.0.1:$door/readyz") || fail "$(show)"
job=$(anna submit "$place/training.yaml")
anna jobs wait "$job" || fail "job $job: $(anna jobs show "$job"; show)"

echo "Stopped in the middle of a training, the worker puts it down at its last step."
sed -i 's/steps: 100/steps: 30000/; s/name: shapes/name: long/; s/everySteps: 10$/everySteps: 100000/; s/everySteps: 10}/everySteps: 100000}/' "$place/training.yaml"
job=$(anna submit "$place/training.yaml")
steps() { [ "$(sql "SELECT coalesce(max(step), 0) FROM flywheel.training_steps WHERE job_id = $job")" -gt "${1:-20}" ]; }
until_true 30 "steps" steps
inside systemctl stop flywheel-worker
[ "$(inside systemctl show -P Result flywheel-worker)" = success ] || fail "the stop: $(show)"
[ "$(sql "SELECT state FROM flywheel.jobs WHERE id = $job")" = queued ] || fail "$(anna jobs show "$job")"
last=$(sql "SELECT max(step) FROM flywheel.training_steps WHERE job_id = $job")
[ "$last" = "$(sql "SELECT max(step) FROM flywheel.checkpoints WHERE job_id = $job")" ] || fail "steps after the checkpoint were lost"

echo "Killed, it is started again, and nothing of it is left over."
inside systemctl start flywheel-worker
until_true 40 "steps of the second attempt" steps "$last"
main=$(inside systemctl show -P MainPID flywheel-worker)
inside kill -KILL "$main"
is_another() { local now; now=$(inside systemctl show -P MainPID flywheel-worker); [ "$now" -gt 0 ] && [ "$now" != "$main" ]; }
until_true 15 "another worker" is_another
anna jobs cancel "$job" >/dev/null
is_cancelled() { [ "$(sql "SELECT state FROM flywheel.jobs WHERE id = $job")" = cancelled ]; }
until_true 60 "the end of job $job" is_cancelled
[ "$(sql "SELECT count(*) FROM flywheel.invariant_violation")" = 0 ] || fail "invariants"
inside systemctl stop 'flywheel-*'
for service in coordinator worker gateway; do
    [ "$(inside systemctl show -P Result "flywheel-$service")" = success ] || fail "$service: $(show)"
    inside systemd-analyze security --no-pager --threshold=30 "flywheel-$service" >"$place/security.log" || fail "$service is exposed"
done
