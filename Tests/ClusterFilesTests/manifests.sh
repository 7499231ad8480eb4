#!/usr/bin/env bash
# The Kubernetes manifest and the compose file against their schemas, the image's packages against what
# the programs link, and the units against `systemd-analyze verify`.
source "$(dirname "$0")/common.sh"

tools=$CLUSTER/../.build/cluster-files
if ! "$tools/bin/python" -c 'import kubernetes_validate, check_jsonschema' 2>/dev/null; then
    rm -rf "$tools"
    { /usr/bin/python3 -m venv "$tools" && "$tools/bin/pip" install --quiet --disable-pip-version-check \
        kubernetes-validate==1.37.0 check-jsonschema==0.39.0; } &>"$place/pip.log" ||
        echo "skipped: schemas cannot be installed: $(tail -n 1 "$place/pip.log")"
fi
if [ -x "$tools/bin/check-jsonschema" ]; then
    echo "The manifest and the compose file are what their schemas say."
    "$tools/bin/kubernetes-validate" --strict "$CLUSTER/kubernetes.yaml" >"$place/answer" 2>&1 || fail "$(cat "$place/answer")"
    "$tools/bin/check-jsonschema" --builtin-schema vendor.compose-spec "$CLUSTER/compose.yaml" >"$place/answer" 2>&1 ||
        fail "$(cat "$place/answer")"
    # A schema knows nothing of our commands: every one that is named there must accept its options.
    "$tools/bin/python" - "$CLUSTER" >"$place/commands" <<'PYTHON'
import re, sys, yaml
cluster = sys.argv[1]
values = {"$(SLOTS)": "2", "$(POD_IP)": "127.0.0.1"}
for document in yaml.safe_load_all(open(f"{cluster}/kubernetes.yaml")):
    spec = document.get("spec", {}).get("template", {}).get("spec", {})
    for container in spec.get("containers", []):
        print(*(values.get(word, word) for word in container["args"]))
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in spec["volumes"]}, document["metadata"]
for service in yaml.safe_load(open(f"{cluster}/compose.yaml"))["services"].values():
    if service["image"].startswith("flywheel") and "command" in service:
        print(*service["command"])
PYTHON
    [ "$(wc -l <"$place/commands")" -ge 6 ] || fail "commands: $(cat "$place/commands")"
    while read -r command; do
        # Its help is only printed once the options before it were understood.
        read -ra words <<<"$command"
        "$FLYWHEEL" "${words[@]}" --help >"$place/answer" 2>&1 || fail "flywheel $command: $(cat "$place/answer")"
        for word in "${words[@]}"; do
            [[ $word != --* ]] || grep -q -- "$word" "$place/answer" || fail "flywheel $command: no $word"
        done
    done <"$place/commands"
fi

echo "The image has the packages of every library that the programs link, but Swift's own, linked into them."
wanted=$(sed -n '/bookworm-slim/,$p' "$CLUSTER/Containerfile" | grep -o '^ \{8\}[a-z0-9 +.-]*' | tr -s ' ' '\n' | grep .)
closure=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances $wanted 2>/dev/null | grep '^[a-z]' | sort -u || true)
if [ -z "$closure" ]; then echo "skipped: apt-cache knows no packages"; else
    for library in $(ldd "$FLYWHEEL" "$FLYWHEEL-rank" | awk '$3 ~ /^\// {print $3}' | grep -v -i 'swift\|Foundation\|dispatch\|BlocksRuntime' | sort -u); do
        package=$(dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "/usr$library" 2>/dev/null) || continue
        package=${package%%:*}
        grep -qx "$package" <<<"$closure" || fail "$library of $package is not in the image"
    done
fi

if ! command -v systemd-analyze >/dev/null; then echo "skipped: systemd-analyze is not installed"; exit 0; fi
echo "systemd understands every line of the units, and finds little exposed."
for unit in "$CLUSTER"/systemd/*.service; do
    # The program need not be installed where this runs.
    sed "s#/usr/local/bin/flywheel#/bin/true#" "$unit" >"$place/${unit##*/}"
done
systemd-analyze verify "$place"/flywheel-*.service >"$place/answer" 2>&1 || fail "$(cat "$place/answer")"
grep -i "$place" "$place/answer" && fail "$(cat "$place/answer")"
for unit in "$place"/flywheel-*.service; do
    systemd-analyze security --offline=true --threshold=30 --no-pager "$unit" >"$place/answer" 2>&1 || fail "${unit##*/}: $(tail -n 3 "$place/answer")"
done
