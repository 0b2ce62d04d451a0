/* Arithmetic and comparisons, compiled for several processors: v1 has no jumps on less, v3 has 32-bit jumps. */
#include "bpf.h"

s64 wide[4];
s32 narrow[4];

SEC("socket")
int arith(struct sk_buff *skb)
{
	u32 n = skb->len;
	s32 s = (s32)n - 20;
	u64 w = 0x123456789abcdefull * n;

	if (s < 0)
		wide[0] += s;
	if (n <= 30 && s >= -6)
		narrow[0]++;
	if ((s64)w < -5)
		narrow[1] -= 3;
	wide[1] ^= w >> (n & 63);
	wide[2] = (s64)w >> (n & 31);
	narrow[2] = s >> 2 | n << 28;
	wide[3] = (s8)n + (s16)(n * 1000) + (s64)(s32)w;
	narrow[3] = w / (n | 1) + n % 7;
	if ((u32)w > n && n != 17)
		return __builtin_bswap32(n) ^ (u32)__builtin_bswap64(w);
	return BE16(n) - s;
}
