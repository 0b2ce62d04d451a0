/* Functions that call each other: static ones, global ones, a weak one, some that nobody needs. */
#include "bpf.h"

static NOINLINE u64 square(u64 number)
{
	return number * number;
}

NOINLINE u64 unused(u64 number)
{
	return square(number) + 1;
}

NOINLINE u32 sum_of_squares(u32 a, u32 b)
{
	return square(a) + square(b);
}

__attribute__((weak)) NOINLINE int shift(u32 number, u32 by)
{
	return number << (by & 31);
}

static NOINLINE u64 deep3(u64 x) { return square(x) ^ 3; }
static NOINLINE u64 deep2(u64 x) { return deep3(x + 1) ^ 2; }
static NOINLINE u64 deep1(u64 x) { return deep2(x + 2) ^ deep3(x); }

SEC("socket")
int calls(struct sk_buff *skb)
{
	u32 length = skb->len;

	return sum_of_squares(length, 3) + shift(length, length) + (u32)deep1(length);
}
