#!/usr/bin/env bash
# Our evaluation and PyTorch's in turn on the same machine, and the ratio of their medians.
#
#     benches/compare_torch.sh [-d DEVICE] [-t TORCH_DEVICE] [-f] [-n ROUNDS] [-b BINARY] SIZE...
#
# DEVICE names ours (default flex), TORCH_DEVICE PyTorch's (default cpu); with -f PyTorch does without
# the TF32 that its convolutions use on CUDA. BINARY is a built ranvgg; without it cargo
# builds one. Needs python3 with torch, and torch_iteration.py beside this file.
set -euo pipefail
script=$(realpath "$0")
folder=$(dirname "$script")

usage() {
  sed -n '2,8s/^# \{0,1\}//p' "$script" >&2
  exit 2
}
whole() { [[ $1 =~ ^[1-9][0-9]*$ ]]; }

device=flex torch=cpu precision=() rounds=5 binary=
while getopts "d:t:fn:b:" option; do
  case $option in
    d) device=$OPTARG ;; t) torch=$OPTARG ;; f) precision=(--f32) ;; n) rounds=$OPTARG ;; b) binary=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
sizes=("${@:-256}")
for number in "$rounds" "${sizes[@]}"; do
  whole "$number" || { echo "\`$number\` is no number of rounds or pixels" >&2; usage; }
done

# Before anything takes its time.
if ! python3 -c 'import sys, torch; torch.zeros(1, device=sys.argv[1])' "$torch"; then
  echo "PyTorch does not compute on \`$torch\` here" >&2
  exit 1
fi
if [ -z "$binary" ]; then
  features=cli
  case ${device%%:*} in flex | wgpu) ;; *) features=cli,${device%%:*} ;; esac
  cargo build --release --manifest-path "$folder/../Cargo.toml" --features "$features" --bin ranvgg
  binary=${CARGO_TARGET_DIR:-$folder/../target}/release/ranvgg
fi
binary=$(realpath "$binary")
[ -x "$binary" ] || { echo "$binary is no program" >&2; exit 1; }

log=$(mktemp)
trap 'status=$?; if [ $status = 0 ]; then rm -f "$log"; else echo "what was measured is in $log" >&2; fi' EXIT
for ((round = 1; round <= rounds; round++)); do
  "$binary" time --size "${sizes[@]}" --device "$device" --runs 3 | sed 's/^/ours /' >>"$log"
  python3 "$folder/torch_iteration.py" --size "${sizes[@]}" --device "$torch" --threads "$(nproc)" --runs 3 \
    "${precision[@]}" | sed 's/^/torch /' >>"$log"
done
python3 - "$log" <<'PYTHON'
import collections, re, statistics, sys

times, ran = collections.defaultdict(list), {}
for line in open(sys.argv[1]):
    who, _, rest = line.strip().partition(" ")
    if found := re.match(r"size (\d+) .*evaluation median ([\d.]+) s.*forward median ([\d.]+) s", rest):
        times[who, int(found[1])].append((float(found[2]), float(found[3])))
    elif found := re.match(r"on (.*)", rest):
        ran[who] = found[1]
print(f"ours on {ran['ours']}; PyTorch {ran['torch']}\n")
print("| size | ours | forward | PyTorch | forward | ratio |\n|---|---|---|---|---|---|")
for size in sorted({size for _, size in times}):
    ours, torch = (
        [1e3 * statistics.median(run[part] for run in times[who, size]) for part in (0, 1)] for who in ("ours", "torch")
    )
    cells = [f"{milliseconds:.4g} ms" for milliseconds in ours + torch]
    print(f"| {size} | {' | '.join(cells)} | {ours[0] / torch[0]:.2f} |")
PYTHON
