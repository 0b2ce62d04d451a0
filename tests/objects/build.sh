#!/bin/sh
# Compiles the programs here: ./build.sh [FOLDER]. The objects in the repository are those of clang 14, stripped of
# what debuggers need beside the types and lines of BTF.
set -eu
cd "$(dirname "$0")"
out=${1:-.}

# compile SOURCE OBJECT [FLAG...]
compile() {
	source=$1 object=$out/$2
	shift 2
	clang -target bpf -O2 -g -Wall -Werror -fdebug-compilation-dir=. "$@" -c "$source.c" -o "$object"
	llvm-strip -g "$object"
}

examples="steps basics blocklist portcount synlimit unvlan pong forward dispatch tunnel classes portmap requests pull sampler ip6ext"
for source in counters legacy functions loops rewrite strings callback inner relocated $examples; do
	compile $source $source.o
done
# These have operations that came with the third version of the instruction set.
for source in atomics several; do
	compile $source $source.o -mcpu=v3
done
for version in v1 v2 v3; do
	compile arith arith-$version.o -mcpu=$version
	compile globals globals-$version.o -mcpu=$version
done
# With all that debuggers need.
clang -target bpf -O2 -g -Wall -Werror -fdebug-compilation-dir=. -c parse.c -o "$out/parse.o"
