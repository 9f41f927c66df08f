#!/usr/bin/env bash
# Our evaluation and PyTorch's in turn on the same machine, and the ratio of their medians.
#
#     benches/compare_torch.sh [-d DEVICE] [-t TORCH_DEVICE] [-f] [-n ROUNDS] [-b BINARY] SIZE...
#
# DEVICE names ours (default flex), TORCH_DEVICE PyTorch's (default cpu); with -f PyTorch does without
# TF32 on CUDA. BINARY is a built time_evaluation, for machines without Rust; otherwise cargo builds
# it. Needs python3 with torch.
set -euo pipefail
cd "$(dirname "$0")/.."

device=flex torch=cpu precision=() rounds=5 binary=
while getopts "d:t:fn:b:" option; do
  case $option in
    d) device=$OPTARG ;; t) torch=$OPTARG ;; f) precision=(--f32) ;; n) rounds=$OPTARG ;; b) binary=$OPTARG ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
sizes=("${@:-256}")

if [ -z "$binary" ]; then
  cargo build --release --example time_evaluation
  binary=${CARGO_TARGET_DIR:-target}/release/examples/time_evaluation
fi
threads=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for ((round = 1; round <= rounds; round++)); do
  "$binary" --size "${sizes[@]}" --device "$device" --runs 3 | sed 's/^/ours /' >>"$log"
  python3 benches/torch_iteration.py --size "${sizes[@]}" --device "$torch" --threads "$threads" --runs 3 "${precision[@]}" |
    sed 's/^/torch /' >>"$log"
done
python3 - "$log" <<'PYTHON'
import collections, re, statistics, sys

times = collections.defaultdict(list)
for line in open(sys.argv[1]):
    found = re.match(r"(\w+) size (\d+) .*evaluation median ([\d.]+) s.*forward median ([\d.]+) s", line)
    times[found[1], int(found[2])].append((float(found[3]), float(found[4])))
print("| size | ours | forward | PyTorch | forward | ratio |\n|---|---|---|---|---|---|")
for size in sorted({size for _, size in times}):
    ours, torch = (
        [statistics.median(run[part] for run in times[who, size]) for part in (0, 1)] for who in ("ours", "torch")
    )
    print(f"| {size} | {ours[0]:.3f} s | {ours[1]:.3f} s | {torch[0]:.3f} s | {torch[1]:.3f} s | {ours[0] / torch[0]:.2f} |")
PYTHON
