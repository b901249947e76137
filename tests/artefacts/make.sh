#!/bin/sh
# Makes the committed artefacts of this directory, with Debian 12's compilers and binutils:
# apt install gcc gcc-{aarch64,powerpc,riscv64,s390x}-linux-gnu binutils gzip
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
for side in a b; do
  mkdir "$work/$side"
  cat > "$work/$side/small.c" <<END
extern int puts(const char *);
const char build_date[] = "2026-01-0$([ $side = a ] && echo 1 || echo 2)";
int helper(int x) { return x * 3; }
int main(void) { return puts(build_date) + helper(4) + puts(__FILE__); }
END
done
for machine in x86_64 aarch64 powerpc riscv64 s390x; do
  $machine-linux-gnu-gcc -Os -c -o "small-$machine.o" "$work/a/small.c" -ffile-prefix-map="$work"=/build
done
gcc -Os -c -o small-x86_64-b.o "$work/b/small.c" -ffile-prefix-map="$work"=/build
gcc -Os -g1 -gz=zlib -c -o small-debug.o "$work/a/small.c" -ffile-prefix-map="$work"=/build
gcc -nostdlib -static -Os -Wl,-z,noseparate-code -Wl,--build-id -x c -o small-static - <<END
const char build_date[] = "2026-01-01";
void _start(void) { __asm__ volatile ("" :: "r"(build_date)); for (;;) ; }
END
cp small-x86_64.o "$work/small.o"
cp small-debug.o "$work/a_member_with_a_long_name.o"
touch -d 2026-01-02T03:04:05Z "$work"/*.o
rm -f ./*.a
(cd "$work" && ar rcU small-u.a small.o a_member_with_a_long_name.o)
(cd "$work" && ar rcD small-d.a small.o a_member_with_a_long_name.o)
(cd "$work" && ar rcD small-order.a a_member_with_a_long_name.o small.o)
(cd "$work" && ar rcDT small-thin.a small.o a_member_with_a_long_name.o)
mv "$work"/*.a .
seq 1 300 > "$work/numbers"
touch -d 2026-01-02T03:04:05Z "$work/numbers"
gzip -c "$work/numbers" > numbers.gz
gzip -nc "$work/numbers" > numbers-n.gz
gzip -nc1 "$work/numbers" > numbers-n1.gz
