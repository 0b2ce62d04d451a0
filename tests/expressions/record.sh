#!/bin/bash
# Makes programs.tsv, made.pcap and verdicts.tsv anew.
#
#   ./record.sh
#
# Needs tcpdump, python3 and Rust. On Debian: apt-get install tcpdump python3
set -euo pipefail
cd "$(dirname "$0")"

# -ddd EXPRESSION [-O]: the program on one line, as bpf_asm writes it.
program() {
    # The link type is given, so no device is asked; the length is tcpdump's own default.
    tcpdump -y EN10MB -s 262144  "${@:2}" -ddd -- "$1" | paste -sd, -
}

{
    printf 'expression\toptimised\tplain\n'
    grep -v -e '^#' -e '^$' expressions.txt | while read -r expression; do
        printf '%s\t%s\t%s\n' "$expression" "$(program "$expression")" "$(program "$expression" -O)"
    done
} >programs.tsv
echo "programs.tsv: $(($(wc -l <programs.tsv) - 1)) expressions by $(tcpdump --version 2>&1 | sed -n 2p)"

python3 made.py made.pcap

# libpcap's own interpreter is asked by the test, which writes down what it says.
cd ../..
BPF64_BLESS=1 cargo test -q -p bpf64-tests --test expressions engines
